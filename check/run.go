package check

import (
	"context"
	"errors"
	"fmt"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/vault"
)

// Run is the newest run of a history, ready to be replayed: its payloads are open.
type Run struct {
	ID      history.ID
	Entries []history.Entry
	Carried []replay.Carried // what the runs before have left to it
	Open    bool
}

// Started is the beginning of the run.
func (r *Run) Started() *history.Started { return r.Entries[0].Event.(*history.Started) }

// Version is that of the code which the run is of now.
func (r *Run) Version() int { return history.VersionOf(r.Entries) }

// ReadRun reads the run with a number, 0 for the newest, and opens its payloads; v is not nil. Of the runs before no more is
// kept in memory than what the run carries on. With an error there may be a run all the same, of which no more than
// what it is can be relied on.
func ReadRun(ctx context.Context, h History, number uint64, v *vault.Vault) (*Run, error) {
	c := &cutter{kept: map[uint64]history.Event{}, want: number}
	for e, err := range h.Entries {
		if err == nil {
			err = c.take(e)
		}
		if err != nil {
			return c.run(h.ID), err
		}
		if c.over {
			break
		}
	}
	switch {
	case len(c.entries) == 0:
		return nil, errors.New("the history is empty")
	case number > 0 && c.started.Number != number:
		return nil, fmt.Errorf("there is no run %d; the last one is %d", number, c.started.Number)
	}
	r := c.run(h.ID)
	err := r.open(ctx, v)
	if err == nil {
		err = r.carry(ctx, v, c.kept)
	}
	return r, err
}

// A cutter cuts a run out of a history.
type cutter struct {
	want    uint64 // the number of the run; 0: the last
	entries []history.Entry
	started *history.Started
	kept    map[uint64]history.Event // of runs before
	over    bool
}

func (c *cutter) take(e history.Entry) error {
	started, begins := e.Event.(*history.Started)
	switch {
	case !begins && len(c.entries) == 0:
		return fmt.Errorf("the history begins with entry %d, %s, and not with the start of a run", e.Seq, e.Event.Kind())
	case begins && c.started != nil && c.want > 0 && c.started.Number == c.want:
		c.over = true
		return nil
	case begins:
		c.keep(started)
		c.entries, c.started = c.entries[:0:0], started
	}
	c.entries = append(c.entries, e)
	return nil
}

// keep keeps, of what is there, what a new run carries on.
func (c *cutter) keep(started *history.Started) {
	kept := map[uint64]history.Event{}
	take := func(seq uint64) {
		if e, ok := c.kept[seq]; ok {
			kept[seq] = e
		} else if len(c.entries) > 0 && seq >= c.entries[0].Seq && seq-c.entries[0].Seq < uint64(len(c.entries)) {
			kept[seq] = c.entries[seq-c.entries[0].Seq].Event
		}
	}
	for _, r := range started.Carried {
		for seq := r.From; seq <= r.To; seq++ {
			take(seq)
		}
	}
	for _, u := range started.Updates {
		take(u.Seq)
	}
	c.kept = kept
}

// run is what was cut out; nil if nothing was.
func (c *cutter) run(id history.ID) *Run {
	if len(c.entries) == 0 {
		return nil
	}
	if id == (history.ID{}) {
		id = c.started.ID
	}
	return &Run{ID: id, Entries: c.entries, Open: history.Fold(c.entries...).Open()}
}

func (r *Run) open(ctx context.Context, v *vault.Vault) error {
	for i, e := range r.Entries {
		if !e.Encoded() {
			continue
		}
		event, err := v.Unwrap(ctx, r.ID, e.Seq, e.Event)
		if err != nil {
			return fmt.Errorf("the payloads of entry %d cannot be opened: %w", e.Seq, err)
		}
		r.Entries[i] = e.With(event)
	}
	return nil
}

func (r *Run) carry(ctx context.Context, v *vault.Vault, kept map[uint64]history.Event) (err error) {
	r.Carried, err = replay.CarriedBy(r.Started(), func(seq uint64) (history.Event, error) {
		e, ok := kept[seq]
		if !ok {
			return nil, errors.New("it is not in the history")
		}
		return v.Unwrap(ctx, r.ID, seq, e)
	})
	return err
}
