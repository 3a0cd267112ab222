package runtime

import (
	"context"
	"errors"
	"fmt"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
)

// sends does what an entry says is to be told another execution.
func (x *execution) sends(s *history.State, e *history.Entry) {
	if v, ok := e.Event.(*history.SendAsked); ok {
		if n := s.Sends[v.Step]; n != nil {
			x.send(s.Run, n, v)
		}
	}
}

// sendWaiting sends what has waited for the start of a child.
func (x *execution) sendWaiting(s *history.State, step history.Step) {
	if c := s.Children[step]; c != nil {
		for _, n := range sorted(s.Sends) {
			if s.Sends[n].ID == c.ID {
				x.send(s.Run, s.Sends[n], nil)
			}
		}
	}
}

// sendsAgain does what a state says is to be told other executions, when nobody may be doing it.
func (x *execution) sendsAgain(s *history.State, durable uint64) {
	for _, step := range sorted(s.Sends) {
		if n := s.Sends[step]; n.Seq <= durable {
			x.send(s.Run, n, nil)
		}
	}
}

// send tells another execution something, and the sender what became of it. asked is read from the log if it is nil.
func (x *execution) send(run history.Run, n *history.Send, asked *history.SendAsked) {
	r, id, seq, step, at := x.rt, x.id, n.Seq, n.Step, n.Asked
	r.errand(id, step, "send", id, func(ctx context.Context) error {
		if asked == nil {
			e, err := r.event(ctx, id, seq)
			if err != nil {
				return err
			}
			if asked, _ = e.(*history.SendAsked); asked == nil {
				return fmt.Errorf("entry %d of %s is %s and sends nothing", seq, id, e.Kind())
			}
		}
		c := commands.Command(commands.Signal{Name: asked.Name, Value: asked.Value})
		if asked.Cancel {
			c = commands.RequestCancel{Reason: "asked for by " + id.Workflow}
		}
		deliver := func() error {
			_, err := r.do(ctx, r.id(asked.ID), &call{
				command: c, by: history.Actor("execution:" + id.Workflow), request: fmt.Sprintf("send:%s:%d", run.ID, step), named: true, since: at,
			})
			return err
		}
		err := deliver()
		if errors.Is(err, ErrNotFound) {
			if r.awaitsStart(ctx, id, asked.ID) {
				return nil // it is sent when that child has started
			}
			err = deliver() // it may have started since
		}
		reason, refused := "", false
		if err != nil {
			if reason, refused = refusal(err); !refused {
				return err
			}
		}
		_, err = r.do(ctx, id, &call{command: commands.NoteSent{Run: run.ID, Step: step, Refused: reason}, by: history.Clock})
		if errors.Is(err, ErrNotRunning) || errors.Is(err, ErrNotFound) {
			return nil
		}
		return err
	})
}

// awaitsStart reports whether an id is that of a child which its parent does not know to have started.
func (r *Runtime) awaitsStart(ctx context.Context, parent history.ID, id string) (waits bool) {
	_, err := r.do(ctx, parent, &call{look: func(m *memory) error {
		for _, c := range m.state.Children {
			waits = waits || c.ID == id && c.Chain == ""
		}
		return nil
	}})
	return waits && err == nil
}
