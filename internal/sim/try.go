package sim

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
)

// try is what the log says of the attempts of an activity.
type try struct {
	asked      *history.ActivityScheduled
	since      time.Time       // when that was, or when its limits began anew
	held       time.Duration   // for how long pauses have held its limits since
	policy     *history.Policy // by which it is made now
	promised   int             // the number of an attempt that was to be made when a rule allowed fewer
	over       history.Serial  // of the last attempt that is over
	failed     int             // the number of the last attempt that has failed
	retry      time.Time       // when the next may be made
	checkpoint history.Payload
	kept       time.Time // when the checkpoint came
}

// lookAtTry looks at what an entry says of an attempt.
func (j *judge) lookAtTry(at func() string, s *stream, e history.Entry) {
	if v, ok := e.Event.(*history.ActivityScheduled); ok {
		s.tries[v.Step] = &try{asked: v, since: e.At, policy: v.Policy}
		return
	}
	if v, ok := e.Event.(*history.ActivityChanged); ok && v.Reset && s.tries[v.Step] != nil {
		s.tries[v.Step].since, s.tries[v.Step].held = e.At, 0
	}
	if v, ok := e.Event.(*history.PolicyApplied); ok {
		j.lookAtApplied(at, s, e, v)
		return
	}
	if v, ok := e.Event.(*history.TimedOut); ok {
		j.lookAtEnd(at, s, v)
		return
	}
	of, limit, reported := tried(e.Event)
	t := s.tries[of.Step]
	if t == nil {
		return
	}
	byHand := e.Request != "" || of.Serial == 0 // an operator speaks for no attempt
	if reported && !byHand && of.Serial <= t.over {
		j.w.wrong("%s: attempt %d was over before", at(), of.Serial)
	}
	if most := t.policy.Retry.MaxAttempts; most > 0 && of.Attempt > max(most, t.promised) {
		j.w.wrong("%s: attempt %d of at most %d", at(), of.Attempt, most)
	}
	if limit != "" {
		j.lookAtLimit(at, s, e, of, limit)
		j.lookAtHeld(at, s, e, of, limit)
	}
	switch v := e.Event.(type) {
	case *history.AttemptFailed:
		t.over, t.failed, t.retry = max(t.over, of.Serial), of.Attempt, v.RetryAt
		t.keep(v.Checkpoint)
		if least := t.policy.Retry.Initial / 2; !j.w.isWrongInTime() && v.RetryAt.Sub(e.At) < least {
			j.w.wrong("%s: the next attempt is to be made at %s, less than %s later", at(), v.RetryAt, least)
		}
	case *history.AttemptLost:
		t.over = max(t.over, of.Serial)
	case *history.Heartbeat:
		t.keep(v.Checkpoint)
	}
}

func (t *try) keep(checkpoint history.Payload) {
	if !checkpoint.Absent() {
		t.checkpoint, t.kept = checkpoint, time.Now()
	}
}

// tried is the attempt that an event speaks of, the limit that it has passed, and whether whoever made it has reported.
func tried(e history.Event) (of history.Try, limit string, reported bool) {
	switch v := e.(type) {
	case *history.ActivityCompleted:
		return v.Try, "", true
	case *history.ActivityFailed:
		return v.Try, "", true
	case *history.AttemptFailed:
		return v.Try, v.Limit, v.Limit == ""
	case *history.ActivityTimedOut:
		return v.Try, v.Limit, false
	case *history.AttemptLost:
		return v.Try, "", false
	case *history.AttemptStarted:
		return v.Try, "", true
	case *history.Heartbeat:
		return v.Try, "", true
	}
	return of, "", false
}

// lookAtLimit holds a limit that is said to have passed against the signs of life that whoever makes the attempt has given.
func (j *judge) lookAtLimit(at func() string, s *stream, e history.Entry, of history.Try, limit string) {
	life := j.w.alive()
	if life == nil || j.w.isWrongInTime() || limit != history.HeartbeatLimit {
		return
	}
	within := s.tries[of.Step].policy.Heartbeat
	if beat := life.hands.beat(s.state.Run.ID, of, e.At); !beat.IsZero() && e.At.Sub(beat) < within {
		j.w.wrong("%s: its attempt gave a sign of life %s before, and may take %s for the next", at(), e.At.Sub(beat), within)
	}
}

// begins looks at an attempt that somebody is about to make.
func (j *judge) begins(info activity.Attempt, now time.Time, checkpoint int, resumes bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.of(idOf(info.Execution))
	t := s.tries[history.Step(info.Step)]
	switch {
	case s.state.Run.ID != info.Run && j.begun[info.Run]: // it is over; so will this attempt be
	case s.state.Run.ID != info.Run || t == nil:
		j.w.wrong("attempt %d of step %d of %s is made, and nobody has asked for it", info.Number, info.Step, info.Execution)
	case s.state.Pause != nil && time.Since(s.paused) > j.w.patience():
		j.w.wrong("attempt %d of step %d of %s is begun, which is paused since entry %d", info.Number, info.Step, info.Execution, s.state.Pause.Seq)
	case j.isHalted(&s.state):
		j.w.wrong("attempt %d of step %d of %s is begun, whose workflow is halted since version %d of the policies", info.Number, info.Step, info.Execution, j.rules.Version)
	case info.Number <= t.failed: // it has just failed, and not everybody knows
	case now.Before(t.retry):
		j.w.wrong("attempt %d of step %d of %s is made at %s, and was to be at %s", info.Number, info.Step, info.Execution, now, t.retry)
	case j.w.nodes > 0 && time.Since(t.kept) <= longest: // an attempt that was interrupted has left it, and may not have been told that it is in the log
	case !t.checkpoint.Absent():
		var last int
		if err := t.checkpoint.Decode(&last); err != nil || !resumes || checkpoint < last { // a later one may be on its way to the log
			j.w.wrong("attempt %d of step %d of %s goes on at checkpoint %d (%t), and the last in the log was %d", info.Number, info.Step, info.Execution, checkpoint, resumes, last)
		}
	}
}

// isOpenStep reports whether the log has no outcome of an activity.
func (j *judge) isOpenStep(info activity.Attempt) bool {
	s := j.of(idOf(info.Execution))
	return s.state.Run.ID == info.Run && s.state.Activities[history.Step(info.Step)] != nil
}

// hands are the attempts that a process makes.
type hands struct {
	mu  sync.Mutex
	all map[*hand]bool
}

type hand struct {
	ctx   context.Context
	info  activity.Attempt
	key   string
	beats []time.Time // by the clock of the world
}

func (h *hands) take(ctx context.Context, info activity.Attempt, key string) *hand {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.all == nil {
		h.all = map[*hand]bool{}
	}
	one := &hand{ctx: ctx, info: info, key: key}
	h.all[one] = true
	return one
}

func (h *hands) leave(one *hand) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.all, one)
}

func (h *hands) beats(one *hand) {
	h.mu.Lock()
	defer h.mu.Unlock()
	one.beats = append(one.beats, time.Now())
}

// beat is the last sign of life that an attempt has given before a moment, zero if it is not in hand.
func (h *hands) beat(run string, of history.Try, by time.Time) (last time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for one := range h.all {
		if one.info.Run != run || one.info.Step != uint64(of.Step) || one.info.Number != of.Attempt {
			continue
		}
		for _, beat := range one.beats {
			if beat.Before(by) && beat.After(last) {
				last = beat
			}
		}
	}
	return last
}

// inHand are the attempts that are made now, in the order of their places.
func (h *hands) inHand() []*hand {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.SortedFunc(maps.Keys(h.all), func(a, b *hand) int { return placeOf(a.info).Compare(placeOf(b.info)) })
}
