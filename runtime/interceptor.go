package runtime

import (
	"context"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
)

// Interceptor is called around what happens, for tracing, metrics and rights. Functions that are nil are passed over. Of
// several the first is the outermost.
type Interceptor struct {
	// Start is called before an execution is started by a client. It may add headers, which travel to the activities and
	// children. An error refuses the start.
	Start func(ctx context.Context, s *Starting) error
	// Message is called before a signal or an update is sent by a client. An error refuses it.
	Message func(ctx context.Context, m Messaging) error
	// Turn is called before the code is told something that it was not told before, and what it returns when the code waits
	// again. It must not wait, and must not change anything of the workflow's.
	Turn func(t Turn) (end func())
	// Activity is put around the attempts of activities and local steps. activity.Info tells which it is.
	Activity func(next activity.Handler) activity.Handler
}

// Starting is an execution that is about to be started.
type Starting struct {
	ID       string // workflow id
	Workflow string // type
	Headers  map[string]string
}

// Messaging is a message that is about to be sent.
type Messaging struct {
	ID     string // workflow id
	Name   string // of the signal or update
	Update bool
}

// Turn is an input that the code is about to be told.
type Turn struct {
	ID       string // workflow id
	Run      string
	Workflow string // type
	Seq      uint64 // of the input
	Kind     string // what it is: "signaled", "activity-completed", …
}

func (r *Runtime) starting(ctx context.Context, s *Starting) error {
	for _, i := range r.config.Interceptors {
		if i.Start != nil {
			if err := i.Start(ctx, s); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Runtime) messaging(ctx context.Context, m Messaging) error {
	for _, i := range r.config.Interceptors {
		if i.Message != nil {
			if err := i.Message(ctx, m); err != nil {
				return err
			}
		}
	}
	return nil
}

// telling is called before the code is told an entry, and what it returns after it.
func (w *runner) telling(m *memory, e *history.Entry) (end func()) {
	var ends []func()
	for _, i := range w.x.rt.config.Interceptors {
		if i.Turn == nil {
			continue
		}
		run := m.state.Run
		if s, ok := e.Event.(*history.Started); ok {
			run = history.Run{ID: s.Run, Type: s.Type}
		}
		if end := i.Turn(Turn{w.x.id.Workflow, run.ID, run.Type, e.Seq, e.Event.Kind()}); end != nil {
			ends = append(ends, end)
		}
	}
	return func() {
		for i := len(ends) - 1; i >= 0; i-- {
			ends[i]()
		}
	}
}

// around puts the interceptors around a handler.
func (r *Runtime) around(h activity.Handler) activity.Handler {
	for i := len(r.config.Interceptors) - 1; i >= 0; i-- {
		if a := r.config.Interceptors[i].Activity; a != nil {
			h = a(h)
		}
	}
	return h
}
