// Package workflow has the shape of the real one.
package workflow

import (
	"context"
	"iter"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/clewflow/clew/activity"
)

type Context struct{}

func (Context) Err() error { return nil }

type CancelFunc func()

type Option interface{ Set() }

type Definition interface{ Definition() string }

type Type[In, Out any] struct{ name string }

type Binding struct{}

func Define[In, Out any](name string, fn func(Context, In) (Out, error), opts ...Option) Type[In, Out] {
	return Type[In, Out]{name}
}
func Declare[In, Out any](name string, opts ...Option) Type[In, Out] { return Type[In, Out]{name} }

func (t Type[In, Out]) Bind(fn func(Context, In) (Out, error)) Binding { return Binding{} }
func (t Type[In, Out]) Definition() string                             { return t.name }

func Now(Context) time.Time       { return time.Now() } // clew itself may
func Rand(Context) *rand.Rand     { return nil }
func NewUUID(Context) string      { return "" }
func Logger(Context) *slog.Logger { return nil }

func Do[In, Out any](ctx Context, a activity.Type[In, Out], in In, opts ...activity.Option) (out Out, err error) {
	return
}
func Begin[In, Out any](ctx Context, a activity.Type[In, Out], in In) (f Future[Out]) { return }
func Call[In, Out any](a activity.Type[In, Out], in In) func(Context) error           { return nil }

func Step[T any](ctx Context, name string, fn func(context.Context) (T, error), opts ...activity.Option) (v T, err error) {
	return
}
func Value[T any](ctx Context, name string, fn func() T) (v T)  { return }
func Latest[T any](ctx Context, name string, fn func() T) (v T) { return }
func AwaitExternal[Out any](ctx Context, e activity.Type[activity.None, Out], handOut func(ctx context.Context, token string) error, opts ...activity.Option) (out Out, err error) {
	return
}

type Future[T any] struct{ n int }

func (Future[T]) Get(ctx Context) (v T, err error) { return }
func (Future[T]) is()                              {}

func BeginFunc[T any](ctx Context, fn func(Context) (T, error)) (f Future[T]) { return }
func All[T any](ctx Context, fs ...Future[T]) (vs []T, err error)             { return }

func Sleep(ctx Context, d time.Duration) error                      { return nil }
func SleepUntil(ctx Context, t time.Time) error                     { return nil }
func NewTimer(ctx Context, d time.Duration) (t Timer)               { return }
func Await(ctx Context, cond func() bool) error                     { return nil }
func AwaitWithin(Context, time.Duration, func() bool) (bool, error) { return true, nil }

type Timer struct{ n int }

func (Timer) is() {}

type Case interface{ is() }

type fixed int

func (fixed) is() {}

const (
	Default fixed = iota + 1
	Timeout
)

func Select(ctx Context, cases ...Case) (Case, error)                        { return nil, nil }
func SelectWithin(ctx Context, d time.Duration, cases ...Case) (Case, error) { return nil, nil }

func Go(ctx Context, fn func(Context)) {}

type WaitGroup struct{}

func (*WaitGroup) Go(ctx Context, fn func(Context)) {}
func (*WaitGroup) Wait(ctx Context) error           { return nil }

type Channel[T any] struct{}

func NewChannel[T any](size int) *Channel[T]             { return nil }
func (*Channel[T]) Send(ctx Context, v T) error          { return nil }
func (*Channel[T]) Receive(ctx Context) (v T, err error) { return }
func (*Channel[T]) is()                                  {}

type Signal[T any] struct{ name string }

func NewSignal[T any](name string) Signal[T]                         { return Signal[T]{name} }
func (Signal[T]) is()                                                {}
func (Signal[T]) Receive(ctx Context) (v T, err error)               { return }
func (Signal[T]) TryReceive(ctx Context) (v T, ok bool)              { return }
func (Signal[T]) All(ctx Context) iter.Seq[T]                        { return nil }
func WithCancel(ctx Context) (Context, CancelFunc)                   { return ctx, nil }
func ContinueAsNew[In any](ctx Context, in In, opts ...Option) error { return nil }

type Query[Out any] struct{}

func NewQuery[Out any](name string) (q Query[Out])   { return }
func (Query[Out]) Handle(ctx Context, fn func() Out) {}

type Update[In, Out any] struct{}

func NewUpdate[In, Out any](name string) (u Update[In, Out]) { return }
func (Update[In, Out]) Handle(ctx Context, fn func(Context, In) (Out, error), validate ...func(In) error) {
}

func Map[T, R any](ctx Context, items []T, fn func(Context, T) (R, error)) ([]R, error) {
	return nil, nil
}

type Undo struct{}

func (*Undo) Add(fn func(Context) error) {}

func Saga[Out any](ctx Context, fn func(undo *Undo) (Out, error)) (out Out, err error) { return }
