package eventstore

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/clewflow/clew/store"
)

// errStalled says that a subscription was given up because it was silent although there was something to tell.
var errStalled = errors.New("eventstore: the subscription was silent while the log grew")

// supervise feeds the ring from one subscription, and subscribes again whenever that ends, until the Log is closed.
func (l *Log) supervise() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stop := make(chan struct{})
	defer close(stop)
	l.running.Go(func() {
		select {
		case <-l.closing:
			cancel()
		case <-stop:
		}
	})
	s := &subscription{log: l}
	for try := 0; ; try++ {
		fed := s.fed.Load()
		err := s.run(ctx)
		if l.closed() {
			return
		}
		if s.fed.Load() != fed {
			try = 0
		}
		l.counted.resubscriptions.Add(1)
		if errors.Is(err, store.ErrDenied) || errors.Is(err, store.ErrCorrupt) {
			l.log.Error("the subscription to the log is refused", "err", err)
			l.ring.fail(err)
		} else {
			l.log.Warn("the subscription to the log has ended; it is taken up again", "err", err, "try", try)
		}
		atOnce := try == 0 && (errors.Is(err, errSlow) || errors.Is(err, errStalled))
		if !atOnce && !l.sleep(ctx, wait(try, 100*time.Millisecond, 10*time.Second)) {
			return
		}
	}
}

// subscription is the one subscription of a Log, over all its lives.
type subscription struct {
	log    *Log
	begun  bool
	resume store.Position // up to which everything is in the ring
	fed    atomic.Uint64  // deliveries
}

// run is one life of the subscription. It returns why it has ended.
func (s *subscription) run(ctx context.Context) error {
	l := s.log
	if !s.begun {
		// All that was there before is read by those who need it, as fast as they want it.
		head, err := l.head(ctx)
		if err != nil {
			return err
		}
		s.begun, s.resume = true, head
		l.ring.begin(head)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		s.watch(ctx, cancel)
	}()
	defer func() {
		cancel(nil)
		<-watching
	}()
	for d, err := range l.server.subscribeAll(ctx, s.resume) {
		if err != nil {
			if errors.Is(context.Cause(ctx), errStalled) {
				return errStalled
			}
			return err
		}
		s.fed.Add(1)
		if d.event != nil {
			if !d.event.system() {
				record, err := l.record(*d.event)
				l.ring.add(item{record, err, d.event.stream, d.event.revision}) // not if it was delivered before
			}
			s.advance(d.event.at)
		}
		s.advance(d.checkpoint)
	}
	return errStalled
}

// advance moves the place to resume from, which never moves back.
func (s *subscription) advance(to store.Position) {
	if isBehind(s.resume, to) {
		s.resume = to
	}
}

// watch ends the subscription if it is silent although the log has grown. A server can lose a subscription without ending the
// call, and a call can wait for its turn for ever; both look like a log in which nothing happens.
func (s *subscription) watch(ctx context.Context, end context.CancelCauseFunc) {
	l := s.log
	for {
		fed := s.fed.Load()
		if !l.sleep(ctx, l.opts.quiet) {
			return
		}
		if s.fed.Load() != fed {
			continue
		}
		head, err := l.head(ctx)
		if err != nil || !isBehind(l.ring.newest(), head) {
			continue
		}
		if !l.sleep(ctx, l.opts.grace) {
			return
		}
		if s.fed.Load() == fed && isBehind(l.ring.newest(), head) {
			l.counted.stalls.Add(1)
			l.log.Warn("the subscription to the log is silent although the log has grown; it is given up", "newest", l.ring.newest(), "head", head)
			end(errStalled)
			return
		}
	}
}
