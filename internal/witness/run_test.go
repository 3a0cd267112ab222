package witness

import (
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
)

// A told run is what a run amounts to, put together without package history's own fold.
type toldRun struct {
	outcomes map[history.Step]int
	due      map[history.Step]time.Time
	steps    []history.Step // activities, in the order in which they were asked for
	names    []string       // of the activities
	results  map[history.Step]string
	signals  []string
	seqs     []uint64
}

// judgeRun looks for what may be there once at most, and holds what the code returned against what it was told.
func (w *witness) judgeRun(x *execution, run []history.Entry) {
	r := toldRun{outcomes: map[history.Step]int{}, due: map[history.Step]time.Time{}, results: map[history.Step]string{}}
	id := history.Fold(run...).Run.ID
	for i, e := range run {
		switch v := e.Event.(type) {
		case *history.Completed:
			if x.kind != relayKind { // of which the whole chain is judged
				w.judgeResult(x, &r, v)
			}
		case *history.Stalled:
			w.wrong("%s stalled at entry %d: %s\n%s", x.id, e.Seq, v.Reason, written(run))
		case *history.Signaled:
			var text string
			require.NoError(w.t, v.Value.Decode(&text))
			r.signals, r.seqs = append(r.signals, light(text)), append(r.seqs, e.Seq)
		case *history.ActivityScheduled:
			r.steps = append(r.steps, v.Step)
			r.names = append(r.names, v.Name)
		case *history.ActivityCompleted:
			w.judgeCompleted(x, id, &r, v)
			r.outcomes[v.Step]++
		case *history.ActivityFailed:
			r.outcomes[v.Step]++
		case *history.ActivityTimedOut:
			r.outcomes[v.Step]++
		case *history.ActivityCancelled:
			r.outcomes[v.Step]++
		case *history.ChildClosed:
			r.outcomes[v.Step]++
		case *history.ChildRefused:
			r.outcomes[v.Step]++
		case *history.Sent:
			r.outcomes[v.Step]++
		case *history.TimerStarted:
			r.due[v.Step] = v.Due
		case *history.TimerCancelled:
			r.outcomes[v.Step]++
		case *history.TimerFired:
			r.outcomes[v.Step]++
			if e.At.Before(r.due[v.Step]) {
				w.wrong("%s: the timer of step %d fired at %s and was due at %s", x.id, v.Step, e.At, r.due[v.Step])
			}
		}
		if closes(e.Event) && i < len(run)-1 {
			w.wrong("%s: %s follows the end of run %s", x.id, run[i+1], id)
		}
	}
	if x.kind == tripKind {
		w.judgeTrip(x, &r, run)
	}
	for step, n := range r.outcomes {
		if n > 1 {
			w.wrong("%s: step %d of run %s has %d outcomes\n%s", x.id, step, id, n, written(run))
		}
	}
}

// judgeTrip: of a trip that did not come to its end, everything that was booked is undone, and nothing else.
func (w *witness) judgeTrip(x *execution, r *toldRun, run []history.Entry) {
	if _, cut := run[len(run)-1].Event.(*history.Terminated); cut {
		return
	}
	booked, undone := 0, 0
	for i, name := range r.names {
		_, done := r.results[r.steps[i]]
		switch {
		case name == undoing.Name():
			undone++
		case done:
			booked++
		}
	}
	if want := booked % 3; undone != want {
		w.wrong("%s: %d were booked and %d undone\n%s", x.id, booked, undone, written(run))
	}
}

func closes(e history.Event) bool {
	switch e.(type) {
	case *history.Completed, *history.Continued, *history.Failed, *history.Cancelled, *history.Terminated, *history.TimedOut:
		return true
	}
	return false
}

// judgeCompleted asks whether the attempt whose result is recorded was made and gave that result.
func (w *witness) judgeCompleted(x *execution, run string, r *toldRun, v *history.ActivityCompleted) {
	var stamp string
	require.NoError(w.t, v.Result.Decode(&stamp))
	r.results[v.Step] = stamp
	key := fmt.Sprintf("%s/%d", run, v.Step)
	s := w.attempts[key]
	if s == nil {
		w.wrong("%s: step %d is completed, and no attempt of %s was ever begun", x.id, v.Step, key)
		return
	}
	if s.activity == outside.Name() {
		sent := func(k *token) bool {
			return k.key == key && k.number == v.Attempt && k.demand != nil && k.demand.Value == stamp
		}
		if !slices.ContainsFunc(w.tokens, sent) {
			w.wrong("%s: step %d is completed from outside with %q, which nobody sent for attempt %d", x.id, v.Step, stamp, v.Attempt)
		}
		return
	}
	if !genuine(stamp) {
		w.wrong("%s: the result of step %d is spoilt", x.id, v.Step)
	}
	if number, ok := s.ends[light(stamp)]; !ok || number != v.Attempt {
		w.wrong("%s: step %d is completed by attempt %d with %q; attempts ended with %v", x.id, v.Step, v.Attempt, stamp, s.ends)
	}
}

// judgeResult holds what the code returned against what it was told.
func (w *witness) judgeResult(x *execution, r *toldRun, v *history.Completed) {
	var out outcome
	require.NoError(w.t, v.Result.Decode(&out))
	all := slices.Clone(out.Notes)
	for _, seq := range v.Unread {
		if i := slices.Index(r.seqs, seq); i >= 0 {
			all = append(all, r.signals[i])
		}
	}
	if !slices.Equal(all, r.signals) {
		w.wrong("%s received the signals %q and left %v unread; in its history are %q at %v", x.id, out.Notes, v.Unread, r.signals, r.seqs)
	}
	slices.Sort(r.steps)
	var recorded, returned []string
	for _, step := range r.steps {
		if stamp, ok := r.results[step]; ok {
			recorded = append(recorded, stamp)
		}
	}
	for _, stamp := range out.Stamps {
		if stamp != "" {
			returned = append(returned, stamp)
		}
	}
	if !slices.Equal(recorded, returned) {
		w.wrong("%s: its activities returned %q, and the code got %q", x.id, recorded, returned)
	}
}
