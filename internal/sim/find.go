package sim

import (
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
)

// lookAtFind holds what a lookup finds against the runs that there are: all that were acknowledged before it was asked, and none that
// began after the run that asks.
func (j *judge) lookAtFind(at func() string, s *stream, e history.Entry) {
	switch v := e.Event.(type) {
	case *history.Started:
		clear(s.finds)
	case *history.FindAsked:
		s.finds[v.Step] = j.toBeFound(s)
	case *history.FindAnswered:
		least, most := s.finds[v.Step], j.toBeFound(s)
		if v.Refused != "" || int(v.Found) < least || int(v.Found) > most {
			j.w.wrong("%s: %d runs are found, of %d that there were and %d that there are %s", at(), v.Found, least, most, v.Refused)
		}
		var rows []query.Row
		if !v.Rows.Absent() && (v.Rows.Decode(&rows) != nil || len(rows) != int(v.Found)) {
			j.w.wrong("%s: the rows are not those that were found", at())
		}
		for _, r := range rows {
			if r.Run == s.state.Run.ID || r.Started.After(s.state.Run.Started) {
				j.w.wrong("%s: run %s of %s is found, which began at %s", at(), r.Run, r.ID, r.Started)
			}
		}
	}
}

// toBeFound is how many runs there are that a run which asks can find.
func (j *judge) toBeFound(asks *stream) (n int) {
	for _, other := range j.all {
		for _, e := range other.entries {
			if b, ok := e.Event.(*history.Started); ok && b.Run != asks.state.Run.ID && !e.At.After(asks.state.Run.Started) {
				n++
			}
		}
	}
	return n
}
