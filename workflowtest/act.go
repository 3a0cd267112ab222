package workflowtest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/internal/stage"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

// Act is something that happens to a workflow. What needs more than the acts of this package is a function of its own:
//
//	workflowtest.At(time.Hour, func(w *workflowtest.World) {
//		if got := workflowtest.Query(w, order.Status); got != "shipping" {
//			t.Errorf("status = %q", got)
//		}
//	})
type Act = func(*World)

// Send sends a signal to the workflow.
func Send(m workflow.Message) Act {
	return func(w *World) {
		named := w.named("send " + m.Name)
		w.must("sending signal "+m.Name, func(rt *runtime.Runtime) error { return rt.Signal(w.Context, w.ID, m, named) })
	}
}

// Cancel asks the workflow to end.
func Cancel(w *World) {
	w.must("cancelling", func(rt *runtime.Runtime) error { return rt.Cancel(w.Context, w.ID) })
}

// must does something that is not to fail. Where a test explores, the workflow may have ended before.
func (w *World) must(what string, do func(*runtime.Runtime) error) {
	err := w.Try(do)
	if err == nil || w.plot != nil && tooLate(err) {
		return
	}
	w.fatal("%s: %v", what, err)
}

// Try asks something of the process that is there, and where a test explores of the next, until there is one that answers: what
// clients do when a process dies. Give requests an id (runtime.RequestID), so that they are not carried out twice.
func (w *World) Try(ask func(*runtime.Runtime) error) error {
	for {
		w.mu.Lock()
		rt := w.newest.rt
		w.mu.Unlock()
		err := ask(rt)
		if w.plot == nil || !errors.Is(err, runtime.ErrClosed) && !errors.Is(err, runtime.ErrUnavailable) || w.Context.Err() != nil {
			return err
		}
		time.Sleep(time.Second)
		_, _ = w.stage.Wait(w.Context, stage.Place{Rank: clients, What: "try again"}) // after the next process has begun
	}
}

// tooLate reports whether something was refused because of what happened before.
func tooLate(err error) bool {
	for _, known := range []error{runtime.ErrNotRunning, runtime.ErrNotFound, runtime.ErrSettled, runtime.ErrStale, errNothingPends} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// named is an id by which a request is known again when it is repeated: only where a test explores is one.
func (w *World) named(what string) runtime.Option {
	if w.plot == nil {
		return runtime.RequestID("")
	}
	w.requests++
	return runtime.RequestID(fmt.Sprintf("%s %d", what, w.requests))
}

// Complete completes, from outside, the one attempt of an activity that is pending.
func Complete[In, Out any](a activity.Type[In, Out], out Out) Act {
	return func(w *World) {
		w.must("completing "+a.Name(), func(rt *runtime.Runtime) error {
			token, err := w.token(a.Name())
			if err != nil {
				return err
			}
			return runtime.Complete(w.Context, rt, a, token, out)
		})
	}
}

// token is that of the one attempt of an activity that is pending.
func (w *World) token(name string) (string, error) {
	switch found := w.known.pending(name); len(found) {
	case 1:
		return w.cast.token(found[0]), nil
	case 0:
		return "", errNothingPends
	default:
		var all []string
		for _, p := range found {
			all = append(all, fmt.Sprintf("step %d of %s", p.Step, p.Execution))
		}
		return "", fmt.Errorf("%d attempts of it are pending: %s", len(all), strings.Join(all, ", "))
	}
}

var errNothingPends = errors.New("no attempt of it is pending")

// Crash lets the process die where it stands: nothing more of it reaches the log. Another opens the same log and goes on.
// Attempts in hand are made again, under the same number, hence with the same outcome.
func Crash(w *World) {
	w.newest.die()
	w.Runtime = w.open().rt
}

// Deploy lets another release take over: the process ends where it stands, and one goes on that has these definitions instead of
// those of the same name and version. What was there and has no successor stays. Every history of the test, also the part
// that the code before has written, must fit the code that was deployed last.
func Deploy(definitions ...workflow.Definition) Act {
	return func(w *World) {
		w.deployed = slices.Concat(definitions, w.deployed)
		Crash(w)
	}
}

// Query asks the workflow about its state.
func Query[Out any](w *World, q workflow.Query[Out]) (out Out) {
	name, _, _ := q.Asked()
	coverQuery(w.play.workflow.Definition(), name)
	w.must("query "+name, func(rt *runtime.Runtime) (err error) {
		out, err = runtime.Query(w.Context, rt, w.ID, q)
		return err
	})
	return out
}

// Find looks for runs, as an operator would, of this test's workflows.
func Find(w *World, q query.Query) (rows []query.Row) {
	w.must("looking for runs", func(rt *runtime.Runtime) error {
		rows = nil
		for row, err := range rt.Find(w.Context, q) {
			if err != nil {
				return err
			}
			rows = append(rows, row)
		}
		return nil
	})
	return rows
}

// Update asks the workflow for something; then gets the answer when it comes, on a goroutine of its own, and may be nil. What the
// workflow refuses at once fails the test unless then is there to be told.
func Update[In, Out any](u workflow.Update[In, Out], in In, then func(Out, error)) Act {
	return func(w *World) {
		named := w.named("update " + u.Name())
		var h runtime.UpdateHandle[Out]
		err := w.Try(func(rt *runtime.Runtime) (err error) {
			h, err = runtime.BeginUpdate(w.Context, rt, w.ID, u, in, named)
			return err
		})
		switch {
		case err != nil && then == nil:
			w.must("update "+u.Name(), func(*runtime.Runtime) error { return err })
		case err != nil:
			var none Out
			then(none, err)
		case then != nil:
			go func() { then(h.Result(w.Context)) }()
		}
	}
}

// Terminate ends the workflow at once.
func Terminate(w *World) {
	w.must("terminating", func(rt *runtime.Runtime) error { return rt.Terminate(w.Context, w.ID) })
}
