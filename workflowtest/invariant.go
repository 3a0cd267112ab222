package workflowtest

import (
	"fmt"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
)

// Invariant is what has to hold, in [Explore], of the workflow after each schedule: holds returns what is wrong.
//
//	workflowtest.Invariant("a parcel is paid for", func(ran *workflowtest.Ran[order.Done]) error {
//		shipped, charged := workflowtest.Effects(ran, order.Ship), workflowtest.Effects(ran, order.Charge)
//		if len(shipped) > 0 && len(charged) == 0 {
//			return errors.New("it was shipped and not charged")
//		}
//		return nil
//	})
func Invariant[Out any](name string, holds func(*Ran[Out]) error) Option {
	return invariantOf(name, func(p Performed) error {
		ran, ok := p.(*Ran[Out])
		if !ok {
			return fmt.Errorf("it is one of %T, and this is %T", ran, p)
		}
		return holds(ran)
	})
}

func invariantOf(name string, holds func(Performed) error) Option {
	return option(func(s *settings) { s.exploration.invariants = append(s.exploration.invariants, invariant{name, holds}) })
}

// Within is the invariant that the workflow ends within d, on the virtual clock.
func Within(d time.Duration) Option {
	return invariantOf(fmt.Sprintf("it ends within %s", d), func(p Performed) error {
		if took := p.performed().elapsed; took > d {
			return fmt.Errorf("it took %s", took)
		}
		return nil
	})
}

// Once is the invariant that an activity has its effect for one call at most. Attempts of the same call count once: they have the
// same idempotency key, which is to be given to whatever must not do it twice.
func Once[In, Out any](a activity.Type[In, Out]) Option {
	return invariantOf(fmt.Sprintf("%s has its effect once", a.Name()), func(p Performed) error {
		calls := map[string]string{}
		for _, e := range Effects(p, a) {
			calls[e.Key] = fmt.Sprintf("step %d of %s", e.Step, e.Execution)
		}
		if len(calls) > 1 {
			return fmt.Errorf("it had it for %d calls", len(calls))
		}
		return nil
	})
}

// Undoes is the invariant of what is done or undone as a whole: unless the workflow completes, each call of do that had its
// effect is followed by a call of undo that had its own, or failed for good: that the workflow is told, and cannot help.
func Undoes[In, Out, UndoIn, UndoOut any](undo activity.Type[UndoIn, UndoOut], do activity.Type[In, Out]) Option {
	return invariantOf(fmt.Sprintf("it completes, or %s undoes %s", undo.Name(), do.Name()), func(p Performed) error {
		if p.performed().completed {
			return nil
		}
		undone := failures(p, undo.Name())
		for _, e := range Effects(p, undo) {
			undone[e.Key] = e.At
		}
		first := map[string]bool{}
		for _, e := range Effects(p, do) {
			if first[e.Key] {
				continue
			}
			first[e.Key] = true
			if !takeAfter(undone, e.At) {
				return fmt.Errorf("what step %d of %s has done (%v) was not undone", e.Step, e.Execution, e.Output)
			}
		}
		return nil
	})
}

// failures are the moments at which calls of an activity failed for good.
func failures(p Performed, name string) map[string]time.Time {
	found := map[string]time.Time{}
	for id, entries := range p.performed().all {
		calls := map[history.Step]bool{} // of this run
		for _, e := range entries {
			switch event := e.Event.(type) {
			case *history.Started:
				clear(calls)
			case *history.ActivityScheduled:
				calls[event.Step] = event.Name == name
			case *history.ActivityFailed:
				if calls[event.Step] {
					found[fmt.Sprint(id, e.Seq)] = e.At
				}
			case *history.ActivityTimedOut:
				if calls[event.Step] {
					found[fmt.Sprint(id, e.Seq)] = e.At
				}
			}
		}
	}
	return found
}

// takeAfter takes one that is not before a moment.
func takeAfter(all map[string]time.Time, t time.Time) bool {
	for key, at := range all {
		if !at.Before(t) {
			delete(all, key)
			return true
		}
	}
	return false
}
