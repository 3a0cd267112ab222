package workflow

import (
	"errors"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/coro"
)

// Future is a value still to come. It is a [Case].
type Future[T any] struct{ p *Pending }

// Ready reports whether Get would return at once.
func (f Future[T]) Ready() bool { return f.p.done }

// Get waits for the value. It can be called again, and from several coroutines. The error says how what was begun failed,
// or that the scope of ctx ended first.
func (f Future[T]) Get(ctx Context) (v T, err error) {
	for !f.p.done {
		ending := f.p.waits && f.p.ending
		if err := ctx.Err(); err != nil && !ending {
			return v, err
		}
		if ending {
			ctx.run.driver.Change("waiting")
			ctx.run.spins = 0
			ctx.run.group.Wait(&f.p.bell)
			continue
		}
		ctx.wait(&f.p.bell)
	}
	switch {
	case f.p.value != nil:
		return f.p.value.(T), f.p.err
	case f.p.err != nil:
		return v, f.p.err
	}
	if err := f.p.result.Decode(&v); err != nil {
		panic(stall("a result: %v", err))
	}
	return v, nil
}

func (f Future[T]) ready(Context) bool      { return f.p.done }
func (f Future[T]) bell(Context) *coro.Bell { return &f.p.bell }

// BeginFunc runs fn as a coroutine.
func BeginFunc[T any](ctx Context, fn func(Context) (T, error)) Future[T] {
	p := &Pending{}
	p.bell.About = forCoroutines
	Go(ctx, func(ctx Context) {
		v, err := fn(ctx)
		p.value = v
		p.Settle(history.Payload{}, err)
	})
	return Future[T]{p}
}

// Outcome is a value or an error.
type Outcome[T any] struct {
	Value T
	Err   error
}

// All waits for all, and returns the first error in the order given, with the values there are.
func All[T any](ctx Context, fs ...Future[T]) ([]T, error) {
	values := make([]T, len(fs))
	var first error
	for i, f := range fs {
		v, err := f.Get(ctx)
		values[i] = v
		if err != nil && first == nil {
			first = err
		}
	}
	return values, first
}

// AllSettled waits for all. The error says only that the scope ended.
func AllSettled[T any](ctx Context, fs ...Future[T]) ([]Outcome[T], error) {
	outcomes := make([]Outcome[T], len(fs))
	for i, f := range fs {
		v, err := f.Get(ctx)
		if err != nil && !f.Ready() {
			return outcomes, err
		}
		outcomes[i] = Outcome[T]{v, err}
	}
	return outcomes, nil
}

// Race waits for the first to finish, and returns its value or error.
func Race[T any](ctx Context, fs ...Future[T]) (v T, err error) {
	f, err := firstReady(ctx, fs)
	if err != nil {
		return v, err
	}
	return f.Get(ctx)
}

// Any waits for the first to succeed. If none does, all errors are joined.
func Any[T any](ctx Context, fs ...Future[T]) (v T, err error) {
	var errs []error
	for len(fs) > 0 {
		f, err := firstReady(ctx, fs)
		if err != nil {
			return v, err
		}
		if v, err = f.Get(ctx); err == nil {
			return v, nil
		}
		errs = append(errs, err)
		rest := make([]Future[T], 0, len(fs)-1)
		for _, other := range fs {
			if other != f {
				rest = append(rest, other)
			}
		}
		fs = rest
	}
	return v, errors.Join(errs...)
}

func firstReady[T any](ctx Context, fs []Future[T]) (f Future[T], err error) {
	if len(fs) == 0 {
		panic(stall("Race and Any need a future, got none"))
	}
	cases := make([]Case, len(fs))
	for i, f := range fs {
		cases[i] = f
	}
	got, err := Select(ctx, cases...)
	if err != nil {
		return f, err
	}
	return got.(Future[T]), nil
}
