package lookup

import (
	"context"
	"database/sql/driver"
	"fmt"

	"github.com/clewflow/clew/history"
)

// odd says what of a run stands in the table of attributes, so that nobody looks where nothing is. The numbers are in the table.
type odd int

const (
	pending odd = 1 << iota // of its pending activities: those that name a queue, and those of which an attempt came to nothing
	patched                 // the gates that it has passed
)

// The names under which that stands there. None is that of an attribute, because those have a dot.
const (
	queueName   = "queue"
	attemptName = "attempt"
	patchName   = "patch"
)

// change is one of those rows: to come, to go, or to be counted up.
type change struct {
	do    int
	place int64 // a step, or the Seq of an entry
	text  string
}

const (
	toQueue   = iota // the activity of a step is for a queue
	tried            // another attempt of it came to nothing
	reset            // its attempts begin anew
	done             // it is settled
	allDone          // all are
	pastPatch        // a gate was passed
)

var changes = map[int]string{
	toQueue:   "INSERT OR REPLACE INTO attribute VALUES (?1, '" + queueName + "', ?2, '" + kindList + "', ?3, NULL)",
	tried:     "INSERT INTO attribute VALUES (?1, '" + attemptName + "', ?2, '" + kindNumber + "', NULL, 2) ON CONFLICT (run, name, place) DO UPDATE SET num = num + 1",
	reset:     "DELETE FROM attribute WHERE run = ?1 AND name = '" + attemptName + "' AND place = ?2",
	done:      "DELETE FROM attribute WHERE run = ?1 AND name IN ('" + queueName + "', '" + attemptName + "') AND place = ?2",
	allDone:   "DELETE FROM attribute WHERE run = ?1 AND name IN ('" + queueName + "', '" + attemptName + "')",
	pastPatch: "INSERT OR REPLACE INTO attribute VALUES (?1, '" + patchName + "', ?2, '" + kindList + "', ?3, NULL)",
}

// strange folds what is not usual: of most activities nothing stands in the table of attributes. Changes are told one after the other and
// depend on no row, so a run with many pending activities costs no more than one with few.
func (r *run) strange(e history.Entry) {
	switch event := e.Event.(type) {
	case *history.ActivityScheduled:
		if event.Queue != "" {
			r.differ(pending, change{toQueue, int64(event.Step), event.Queue})
		}
	case *history.AttemptFailed:
		r.differ(pending, change{tried, int64(event.Step), ""})
	case *history.AttemptLost:
		r.differ(pending, change{tried, int64(event.Step), ""})
	case *history.ActivityChanged:
		if event.Reset && r.odd&pending != 0 {
			r.differ(pending, change{reset, int64(event.Step), ""})
		}
	case *history.Kept:
		if event.Gate {
			r.differ(patched, change{pastPatch, int64(e.Seq), event.Name})
		}
	}
}

func (r *run) differ(as odd, c change) {
	r.odd |= as
	r.changes = append(r.changes, c)
}

// usual folds that an activity is settled. One that was asked for just before leaves nothing to be written.
func (r *run) usual(step history.Step) {
	if r.odd&pending == 0 {
		return
	}
	if last := len(r.changes) - 1; last >= 0 && r.changes[last].do == toQueue && r.changes[last].place == int64(step) {
		r.changes = r.changes[:last]
		return
	}
	r.changes = append(r.changes, change{done, int64(step), ""})
}

// allUsual folds that the run has closed.
func (r *run) allUsual() {
	if r.odd&pending == 0 {
		return
	}
	r.odd &^= pending
	left := r.changes[:0]
	for _, c := range r.changes {
		if c.do == pastPatch {
			left = append(left, c)
		}
	}
	r.changes = append(left, change{do: allDone})
}

// writeChanges does to the table what was folded.
func (b *batch) writeChanges(r *run) error {
	for _, c := range r.changes {
		args := []driver.Value{int64(r.position), c.place, c.text}
		switch c.do {
		case allDone:
			args = args[:1]
		case tried, reset, done:
			args = args[:2]
		}
		if err := b.c.exec(context.Background(), changes[c.do], args...); err != nil {
			return fmt.Errorf("writing what is not usual of run %d of %s/%s: %w", r.Number, r.Namespace, r.ID, err)
		}
	}
	r.changes = nil
	return nil
}

// attempt is the highest number of an attempt of a pending activity; NULL if none is pending.
const attempt = "ifnull((SELECT max(p.num) FROM attribute AS p WHERE odd & 1 AND p.run = run.position AND p.name = '" + attemptName + "'), CASE WHEN activities > 0 THEN 1 END)"

// texts are those that a run has under a name, each once, as a list in JSON; NULL if it has none.
func texts(of odd, name string) string {
	return fmt.Sprintf("CASE WHEN odd & %d THEN (SELECT json_group_array(t.text) FROM (SELECT l.text FROM attribute AS l WHERE l.run = run.position AND l.name = '%s'"+
		" GROUP BY l.text ORDER BY min(l.place)) AS t) END", of, name)
}
