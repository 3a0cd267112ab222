package eventstore

import "sync/atomic"

// Stats says how a Log has fared since it was opened.
type Stats struct {
	Appends         uint64 // that are stored, repetitions included
	Unknown         uint64 // tries of an append whose outcome was unknown and had to be settled
	Reconnects      uint64 // turns from one node to another
	Resubscriptions uint64 // of the subscription that feeds all who follow
	Stalls          uint64 // of these, because the server had gone silent though there was something to tell
	Followers       int
	CatchingUp      int // of these, read from the server because they are too far behind for what is kept in memory
	Lag             int // records that the slowest of the others has not taken yet
}

type counters struct{ appends, unknown, reconnects, resubscriptions, stalls atomic.Uint64 }

// Stats returns the figures as of now.
func (l *Log) Stats() Stats {
	s := Stats{
		Appends: l.counted.appends.Load(), Unknown: l.counted.unknown.Load(), Reconnects: l.counted.reconnects.Load(),
		Resubscriptions: l.counted.resubscriptions.Load(), Stalls: l.counted.stalls.Load(),
	}
	s.Followers, s.CatchingUp, s.Lag = l.ring.lag()
	return s
}
