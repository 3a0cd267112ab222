package workflow

import "github.com/clewflow/clew/history"

// MapOption is an option of [Map] and [MapAll].
type MapOption interface{ setMap(*mapping) }

type mapping struct{ limit int }

type mapOption func(*mapping)

func (o mapOption) setMap(m *mapping) { o(m) }

// inFlight is how many items [Map] works on at once, so that what they call is not flooded.
const inFlight = 16

// Limit says how many items are worked on at once. Default 16.
func Limit(n int) MapOption { return mapOption(func(m *mapping) { m.limit = n }) }

// Map calls fn for each item, for several at once, and returns the results in the order of the items. The first error ends the
// scope of the others and is returned when all have returned. fn may use activities, steps and children.
func Map[T, R any](ctx Context, items []T, fn func(Context, T) (R, error), opts ...MapOption) ([]R, error) {
	within, cancel := WithCancel(ctx)
	defer cancel()
	results := make([]R, len(items))
	var first error
	done := 0
	each(within, len(items), opts, func(ctx Context, i int) {
		r, err := fn(ctx, items[i])
		done++
		if err != nil && first == nil {
			first = err
			cancel()
		}
		results[i] = r
	})
	if first == nil && done < len(items) {
		first = ctx.Err() // the others were not begun
	}
	if first != nil {
		return nil, first
	}
	return results, nil
}

// MapAll is [Map] that goes on after errors. The error says only that the scope ended.
func MapAll[T, R any](ctx Context, items []T, fn func(Context, T) (R, error), opts ...MapOption) ([]Outcome[R], error) {
	outcomes := make([]Outcome[R], len(items))
	done := 0
	each(ctx, len(items), opts, func(ctx Context, i int) {
		v, err := fn(ctx, items[i])
		outcomes[i] = Outcome[R]{v, err}
		done++
	})
	if done < len(items) {
		return outcomes, ctx.Err()
	}
	return outcomes, nil
}

// each calls fn for the numbers below n, in order, from as many coroutines as the limit allows, and waits for all calls. No
// call is begun after the end of the scope.
func each(ctx Context, n int, opts []MapOption, fn func(Context, int)) {
	m := mapping{limit: inFlight}
	for _, o := range opts {
		o.setMap(&m)
	}
	if m.limit < 1 {
		panic(stall("the Limit of Map is %d, want 1 or more", m.limit))
	}
	next, open := 0, &Pending{}
	workers := min(m.limit, n)
	left := workers
	for range workers {
		Go(ctx, func(ctx Context) {
			for next < n && ctx.Err() == nil {
				i := next
				next++
				fn(ctx, i)
			}
			if left--; left == 0 {
				open.Settle(history.Payload{}, nil)
			}
		})
	}
	for workers > 0 && !open.done { // also after the end of the scope: fn may still clean up
		ctx.run.driver.Change("waiting")
		ctx.run.spins = 0
		ctx.run.group.Wait(open.bell.For(forCoroutines))
	}
}
