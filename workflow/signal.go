package workflow

import (
	"fmt"
	"iter"
	"time"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/coro"
)

// Signal is a kind of message to workflows, shared by those who send and those who receive. It is a [Case]. Signals are
// kept in the order in which they were accepted, also before anybody receives.
type Signal[T any] struct{ name string }

// NewSignal names a signal.
func NewSignal[T any](name string) Signal[T] { return Signal[T]{name} }

// Name is the name in histories.
func (s Signal[T]) Name() string { return s.name }

// Message is a signal with its value, to be sent.
type Message struct {
	Name  string
	Value history.Payload
	Err   error // why it cannot be sent
}

// With makes the message that carries v.
func (s Signal[T]) With(v T) Message {
	m := Message{Name: s.name}
	if m.Err = commands.CheckName("the name of the signal", s.name); m.Err == nil {
		m.Value, m.Err = history.Encode(v)
	}
	return m
}

// Receive waits for the next signal. The error says that the scope ended.
func (s Signal[T]) Receive(ctx Context) (v T, err error) {
	for {
		if v, ok := s.TryReceive(ctx); ok {
			return v, nil
		}
		if err := ctx.Err(); err != nil {
			return v, err
		}
		ctx.wait(s.bell(ctx))
	}
}

// ReceiveWithin waits for the next signal, for at most d; ok is false when that has passed. It stops its own timer.
func (s Signal[T]) ReceiveWithin(ctx Context, d time.Duration) (v T, ok bool, err error) {
	if _, err := SelectWithin(ctx, d, s); err != nil {
		return v, false, err
	}
	v, ok = s.TryReceive(ctx)
	return v, ok, nil
}

// TryReceive receives the next signal if there is one.
func (s Signal[T]) TryReceive(ctx Context) (v T, ok bool) {
	next, ok := ctx.take(s.inbox(ctx), "receiving a signal")
	if !ok {
		return v, false
	}
	if ctx.run.watch != nil {
		seeName(ctx.run.watch, SeenSignal, s.name, true)
	}
	if err := next.value.Decode(&v); err != nil {
		panic(stall("signal %s in entry %d was sent as another type than the code receives: %v; receive a type that fits, or terminate the run",
			s.name, next.seq, err))
	}
	return v, true
}

// take takes the next message out of an inbox.
func (c Context) take(b *Inbox, what string) (next signal, ok bool) {
	if len(b.unread) == 0 {
		return next, false
	}
	c.run.driver.Change(what)
	next = b.unread[0]
	b.unread[0] = signal{}
	b.unread = b.unread[1:]
	c.run.spins = 0
	return next, true
}

// All receives signals until the scope ends.
func (s Signal[T]) All(ctx Context) iter.Seq[T] {
	return func(yield func(T) bool) {
		for {
			v, err := s.Receive(ctx)
			if err != nil || !yield(v) {
				return
			}
		}
	}
}

// Unread is the number of signals that can be received at once.
func (s Signal[T]) Unread(ctx Context) int { return len(s.inbox(ctx).unread) }

func (s Signal[T]) inbox(ctx Context) *Inbox {
	if s.name == "" {
		panic(stall("a zero workflow.Signal has no name; make it with workflow.NewSignal"))
	}
	if ctx.run.watch != nil {
		seeName(ctx.run.watch, SeenSignal, s.name, false)
	}
	return ctx.run.driver.Inbox(s.name)
}

func (s Signal[T]) signalName() string          { return s.name }
func (s Signal[T]) ready(ctx Context) bool      { return len(s.inbox(ctx).unread) > 0 }
func (s Signal[T]) bell(ctx Context) *coro.Bell { return &s.inbox(ctx).bell }

// Query is a question about a run's state, shared by those who ask and those who answer.
type Query[Out any] struct {
	name string
	arg  history.Payload
	err  error
}

// NewQuery names a query.
func NewQuery[Out any](name string) Query[Out] { return Query[Out]{name: name} }

// Handle sets what answers the query. fn must not wait, ask for anything or change anything; it is called between turns.
func (q Query[Out]) Handle(ctx Context, fn func() Out) {
	q.seen(ctx)
	ctx.run.driver.Handle(q.name, func(history.Payload) (history.Payload, error) { return history.Encode(fn()) })
}

func (q Query[Out]) seen(ctx Context) {
	if ctx.run.watch != nil {
		seeName(ctx.run.watch, SeenQuery, q.name, false)
	}
}

// Asked is the name and the argument as they are sent. It is for runtimes.
func (q Query[Out]) Asked() (name string, arg history.Payload, err error) {
	return q.name, q.arg, q.err
}

// QueryOf is a [Query] with an argument.
type QueryOf[In, Out any] struct{ name string }

// NewQueryOf names a query with an argument.
func NewQueryOf[In, Out any](name string) QueryOf[In, Out] { return QueryOf[In, Out]{name} }

// With is the query with its argument.
func (q QueryOf[In, Out]) With(in In) Query[Out] {
	arg, err := history.Encode(in)
	return Query[Out]{q.name, arg, err}
}

// Handle sets what answers the query. fn must not wait, ask for anything or change anything; it is called between turns.
// Its error is for whoever asked.
func (q QueryOf[In, Out]) Handle(ctx Context, fn func(In) (Out, error)) {
	Query[Out]{name: q.name}.seen(ctx)
	ctx.run.driver.Handle(q.name, func(p history.Payload) (history.Payload, error) {
		var in In
		if err := p.Decode(&in); err != nil {
			return history.Payload{}, fmt.Errorf("the argument of query %s: %w", q.name, err)
		}
		out, err := fn(in)
		if err != nil {
			return history.Payload{}, err
		}
		return history.Encode(out)
	})
}
