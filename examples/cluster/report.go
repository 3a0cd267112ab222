package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/clewflow/clew/history"
)

// report is what became of the orders.
type report struct {
	orders, completed int
	lost              []string // that were acknowledged and did not complete
	broken            []string // histories that are not what was written, or in which something is twice
	again             []string // activities that were made again because their first node had come to grief
	doubled           []string // activities that were made twice though it had not
	missing           []string // activities that left no line though their order completed
	took              time.Duration
	deaths            []*death
	entries           map[string]int
	buried            []string
}

// judge compares what was answered, what was recorded and what was made.
func (s *stage) judge(failed []error) (report, error) {
	s.watch.mu.Lock()
	defer s.watch.mu.Unlock()
	r := report{orders: len(failed), deaths: s.watch.deaths, entries: s.watch.entries, buried: s.watch.buried, took: time.Since(s.began)}
	made, err := s.made()
	if err != nil {
		return r, err
	}
	for i, err := range failed {
		id := fmt.Sprintf("order-%05d", i)
		if err != nil {
			r.lost = append(r.lost, fmt.Sprintf("%s: %v", id, err))
			continue
		}
		r.completed++
		if err := s.sound(id); err != nil {
			r.broken = append(r.broken, fmt.Sprintf("%s: %v", id, err))
		}
		for _, activity := range []string{"charge", "ship"} {
			switch by := made[id+" "+activity]; {
			case len(by) == 0:
				r.missing = append(r.missing, id+" "+activity)
			case len(by) == 1:
			case s.watch.stricken(by[0]):
				r.again = append(r.again, id+" "+activity)
			default:
				r.doubled = append(r.doubled, fmt.Sprintf("%s %s by %s", id, activity, strings.Join(by, " and ")))
			}
		}
	}
	return r, nil
}

// made reads who made what, from the lines that activities have left.
func (s *stage) made() (map[string][]string, error) {
	data, err := os.ReadFile(s.witness())
	if err != nil {
		return nil, err
	}
	all := map[string][]string{}
	for line := range strings.Lines(string(data)) {
		var id, activity, node string
		var at int64
		if _, err := fmt.Sscan(line, &id, &activity, &node, &at); err != nil {
			return nil, fmt.Errorf("a line of the witness is %q: %w", line, err)
		}
		all[id+" "+activity] = append(all[id+" "+activity], node)
	}
	return all, nil
}

// sound checks the history of an order: its chain holds, and each activity and the run end once.
func (s *stage) sound(id string) error {
	var chain history.Chain
	ends := map[string]int{}
	for r, err := range s.log.Read(context.Background(), s.id(id), 1) {
		if err != nil {
			return err
		}
		if err := chain.Check(r.Entry); err != nil {
			return err
		}
		switch e := r.Entry.Event.(type) {
		case *history.ActivityCompleted:
			ends[fmt.Sprint("step ", e.Step)]++
		case *history.Started:
			ends["start"]++
		case *history.Completed:
			ends["end"]++
		}
	}
	for _, what := range []string{"start", "step 1", "step 3", "end"} {
		if ends[what] != 1 {
			return fmt.Errorf("%s is recorded %d times", what, ends[what])
		}
	}
	return nil
}

func (r report) print(to io.Writer) {
	t := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\norders\t%d in %s\ncompleted\t%d\nlost\t%d\nhistories with a flaw\t%d\nactivities made twice\t%d\nmade again after a node's death\t%d\nnodes buried\t%d\n",
		r.orders, r.took.Round(10*time.Millisecond), r.completed, len(r.lost), len(r.broken), len(r.doubled), len(r.again), len(r.buried))
	for _, d := range r.deaths {
		fmt.Fprintf(t, "%s gone: %d of its orders went on\tafter %s to %s\n", d.name, d.had, d.first.Round(10*time.Millisecond), d.last.Round(10*time.Millisecond))
	}
	for _, name := range slices.Sorted(maps.Keys(r.entries)) {
		fmt.Fprintf(t, "entries by %s\t%d\n", name, r.entries[name])
	}
	_ = t.Flush()
}

// verdict says what should not be.
func (r report) verdict() error {
	var all []error
	for what, of := range map[string][]string{
		"lost": r.lost, "a flaw in the history": r.broken, "made twice though nobody had come to grief": r.doubled, "never made": r.missing,
	} {
		for _, one := range of[:min(len(of), 5)] {
			all = append(all, fmt.Errorf("%s: %s", what, one))
		}
	}
	return errors.Join(all...)
}
