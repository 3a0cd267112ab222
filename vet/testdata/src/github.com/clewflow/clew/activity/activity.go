// Package activity has the shape of the real one.
package activity

import (
	"context"
	"math"
	"sync"
	"time"
)

type None = struct{}

type Option interface{ set() }

type Type[In, Out any] struct{ name string }

type Binding struct{}

func (Binding) Definition() string { return "" }

const NoTimeout time.Duration = math.MaxInt64

var mu sync.Mutex

func Define[In, Out any](name string, fn func(context.Context, In) (Out, error), opts ...Option) Type[In, Out] {
	mu.Lock() // of clew's own code nothing is told
	return Type[In, Out]{name}
}

func Declare[In, Out any](name string, opts ...Option) Type[In, Out] { return Type[In, Out]{name} }
func External[Out any](name string, opts ...Option) Type[None, Out]  { return Type[None, Out]{name} }

func (t Type[In, Out]) Bind(fn func(context.Context, In) (Out, error)) Binding { return Binding{} }
func (t Type[In, Out]) Definition() string                                     { return t.name }

func NoResult[In any](fn func(context.Context, In) error) func(context.Context, In) (None, error) {
	return nil
}

func StartToClose(d time.Duration) Option    { return nil }
func ScheduleToClose(d time.Duration) Option { return nil }
func HeartbeatWithin(d time.Duration) Option { return nil }
func MaxAttempts(n int) Option               { return nil }

type Retry struct{ MaxAttempts int }

func (Retry) set() {}
