package runtime

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
)

// StandardHold is the name of a hold that is given none.
const StandardHold = "hold"

// Hold is what keeps the record of an execution: nothing of it is taken away until all its holds are released.
type Hold struct {
	Name   string        `json:"name"`
	By     history.Actor `json:"by"`
	Since  time.Time     `json:"since"`
	Reason string        `json:"reason,omitempty"`
}

func (h Hold) String() string {
	text := fmt.Sprintf("hold %q by %s since %s", h.Name, h.By, h.Since.Format(time.RFC3339))
	if h.Reason != "" {
		text += ": " + h.Reason
	}
	return text
}

// Hold sees to it that nothing of the record of an execution is taken away: it is neither deleted nor redacted nor cut by retention, and its
// key is not destroyed, until the hold is released. It goes on as before, and so do the runs that follow. An execution can have several
// holds, each with a name; empty: [StandardHold]. One that is there is not changed. Options: [RequestID], [Reason], [Operator]. Errors:
// ErrInvalid, ErrNotFound, ErrUnavailable, also while something is on its way out that was recorded before.
func (r *Runtime) Hold(ctx context.Context, id, name string, opts ...CallOption) error {
	return r.setHold(ctx, id, name, opts, func(name, reason string) history.Event {
		return &history.Held{ID: r.id(id), Name: name, Reason: reason}
	})
}

// Release takes a hold back. Of one that is not there nothing follows. Options and errors: as of Hold.
func (r *Runtime) Release(ctx context.Context, id, name string, opts ...CallOption) error {
	return r.setHold(ctx, id, name, opts, func(name, reason string) history.Event {
		return &history.Released{ID: r.id(id), Name: name, Reason: reason}
	})
}

func (r *Runtime) setHold(ctx context.Context, id, name string, opts []CallOption, event func(name, reason string) history.Event) error {
	s := callSettingsOf(opts)
	by, err := actor(s)
	if err != nil {
		return err
	}
	name = cmp.Or(name, StandardHold)
	for _, err := range []error{commands.CheckID("workflow id", id), checkRequest(s.request), commands.CheckName("the name of the hold", name)} {
		if err != nil {
			return err
		}
	}
	_, err = r.between(ctx, r.id(id), func(m *memory) (Erasure, error) {
		if m.state.Status == 0 {
			return Erasure{}, fmt.Errorf("%w: %s", ErrNotFound, id)
		}
		_, err := r.admin.record(ctx, r, by, s.request, event(name, s.reason))
		return Erasure{}, err
	})
	return err
}

// Holds are the holds of an execution, in the order of their names.
func (r *Runtime) Holds(ctx context.Context, id string) ([]Hold, error) {
	if err := r.admin.enter(ctx, r); err != nil {
		return nil, err
	}
	defer r.admin.leave()
	return r.admin.holdsOf(r.id(id)), nil
}

// hold folds what holds and what releases.
func (a *admin) hold(e history.Entry) {
	switch v := e.Event.(type) {
	case *history.Held:
		if a.holds == nil {
			a.holds = map[history.ID]map[string]Hold{}
		}
		if a.holds[v.ID] == nil {
			a.holds[v.ID] = map[string]Hold{}
		}
		if _, is := a.holds[v.ID][v.Name]; !is {
			a.holds[v.ID][v.Name] = Hold{Name: v.Name, By: e.By, Since: e.At, Reason: v.Reason}
		}
	case *history.Released:
		if delete(a.holds[v.ID], v.Name); len(a.holds[v.ID]) == 0 {
			delete(a.holds, v.ID)
		}
	}
}

func (a *admin) holdsOf(id history.ID) (all []Hold) {
	for _, h := range a.holds[id] {
		all = append(all, h)
	}
	slices.SortFunc(all, func(a, b Hold) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// allows says whether an act may be recorded, and whether anything follows from it. Its caller has caught up and appends behind that, so
// nothing comes between. ErrHeld names the holds.
func (a *admin) allows(event history.Event) (follows bool, err error) {
	switch v := event.(type) {
	case *history.Redacted:
		return true, a.refuse(v.ID)
	case *history.Deleted:
		return true, a.refuse(v.ID)
	case *history.Held:
		for _, e := range a.open {
			if targetOf(e.Event) == v.ID {
				return false, fmt.Errorf("%w: something of %s is on its way out, since %s; ask again when it is gone", ErrUnavailable, v.ID.Workflow, e.At.Format(time.RFC3339))
			}
		}
		_, is := a.holds[v.ID][v.Name]
		return !is, nil
	case *history.Released:
		_, is := a.holds[v.ID][v.Name]
		return is, nil
	}
	return true, nil
}

// refuse says by what an execution is held; nil if it is not.
func (a *admin) refuse(id history.ID) error {
	holds := a.holdsOf(id)
	if len(holds) == 0 {
		return nil
	}
	more := ""
	if n := len(holds) - 1; n > 0 {
		more = fmt.Sprintf(", and by %d more", n)
	}
	return fmt.Errorf("%w: %s, by %s%s; release it first", ErrHeld, id.Workflow, holds[0], more)
}

// held says by what an execution is held, as it is recorded now.
func (r *Runtime) held(ctx context.Context, id string) error {
	if err := r.admin.enter(ctx, r); err != nil {
		return err
	}
	defer r.admin.leave()
	return r.admin.refuse(r.id(id))
}

// unlessHeld does what destroys something of an execution without an act, and lets no hold be recorded here while it does. ErrHeld: it is held.
func (r *Runtime) unlessHeld(ctx context.Context, id string, do func() error) error {
	if err := r.admin.enter(ctx, r); err != nil {
		return err
	}
	defer r.admin.leave()
	if err := r.admin.refuse(r.id(id)); err != nil {
		return err
	}
	return do()
}

// targetOf is the execution that an act takes something away from.
func targetOf(event history.Event) history.ID {
	switch v := event.(type) {
	case *history.Redacted:
		return v.ID
	case *history.Deleted:
		return v.ID
	}
	return history.ID{}
}
