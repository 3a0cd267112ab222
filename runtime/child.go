package runtime

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
)

// What a parent and a child want of each other is found from the side that is still open: an open parent starts its
// children, asks them to end and looks how they ended; an open child looks whether its parent has ended. While both are
// worked on here, each also tells the other at once.

// children does what an entry says is to be done about children.
func (x *execution) children(s *history.State, e *history.Entry) {
	switch v := e.Event.(type) {
	case *history.ChildAsked:
		x.startChild(s.Run, s.Children[v.Step], v)
	case *history.ChildStarted:
		if c := s.Children[v.Step]; c != nil && c.CancelRequested && !c.CancelDelivered {
			x.cancelChild(s.Run, c)
		}
		x.sendParked(s, v.Step)
	case *history.ChildRefused:
		x.sendParked(s, v.Step)
	case *history.ChildClosed: // which may be told before its start
		x.sendParked(s, v.Step)
	case *history.ChildCancelDelivered:
		x.sendParked(s, v.Step)
	case *history.ChildCancelRequested:
		if c := s.Children[v.Step]; c != nil && c.Chain != "" {
			x.cancelChild(s.Run, c)
		}
	}
}

// childrenAgain does what a state says is to be done about children, when nobody may be doing it.
func (x *execution) childrenAgain(s *history.State, durable uint64) {
	for _, step := range sorted(s.Children) {
		switch c := s.Children[step]; {
		case c.Seq > durable: // done when it is
		case c.Chain == "" || c.Again:
			x.startChild(s.Run, c, nil)
		default:
			if c.CancelRequested && !c.CancelDelivered && c.CancelSeq <= durable {
				x.cancelChild(s.Run, c)
			}
			x.lookAfter(s.Run, c)
		}
	}
}

func sorted[T any](of map[history.Step]T) []history.Step {
	steps := make([]history.Step, 0, len(of))
	for step := range of {
		steps = append(steps, step)
	}
	slices.Sort(steps)
	return steps
}

// startChild starts a child and tells the parent. It may have been started before. asked is read from the log if it is nil.
func (x *execution) startChild(run history.Run, c *history.Child, asked *history.ChildAsked) {
	if c == nil {
		return
	}
	r, id, seq, at, step, again := x.rt, x.id, c.Seq, c.Asked, c.Step, c.Again
	r.errand(id, step, "start", id, func(ctx context.Context) error {
		if asked == nil {
			e, err := r.event(ctx, id, seq)
			if err != nil {
				return err
			}
			if asked, _ = e.(*history.ChildAsked); asked == nil {
				return fmt.Errorf("entry %d of %s is %s and asks for no child", seq, id, e.Kind())
			}
		}
		return r.startAsked(ctx, id, run, asked, at, again)
	})
}

func (r *Runtime) startAsked(ctx context.Context, id history.ID, run history.Run, asked *history.ChildAsked, at time.Time, again bool) error {
	child := r.id(asked.ID)
	c, err := r.childCall(id, run, asked, at)
	if err != nil {
		return err // the parent waits for its start until there is code
	}
	if again {
		if c, err = r.childAgain(ctx, child, c, run.Adopts.Resume); err != nil {
			return err
		}
	}
	a, err := r.do(ctx, child, c)
	if errors.Is(err, commands.ErrEnding) {
		return fmt.Errorf("%w: child %s is begun again when it has ended: %w", ErrUnavailable, child.Workflow, err)
	}
	tell := commands.Command(commands.NoteChildStarted{Run: run.ID, Step: asked.Step, Chain: a.chain})
	if err != nil {
		reason, refused := refusal(err)
		if !refused {
			return err
		}
		tell = commands.RefuseChild{Run: run.ID, Step: asked.Step, Reason: reason, Message: err.Error()}
	}
	_, told := r.do(ctx, id, &call{command: tell, by: history.Clock})
	switch {
	case told == nil && err == nil && a.nothing: // it was started before, and may have ended before anybody knew whom to tell
		return r.lookAt(ctx, id, run, child, a.chain, asked.Step)
	case over(told) && err == nil: // the parent has ended meanwhile
		r.follow(child)
		return nil
	case over(told):
		return nil
	}
	return told
}

// over reports whether an execution, or the run that was meant, has ended.
func over(err error) bool { return errors.Is(err, ErrNotRunning) || errors.Is(err, ErrNotFound) }

// refusal is the reason, as histories have it, for which another execution refused something; refused is false if it may
// not next time.
func refusal(err error) (reason string, refused bool) {
	for _, r := range []struct {
		err    error
		reason string
	}{
		{ErrAlreadyRunning, history.RefusedRunning}, {ErrAlreadyExists, history.RefusedExists}, {ErrNotFound, history.RefusedNotFound},
		{ErrNotRunning, history.RefusedNotRunning}, {ErrTooManySignals, history.RefusedFull}, {ErrHistoryFull, history.RefusedFull},
		{ErrInvalid, history.RefusedInvalid}, {ErrFull, history.RefusedLimit}, {ErrTooLarge, history.RefusedInvalid},
	} {
		if errors.Is(err, r.err) {
			return r.reason, true
		}
	}
	return "", false
}

// childCall starts a child. Its run id and seed follow from the parent's, so it is the same child however often it is made. One
// of a type that is not here is not started, because nobody knows its version; one that is pinned to a version is, and stalls.
func (r *Runtime) childCall(id history.ID, run history.Run, asked *history.ChildAsked, at time.Time) (*call, error) {
	child := derive(run.Seed, run.ID, uint64(asked.Step))
	root := run.Root
	if root == "" {
		root = id.Workflow
	}
	version, route, err := r.route(asked.Type, asked.ID, asked.Version, "")
	if err != nil && asked.Version == 0 {
		return nil, err
	}
	settings := r.settings[asked.Type]
	key, full := asked.LimitKey, cmp.Or(asked.WhenFull, settings.WhenFull)
	if key == "" {
		if key, err = settings.KeyOfInput(asked.Input); err != nil {
			return nil, err
		}
	}
	if err := r.slotFor(r.ctx, asked.Type, full); err != nil {
		return nil, err
	}
	start := commands.Start{
		ID: r.id(asked.ID), Run: child.id, Type: asked.Type, Version: version, Route: route, Pinned: asked.Version > 0, Input: asked.Input,
		Seed: child.seed, Origin: history.Origin{Kind: "parent", ID: id.Workflow}, RunTimeout: asked.RunTimeout,
		ExecutionTimeout: asked.ExecutionTimeout, IfClosed: ifClosed(asked), CorrelationID: asked.CorrelationID, Memo: asked.Memo, Attributes: asked.Attributes,
		Headers: asked.Headers, Root: root, Depth: run.Below(), Budget: r.config.Budget, OnFailure: settings.OnFailure,
		Slot:   commands.Slot{Key: key},
		Parent: history.Parent{ID: id.Workflow, Run: run.ID, Chain: run.Chain, Step: asked.Step, OnClose: asked.OnParentClose},
	}
	r.bounds(&start, settings)
	return &call{
		command: start, full: full, by: history.Code, request: fmt.Sprintf("child:%s:%d", run.ID, asked.Step), named: true, since: at,
	}, nil
}

// ifClosed says whether a child may have an id that was used before.
func ifClosed(asked *history.ChildAsked) commands.IfClosed {
	if asked.Once {
		return commands.Reject
	}
	return commands.Allow
}

// childAgain is the call for a child that the parent has adopted without its end: it is begun again unless it is under way or has completed,
// or goes on from where it failed.
func (r *Runtime) childAgain(ctx context.Context, child history.ID, c *call, resume bool) (*call, error) {
	start := c.command.(commands.Start)
	start.Again = true
	c.command = start
	type stands struct {
		status history.Status
		same   bool
	}
	s, err := see(ctx, r, child, func(m *memory) (stands, error) {
		run := m.state.Run
		if m.state.Status == 0 {
			return stands{}, nil
		}
		return stands{m.state.Status, run.Parent.ID == start.Parent.ID && run.Parent.Chain == start.Parent.Chain && run.Parent.Step == start.Parent.Step}, nil
	})
	if s.same { // it is the same wish, though it may be granted once only
		start.IfClosed = commands.Allow
		c.command = start
	}
	switch {
	case err != nil:
		return nil, err
	case resume && s.same && s.status&history.StatusClosed != 0 && s.status != history.StatusCompleted && s.status != history.StatusContinued:
		c.command, c.anew = nil, &anew{adopts: true, place: commands.Place{Failed: true}, resume: true, parent: start.Parent}
	}
	return c, nil
}

// cancelChild asks a child to end and tells the parent.
func (x *execution) cancelChild(run history.Run, c *history.Child) {
	r, id, child, step, chain, at := x.rt, x.id, x.rt.id(c.ID), c.Step, c.Chain, c.Asked
	r.errand(id, step, "cancel", id, func(ctx context.Context) error {
		_, err := r.do(ctx, child, &call{
			command: commands.RequestCancel{Reason: "its parent " + id.Workflow + " no longer waits for it", Chain: chain},
			request: fmt.Sprintf("cancel:%s:%d", run.ID, step), named: true, since: at,
		})
		if err != nil && !over(err) {
			return err
		}
		_, err = r.do(ctx, id, &call{command: commands.NoteChildCancelled{Run: run.ID, Step: step}, by: history.Clock})
		if over(err) {
			return nil
		}
		return err
	})
}

// lookAfter tells the parent how a child ended, if it has.
func (x *execution) lookAfter(run history.Run, c *history.Child) {
	r, id, child, step, chain := x.rt, x.id, x.rt.id(c.ID), c.Step, c.Chain
	r.errand(id, step, "look after", id, func(ctx context.Context) error {
		return r.lookAt(ctx, id, run, child, chain, step)
	})
}

func (r *Runtime) lookAt(ctx context.Context, id history.ID, run history.Run, child history.ID, chain string, step history.Step) error {
	s, err := see(ctx, r, child, func(m *memory) (ended, error) {
		return ended{m.state.Status, m.state.Run, m.state.Outcome}, nil
	})
	switch {
	case err != nil:
		return err
	case s.Run.Chain == chain && s.Status&history.StatusOpen != 0:
		return nil // it will tell
	case s.Run.Chain != chain:
		if s, err = r.endOf(ctx, child, chain); errors.Is(err, ErrNotFound) {
			s, err = ended{Status: history.StatusTerminated, Outcome: history.Outcome{Reason: "its history is gone"}}, nil
		}
		if err != nil {
			return err
		}
	}
	return r.tellParent(ctx, id, run.ID, step, s)
}

// tellParent tells a parent how the chain of a child ended.
func (r *Runtime) tellParent(ctx context.Context, parent history.ID, run string, step history.Step, s ended) error {
	_, err := r.do(ctx, parent, &call{
		command: commands.CloseChild{Run: run, Step: step, Last: s.Run.ID, Status: s.Status, Outcome: s.Outcome}, by: history.Clock,
	})
	if over(err) {
		return nil
	}
	return err
}

// closed does what follows from the end of a chain: the parent is told, and the children follow.
func (x *execution) closed(s ended) {
	r, id := x.rt, x.id
	r.mourn(id, s)
	if p := s.Run.Parent; p.ID != "" {
		parent := r.id(p.ID)
		tell := func(ctx context.Context) error { return r.tellParent(ctx, parent, p.Run, p.Step, s) }
		if r.node == nil {
			r.errand(id, 0, "tell its parent", parent, tell)
		} else { // another node may own the parent, and does not know of what went wrong here
			r.apart(id, 0, "tell its parent", parent, nil, func(ctx context.Context) error { return r.insistOnAnswer(ctx, "telling a parent", parent, tell) })
		}
	}
	if s.Run.HadChildren {
		r.apart(id, 0, "end its children", id, nil, func(ctx context.Context) error { // the index may be far behind
			return r.insist(ctx, "ending the children of an execution", id, func(ctx context.Context) error { return r.endChildren(ctx, id) })
		})
	}
}

// endChildren has the children of an execution that has ended follow it. Those that are not yet in the index look themselves
// when they have started.
func (r *Runtime) endChildren(ctx context.Context, id history.ID) error {
	var children []string
	for row, err := range r.Find(ctx, query.Query{Parent: id.Workflow, Status: query.Open, Limit: query.MaxLimit}) {
		if err != nil {
			return err
		}
		children = append(children, row.ID)
	}
	slices.Sort(children)
	for _, child := range children {
		r.follow(r.id(child))
	}
	return nil
}

// follow has a child act on the end of its parent, if that has ended. It is the child's errand: its state says that it has a
// parent, and whose it was may have ended long ago.
func (r *Runtime) follow(child history.ID) {
	r.errand(child, 0, "look at its parent", child, func(ctx context.Context) error { return r.followParent(ctx, child) })
}

// followParent has a child act on the end of its parent, if that has ended.
func (r *Runtime) followParent(ctx context.Context, id history.ID) error {
	p, err := see(ctx, r, id, func(m *memory) (p history.Parent, _ error) {
		if m.state.Open() {
			p = m.state.Run.Parent
		}
		return p, nil
	})
	if err != nil || p.ID == "" || p.OnClose == history.AbandonChild {
		return err
	}
	lives, err := see(ctx, r, r.id(p.ID), func(m *memory) (bool, error) {
		return m.state.Open() && m.state.Run.Chain == p.Chain, nil
	})
	if err != nil || lives {
		return err
	}
	_, err = r.do(ctx, id, &call{command: commands.FollowParent{Chain: p.Chain, Run: p.Run}, by: history.Clock})
	return err
}
