package lookup

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
)

// TestADeadlineThatWasHeldMoves, as that of the state does.
func TestADeadlineThatWasHeldMoves(t *testing.T) {
	dawn := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	in := func(hours float64) time.Time { return dawn.Add(time.Duration(hours * float64(time.Hour))) }
	id := history.ID{Namespace: "ns", Workflow: "w"}
	for name, events := range map[string][]history.Event{
		"that of the run":            {&history.Started{RunDeadline: in(1), Deadline: in(9)}, &history.Paused{LimitsHeld: true}, &history.Unpaused{Held: 2 * time.Hour, RunDeadline: in(3), Deadline: in(11)}},
		"that of the execution":      {&history.Started{Deadline: in(1)}, &history.Paused{LimitsHeld: true}, &history.Unpaused{Held: 2 * time.Hour, Deadline: in(3)}},
		"none":                       {&history.Started{}, &history.Paused{LimitsHeld: true}, &history.Unpaused{Held: 2 * time.Hour}},
		"one that was not held":      {&history.Started{RunDeadline: in(1), Deadline: in(9)}, &history.Paused{}, &history.Unpaused{}},
		"of a run that begins in it": {&history.Started{Queued: true, Deadline: in(9)}, &history.Paused{LimitsHeld: true}, &history.Begun{RunDeadline: in(2)}, &history.Unpaused{Held: 2 * time.Hour, RunDeadline: in(3), Deadline: in(11)}},
		"of a run that begins later": {&history.Started{Queued: true, Deadline: in(9)}, &history.Paused{LimitsHeld: true}, &history.Unpaused{Held: 2 * time.Hour, Deadline: in(11)}, &history.Begun{RunDeadline: in(10)}},
	} {
		s, r := new(history.State), new(run)
		for i, event := range events {
			e := history.Entry{Seq: uint64(i) + 1, At: in(float64(i)), Event: event}
			history.Seal(s.Hash, &e)
			s.Evolve(e)
			if i == 0 {
				r = begin(1, id, e, event.(*history.Started), nil, "")
			} else {
				r.evolve(e)
			}
			require.Equal(t, history.Nearest(s.Run.RunDeadline, s.Run.Deadline), r.Deadline, "%s, after %s", name, event.Kind())
		}
	}
}
