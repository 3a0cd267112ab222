package esdbtest

import (
	"context"
	"slices"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// subscription is one of a stream or of $all.
type subscription struct {
	n     *node
	o     *streams.ReadReq_Options
	call  streams.Streams_ReadServer
	match func(*Event) bool
	fault Fault

	again   *Event // that it repeats; nil: none
	next    uint64 // position of the first event that was not looked at
	sent    int
	scanned int // since the last checkpoint
}

func (n *node) subscribe(o *streams.ReadReq_Options, match func(*Event) bool, call streams.Streams_ReadServer) error {
	name := string(o.GetStream().GetStreamIdentifier().GetStreamName())
	s := &subscription{n: n, o: o, call: call, match: match, fault: n.fault(Subscribe, name)}
	switch ctx := call.Context(); s.fault.Do {
	case FailBefore:
		return status.Error(codes.Unavailable, "Server Is Not Ready")
	case TimeOut:
		return status.Error(codes.Aborted, "Operation timed out: Read")
	case Hang:
		<-ctx.Done()
		return ctx.Err()
	case Delay:
		if err := pause(ctx, s.fault.For); err != nil {
			return err
		}
	}
	if name != "" {
		s.match = func(e *Event) bool { return e.Stream == name && (s.behind(e) || e == s.again) }
	}
	s.begin(name)
	err := call.Send(&streams.ReadResp{Content: &streams.ReadResp_Confirmation{
		Confirmation: &streams.ReadResp_SubscriptionConfirmation{SubscriptionId: uuid.NewString()},
	}})
	if err != nil {
		return err
	}
	return s.run(call.Context(), name)
}

// begin finds the event after the one from which on it is subscribed, and with [Repeat] the one before it.
func (s *subscription) begin(name string) {
	l := s.n.log
	l.mu.Lock()
	defer l.mu.Unlock()
	all := s.o.GetAll()
	switch {
	case all.GetPosition() != nil:
		s.next = all.GetPosition().GetCommitPosition() + 1
	case all.GetEnd() != nil, s.o.GetStream().GetEnd() != nil:
		s.next = l.end
		if seen := l.seen(s.n.leads() == s.n.index); seen < len(l.events) {
			s.next = l.events[seen].Position // what a follower has not is yet to come
		}
	}
	if s.fault.Do != Repeat {
		return
	}
	for _, e := range slices.Backward(l.events) {
		left := e.Position < s.next && s.match(e)
		if name != "" {
			left = e.Stream == name && (e.Position < s.next || !s.behind(e))
		}
		if left {
			s.again, s.next = e, min(s.next, e.Position)
			return
		}
	}
}

// behind reports whether an event of a stream is behind the revision from which on that is subscribed.
func (s *subscription) behind(e *Event) bool {
	r, ok := s.o.GetStream().GetRevisionOption().(*streams.ReadReq_Options_StreamOptions_Revision)
	return !ok || e.Revision > r.Revision
}

func (s *subscription) run(ctx context.Context, name string) error {
	l, live := s.n.log, false
	for {
		l.mu.Lock()
		i, seen := l.find(s.next), l.seen(s.n.leads() == s.n.index)
		batch := l.events[min(i, seen):seen]
		if len(batch) > 500 {
			batch = batch[:500]
		}
		ended := name != "" && l.streams[name] != nil && l.streams[name].tombstoned
		if l.grown == nil {
			l.grown = make(chan struct{})
		}
		grown := l.grown
		l.mu.Unlock()
		if err := s.deliver(ctx, batch); err != nil {
			return err
		}
		if len(batch) > 0 && i+len(batch) < seen {
			continue
		}
		if ended {
			return tombstoned(ctx, name)
		}
		if !live {
			live = true
			if err := s.call.Send(&streams.ReadResp{Content: &streams.ReadResp_CaughtUp_{CaughtUp: &streams.ReadResp_CaughtUp{}}}); err != nil {
				return err
			}
			if s.next > 0 && s.scanned > 0 {
				if err := s.checkpoint(s.next - 1); err != nil {
					return err
				}
			}
		}
		if len(batch) > 0 {
			continue // there may be more by now
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// deliver sends what matches, and checkpoints in between.
func (s *subscription) deliver(ctx context.Context, batch []*Event) error {
	every := int(s.o.GetFilter().GetMax() * s.o.GetFilter().GetCheckpointIntervalMultiplier())
	for _, e := range batch {
		s.next = e.Position + 1
		if s.match(e) {
			if err := s.spoil(ctx); err != nil {
				return err
			}
			if err := s.call.Send(e.answer(s.o)); err != nil {
				return err
			}
			s.sent++
		}
		if s.scanned++; every > 0 && s.scanned >= every {
			if err := s.checkpoint(e.Position); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *subscription) checkpoint(at uint64) error {
	s.scanned = 0
	if s.o.GetFilter() == nil {
		return nil
	}
	return s.call.Send(&streams.ReadResp{Content: &streams.ReadResp_Checkpoint_{
		Checkpoint: &streams.ReadResp_Checkpoint{CommitPosition: at, PreparePosition: at},
	}})
}

// spoil lets the subscription go wrong when its time has come.
func (s *subscription) spoil(ctx context.Context) error {
	if s.sent < s.fault.After {
		return nil
	}
	switch s.fault.Do {
	case Stall:
		<-ctx.Done()
		return ctx.Err()
	case Drop:
		return status.Error(codes.Aborted, "Operation timed out: dropped")
	case TooSlow:
		return status.Error(codes.Aborted, "Consumer too slow to handle event while live. Client resubscription required.")
	}
	return nil
}
