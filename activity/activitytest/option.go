package activitytest

import (
	"cmp"
	"slices"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/commands"
)

// Option says what surrounds an activity, or what happens to it.
type Option interface{ apply(*settings) }

type option func(*settings)

func (o option) apply(s *settings) { o(s) }

type settings struct {
	once        bool
	definitions []any
	options     []activity.Option
	execution   string
	headers     map[string]string
	attempt     int // of the first one made; 0: it follows from the rest
	checkpoint  any
	lastFailure error
	files       *Files
	cues        []cue
}

// cue is something that happens to the activity when time has passed.
type cue struct {
	after   time.Duration // since the activity was asked for
	happens func(*life)
}

// Use has the body of an activity that is only declared among definitions: bindings, or what a runtime is opened with.
func Use[D interface{ Definition() string }](definitions ...D) Option {
	return option(func(s *settings) {
		for _, d := range definitions {
			s.definitions = append(s.definitions, d)
		}
	})
}

// With has the activity called with options, as workflow.Do takes them.
func With(options ...activity.Option) Option {
	return option(func(s *settings) { s.options = append(s.options, options...) })
}

// Execution sets the workflow id that activity.Info tells. Default "test".
func Execution(id string) Option { return option(func(s *settings) { s.execution = id }) }

// Headers sets the headers of the run that activity.Info tells.
func Headers(h map[string]string) Option { return option(func(s *settings) { s.headers = h }) }

// Attempt sets the number of the first attempt made, from 1. Those before it have failed, just now.
func Attempt(number int) Option { return option(func(s *settings) { s.attempt = number }) }

// Checkpoint is the last one of an earlier attempt. So the first attempt made is number 2, unless [Attempt] says otherwise.
func Checkpoint(c any) Option { return option(func(s *settings) { s.checkpoint = c }) }

// LastFailure is how the attempt before has failed. So the first attempt made is number 2, unless [Attempt] says otherwise.
func LastFailure(err error) Option { return option(func(s *settings) { s.lastFailure = err }) }

// CancelAfter has the scope of the activity cancelled when d has passed since it was asked for. What follows is for
// activity.OnCancel to say.
func CancelAfter(d time.Duration) Option {
	return at(d, func(l *life) { _ = l.decide(commands.CancelActivity{Step: step}) })
}

// CloseAfter has the run of the activity closed when d has passed since it was asked for.
func CloseAfter(d time.Duration) Option {
	return at(d, func(l *life) { _ = l.decide(commands.Terminate{Reason: "activitytest.CloseAfter"}) })
}

// LoseAfter has the attempt that is in hand when d has passed taken for lost, as if its process had died: another is made at
// once, and the lost one learns from its context that it was taken over. The third in a row is the last.
func LoseAfter(d time.Duration) Option {
	return at(d, func(l *life) {
		for _, inHand := range l.queue.Facts(l.key.ID) {
			l.close(Lost, "")
			_ = l.decide(commands.LoseAttempt{Attempt: inHand})
		}
	})
}

func at(d time.Duration, happens func(*life)) Option {
	return option(func(s *settings) {
		s.cues = append(s.cues, cue{d, happens})
		slices.SortStableFunc(s.cues, func(a, b cue) int { return cmp.Compare(a.after, b.after) })
	})
}

// number is that of the first attempt made.
func (s *settings) number() int {
	switch {
	case s.attempt > 0:
		return s.attempt
	case s.checkpoint != nil, s.lastFailure != nil:
		return 2
	}
	return 1
}

// body finds the body of an activity: the one that is given, else its own.
func (s *settings) body(own any) activity.Body {
	body, _ := activity.BodyOf(own)
	for _, d := range s.definitions {
		if b, ok := activity.BodyOf(d); ok && b.Name == body.Name && b.Handler != nil {
			return b
		}
	}
	return body
}
