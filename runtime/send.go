package runtime

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/dispatch"
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

// sendParked sends what has waited for the start of a child, which has started now, or never will.
func (x *execution) sendParked(s *history.State, child history.Step) {
	for _, step := range x.rt.parked.take(x.key(child)) {
		if n := s.Sends[step]; n != nil {
			x.send(s.Run, n, nil)
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
	r, id, seq, step, at, asker := x.rt, x.id, n.Seq, n.Step, n.Asked, n.Run
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
				command: c, by: history.Actor("execution:" + id.Workflow), request: fmt.Sprintf("send:%s:%d", asker, step), named: true, since: at,
			})
			return err
		}
		err := deliver()
		if errors.Is(err, ErrNotFound) {
			waits, failed := r.awaitsStart(ctx, id, run.ID, step, asked.ID)
			if failed != nil || waits {
				return failed // it is sent when that child has started
			}
			err = deliver() // the child may have started since
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

// awaitsStart reports whether an id is that of a child which its parent does not know to have started. Then the message of a step is
// parked until it does.
func (r *Runtime) awaitsStart(ctx context.Context, parent history.ID, run string, message history.Step, id string) (bool, error) {
	return see(ctx, r, parent, func(m *memory) (waits bool, _ error) {
		if m.state.Run.ID != run {
			return false, nil
		}
		var first history.Step
		for step, c := range m.state.Children {
			if c.ID == id && c.Chain == "" && (!waits || step < first) {
				waits, first = true, step
			}
		}
		if waits {
			r.parked.put(dispatch.Key{ID: parent, Step: first}, message)
		}
		return waits, nil
	})
}

// parked are the messages that wait for the start of children, by the step of the child. Whoever runs next finds them in the
// states.
type parked struct {
	mu  sync.Mutex
	all map[history.ID]map[history.Step][]history.Step
}

func (p *parked) put(child dispatch.Key, message history.Step) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all == nil {
		p.all = map[history.ID]map[history.Step][]history.Step{}
	}
	if p.all[child.ID] == nil {
		p.all[child.ID] = map[history.Step][]history.Step{}
	}
	p.all[child.ID][child.Step] = append(p.all[child.ID][child.Step], message)
}

func (p *parked) take(child dispatch.Key) []history.Step {
	p.mu.Lock()
	defer p.mu.Unlock()
	of := p.all[child.ID]
	messages := of[child.Step]
	if delete(of, child.Step); len(of) == 0 {
		delete(p.all, child.ID)
	}
	return messages
}

func (p *parked) forget(id history.ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.all, id)
}
