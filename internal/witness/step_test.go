package witness

import (
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
)

// A step is an activity as its attempts told of it.
type step struct {
	id, activity string
	begun        []attempt
	ends         map[string]int // stamps, and the number of the attempt
}

type attempt struct {
	number, from int
	life         *life
	ended        bool
}

type token struct {
	id, key, text string
	number        int
	demand        *demand
}

// judgeAttempts looks at what the attempts told of themselves.
func (w *witness) judgeAttempts(histories map[string][]history.Entry) {
	settled := w.settled(histories)
	for key, s := range w.attempts {
		if s.activity == single.Name() && len(s.begun) > 1 {
			w.wrong("%s of %s may be made once and was begun %d times\n%s", key, s.id, len(s.begun), written(histories[s.id]))
		}
		for i, a := range s.begun {
			if at, ok := settled[key]; !ok || at.Before(a.life.born) {
				w.wrong("attempt %d of %s (%s) was begun in process %d, which was born after its outcome was recorded", a.number, key, s.id, a.life.number)
			}
			for _, b := range s.begun[:i] {
				if a.number != b.number || b.life.asked && !(b.ended && b.life.closed) {
					continue // only a process that closes gives up an attempt that was no failure
				}
				w.wrong("attempt %d of %s (%s, %s) was begun in process %d (ended: %v) and again in process %d; nobody noted that it was lost\n%s",
					a.number, key, s.activity, s.id, b.life.number, b.ended, a.life.number, written(histories[s.id]))
			}
		}
	}
	w.judgeCheckpoints(histories)
}

// settled says when the outcome of each activity was recorded, or its run ended.
func (w *witness) settled(histories map[string][]history.Entry) map[string]time.Time {
	at := map[string]time.Time{}
	for _, entries := range histories {
		for _, run := range runsOf(entries) {
			s := history.Fold(run...)
			key := func(step history.Step) string { return fmt.Sprintf("%s/%d", s.Run.ID, step) }
			for _, e := range run {
				switch v := e.Event.(type) {
				case *history.ActivityScheduled:
					at[key(v.Step)] = s.Run.Closed
				case *history.ActivityCompleted:
					at[key(v.Step)] = e.At
				case *history.ActivityFailed:
					at[key(v.Step)] = e.At
				case *history.ActivityTimedOut:
					at[key(v.Step)] = e.At
				case *history.ActivityCancelled:
					at[key(v.Step)] = e.At
				}
			}
		}
	}
	return at
}

// judgeCheckpoints asks whether attempts went on from where those before them are recorded to have been.
func (w *witness) judgeCheckpoints(histories map[string][]history.Entry) {
	for _, entries := range histories {
		for _, run := range runsOf(entries) {
			id := history.Fold(run...).Run.ID
			for _, e := range run {
				v, ok := e.Event.(*history.Heartbeat)
				if !ok || v.Checkpoint.Absent() {
					continue
				}
				var at int
				require.NoError(w.t, v.Checkpoint.Decode(&at))
				s := w.attempts[fmt.Sprintf("%s/%d", id, v.Step)]
				for _, a := range s.begun {
					if a.number > v.Attempt && a.from < at {
						w.wrong("attempt %d of %s went on from %d, and attempt %d is recorded to have reached %d", a.number, s.id, a.from, v.Attempt, at)
					}
				}
			}
		}
	}
}
