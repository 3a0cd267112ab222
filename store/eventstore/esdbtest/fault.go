package esdbtest

import (
	"context"
	"strings"
	"time"
)

// The calls that can be told to go wrong.
const (
	Append    = "append"
	Read      = "read"
	Subscribe = "subscribe"
	Features  = "features" // by which clients begin
)

// Action is what goes wrong.
type Action uint8

// Actions.
const (
	FailBefore     Action = iota + 1 // nothing is stored, and the connection seems lost
	TimeOut                          // nothing is stored, and the server says that it has timed out
	Hang                             // nothing is stored, and nothing is answered
	CommitThenFail                   // it is stored, and the connection seems lost
	CommitThenHang                   // it is stored, and nothing is answered
	CommitThenCut                    // it is stored, and all connections of the node are cut
	CommitLate                       // it seems lost and is stored later: with [Server.Arrive], or after For
	Delay                            // it is begun after For, and answered
	Stall                            // a subscription delivers nothing any more after After events, and does not end
	Drop                             // a subscription ends with an error after After events
	TooSlow                          // a subscription ends as one whose reader is too slow
	Repeat                           // a subscription begins with the last event that it should have left out
)

// Fault is something that goes wrong.
type Fault struct {
	Do     Action
	On     string        // which calls; empty: [Append], or [Subscribe] for what only subscriptions do
	Stream string        // only for streams whose names begin so
	From   int           // the first of those calls, from 1; 0: the first
	Times  int           // how many of them; 0: all from then on
	For    time.Duration // see the Actions
	After  int           // events

	seen int
}

// Inject lets something go wrong from now on. Of several faults that a call meets the first counts.
func (s *Server) Inject(f Fault) {
	if f.On == "" {
		f.On = Append
		if f.Do >= Stall {
			f.On = Subscribe
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// Heal ends all faults. What is late stays so.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// Arrive stores what is late.
func (s *Server) Arrive() {
	s.mu.Lock()
	late := s.late
	s.late = nil
	s.mu.Unlock()
	for _, commit := range late {
		commit()
	}
}

// fault is what is to go wrong with a call; its zero value is nothing.
func (s *Server) fault(on, stream string) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[on]++
	var met Fault
	for _, f := range s.faults {
		if f.On != on || !strings.HasPrefix(stream, f.Stream) {
			continue
		}
		f.seen++
		if first := max(f.From, 1); met.Do == 0 && f.seen >= first && (f.Times == 0 || f.seen < first+f.Times) {
			met = *f
		}
	}
	return met
}

// pause waits, for the Action [Delay]. The error is that of ctx if it ends first.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
