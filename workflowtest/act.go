package workflowtest

import (
	"github.com/clewflow/clew/activity"
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
		w.T.Helper()
		if err := w.Runtime.Signal(w.Context, w.ID, m); err != nil {
			w.fatal("sending signal %s: %v", m.Name, err)
		}
	}
}

// Cancel asks the workflow to end.
func Cancel(w *World) {
	w.T.Helper()
	if err := w.Runtime.Cancel(w.Context, w.ID); err != nil {
		w.fatal("cancelling: %v", err)
	}
}

// Complete completes, from outside, the one attempt of an activity that is pending.
func Complete[In, Out any](a activity.Type[In, Out], out Out) Act {
	return func(w *World) {
		w.T.Helper()
		token, err := w.pending(a.Name())
		if err == nil {
			err = runtime.Complete(w.Context, w.Runtime, a, token, out)
		}
		if err != nil {
			w.fatal("completing %s: %v", a.Name(), err)
		}
	}
}

// Crash lets the process die where it stands: nothing more of it reaches the log. Another opens the same log and goes on.
// Attempts in hand are made again, under the same number, hence with the same outcome.
func Crash(w *World) {
	w.T.Helper()
	w.life.die()
	w.open()
}

// Query asks the workflow about its state.
func Query[Out any](w *World, q workflow.Query[Out]) Out {
	w.T.Helper()
	name, _, _ := q.Asked()
	coverQuery(w.play.workflow.Definition(), name)
	out, err := runtime.Query(w.Context, w.Runtime, w.ID, q)
	if err != nil {
		w.fatal("query %s: %v", name, err)
	}
	return out
}

// Update asks the workflow for something; then gets the answer when it comes, on a goroutine of its own, and may be nil. What the
// workflow refuses at once fails the test unless then is there to be told.
func Update[In, Out any](u workflow.Update[In, Out], in In, then func(Out, error)) Act {
	return func(w *World) {
		w.T.Helper()
		h, err := runtime.BeginUpdate(w.Context, w.Runtime, w.ID, u, in)
		switch {
		case err != nil && then == nil:
			w.fatal("update %s: %v", u.Name(), err)
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
	w.T.Helper()
	if err := w.Runtime.Terminate(w.Context, w.ID); err != nil {
		w.fatal("terminating: %v", err)
	}
}
