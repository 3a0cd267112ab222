package eventstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/clewflow/clew/store"
)

// The time between two tries rises from one to the other, and is chosen by chance between a half and the whole of it, so
// that those who lost the same server do not come back to it at the same moment.
const (
	shortest = 50 * time.Millisecond
	longest  = 2 * time.Second
)

func wait(try int, shortest, longest time.Duration) time.Duration {
	d := longest
	if try < 16 {
		d = min(shortest<<try, longest)
	}
	return d/2 + rand.N(d/2+1)
}

// pause waits before the next try. ok is false if there is to be none, because ctx has ended or the Log was closed.
func (l *Log) pause(ctx context.Context, try int) (ok bool) {
	return l.sleep(ctx, wait(try, shortest, longest))
}

func (l *Log) sleep(ctx context.Context, d time.Duration) (ok bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return l.usable(ctx) == nil
	case <-ctx.Done():
	case <-l.closing:
	}
	return false
}

// again does something until it comes to an end. What failed but certainly changed nothing is tried again for as long as
// Options.Patience; what may have changed something is settled by doing it again, for as long as
// Options.Settle, because not finding it would prove nothing while it may still be on its way.
func (l *Log) again(ctx context.Context, do func(context.Context) error) error {
	if err := l.usable(ctx); err != nil {
		return err
	}
	var unknown error // of the last try that may have had an effect
	begun := time.Now()
	for try := 0; ; try++ {
		err := l.try(ctx, do)
		switch {
		case err == nil, errors.Is(err, store.ErrConflict):
			return err // certain, whatever became of the tries before
		case errors.Is(err, store.ErrUnknownOutcome):
			unknown = err
			l.counted.unknown.Add(1)
		case !errors.Is(err, store.ErrUnavailable):
			if unknown != nil {
				return errors.Join(unknown, err)
			}
			return err
		}
		if l.closed() {
			return closedWith(unknown)
		}
		if ctx.Err() != nil {
			return ended(ctx, unknown)
		}
		if unknown == nil && (time.Since(begun) > l.opts.Patience || errors.Is(err, errHandshake)) {
			return err
		}
		if unknown != nil && time.Since(begun) > l.opts.Settle {
			return fmt.Errorf("%w; it was repeated for %s", unknown, l.opts.Settle)
		}
		if errors.Is(err, errElsewhere) && try == 0 {
			continue
		}
		if !l.pause(ctx, try) {
			if l.closed() {
				return closedWith(unknown)
			}
			return ended(ctx, unknown)
		}
	}
}

// try does something once, within the time that one try may take.
func (l *Log) try(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, l.tryTime)
	defer cancel()
	return do(ctx)
}

func (l *Log) closed() bool {
	select {
	case <-l.closing:
		return true
	default:
		return false
	}
}

func closedWith(unknown error) error {
	if unknown != nil {
		return errors.Join(unknown, store.ErrClosed)
	}
	return store.ErrClosed
}
