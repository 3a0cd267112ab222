package activity

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
)

// Option changes how long an activity may take and what follows when it fails: at the definition, or for one call.
// Unset is inherited: from the definition, then from clew.
type Option interface{ set(*Settings) }

type option func(*Settings)

func (o option) set(s *Settings) { o(s) }

// Settings are options, gathered. They are for package workflow.
type Settings struct {
	base       history.Policy // zero is unset
	queue      string
	neverRetry []error
	limit      history.Rule // of definitions
	limited    bool
	keyOf      func(any) (string, error)
	err        error // what is wrong with an option
}

// NoTimeout, given to [StartToClose], lets an attempt take as long as it keeps beating. It needs [HeartbeatWithin].
const NoTimeout time.Duration = math.MaxInt64

// StartToClose bounds one attempt, from its start. Default 10 min; none for an attempt that has to beat, see
// [HeartbeatWithin]. The default does not bound what goes on outside after [Pending].
func StartToClose(d time.Duration) Option {
	return option(func(s *Settings) { override(&s.base.StartToClose, d) })
}

// ScheduleToClose bounds all attempts and the waiting between. Default 24 h. An attempt that fails when there is no time left
// for another is the last one, and its failure is the activity's: an [ErrTimeout] is only one that was still going on.
func ScheduleToClose(d time.Duration) Option {
	return option(func(s *Settings) { override(&s.base.ScheduleToClose, d) })
}

// ScheduleToStart bounds the time until somebody takes the first attempt. Default none.
func ScheduleToStart(d time.Duration) Option {
	return option(func(s *Settings) { override(&s.base.ScheduleToStart, d) })
}

// HeartbeatWithin bounds the silence of one attempt. Default none.
func HeartbeatWithin(d time.Duration) Option {
	return option(func(s *Settings) { override(&s.base.Heartbeat, d) })
}

// Queue names the queue from which workers take the activity. Default: the one that every node serves.
func Queue(name string) Option { return option(func(s *Settings) { override(&s.queue, name) }) }

// MaxAttempts bounds the number of attempts; it counts the first, so 1 is no retry. An activity with one attempt is never
// made twice, not even after a crash.
func MaxAttempts(n int) Option { return Retry{MaxAttempts: n} }

// NeverRetry names errors after which there is no further attempt, wherever in the chain they are: errors of [NewError],
// or a value of a registered type.
func NeverRetry(errs ...error) Option {
	return option(func(s *Settings) { s.neverRetry = append(slices.Clone(s.neverRetry), errs...) })
}

// Then says what follows when an attempt takes too long.
type Then = history.Then

// What follows when an attempt takes too long. The limits from scheduling on are always told to the workflow.
const (
	ThenRetry   = history.ThenRetry   // default
	ThenReturn  = history.ThenReturn  // tell the workflow at once
	ThenFailRun = history.ThenFailRun // close the run as timed out
	ThenAlert   = history.ThenAlert   // note it, and let the attempt go on
)

// OnTimeout says what follows when an attempt takes too long.
func OnTimeout(then Then) Option {
	return option(func(s *Settings) { override(&s.base.OnTimeout, then) })
}

// Cancel says what happens to an activity when its scope is cancelled.
type Cancel = history.Cancel

// What happens to an activity when its scope is cancelled.
const (
	TryCancel     = history.TryCancel     // default: ask it to stop, do not wait
	WaitCancelled = history.WaitCancelled // ask it to stop, and wait for how it ends
	LeaveRunning  = history.LeaveRunning
)

// OnCancel says what happens to the activity when its scope is cancelled.
func OnCancel(c Cancel) Option {
	return option(func(s *Settings) { override(&s.base.OnCancel, c) })
}

// Backoff says how the delays between attempts grow.
type Backoff = history.Backoff

// How delays grow: Initial·Factor^(n−1), Initial·Factor·n, Initial.
const (
	Exponential = history.Exponential // default
	Linear      = history.Linear
	Fixed       = history.Fixed
)

// NoJitter and NoCap are for the fields of [Retry] in which zero means the default.
const (
	NoJitter float64       = -1
	NoCap    time.Duration = -1
)

// Retry is an [Option]; it is merged field by field, zero is unset.
type Retry struct {
	MaxAttempts int           // counts the first; default: as many as ScheduleToClose allows
	Backoff     Backoff       // default Exponential
	Initial     time.Duration // default 1 s
	Factor      float64       // default 2
	Max         time.Duration // of one delay; default 1 min
	Jitter      float64       // share by which a delay may be longer or shorter; default 0.2
}

func (r Retry) set(s *Settings) {
	p := &s.base.Retry
	override(&p.MaxAttempts, r.MaxAttempts)
	override(&p.Backoff, r.Backoff)
	override(&p.Initial, r.Initial)
	override(&p.Factor, r.Factor)
	override(&p.Max, r.Max)
	override(&p.Jitter, r.Jitter)
}

func override[T comparable](into *T, v T) {
	var unset T
	if v != unset {
		*into = v
	}
}

func (s *Settings) apply(opts []Option) {
	for _, o := range opts {
		o.set(s)
	}
}

// defaults of clew. What is recorded is written against history.StandardPolicy, which never changes; these may.
var defaults = history.Policy{
	StartToClose:    10 * time.Minute,
	Assumed:         true,
	ScheduleToClose: 24 * time.Hour,
	Retry: history.Retry{
		Backoff: history.Exponential, Initial: time.Second, Factor: 2, Max: time.Minute, Jitter: 0.2,
	},
	OnTimeout: history.ThenRetry,
	OnCancel:  history.TryCancel,
}

// policy resolves s against clew's defaults.
func (s *Settings) policy() (*history.Policy, error) {
	p, set := defaults, s.base
	override(&p.ScheduleToStart, set.ScheduleToStart)
	override(&p.StartToClose, set.StartToClose)
	override(&p.ScheduleToClose, set.ScheduleToClose)
	override(&p.Heartbeat, set.Heartbeat)
	override(&p.OnTimeout, set.OnTimeout)
	override(&p.OnCancel, set.OnCancel)
	override(&p.Retry.MaxAttempts, set.Retry.MaxAttempts)
	override(&p.Retry.Backoff, set.Retry.Backoff)
	override(&p.Retry.Initial, set.Retry.Initial)
	override(&p.Retry.Factor, set.Retry.Factor)
	override(&p.Retry.Max, set.Retry.Max)
	override(&p.Retry.Jitter, set.Retry.Jitter)
	if p.Assumed = set.StartToClose == 0; p.Assumed && p.Heartbeat > 0 {
		p.StartToClose = 0 // an attempt that beats may take as long as it beats
	}
	if set.Retry.Max == 0 {
		p.Retry.Max = max(p.Retry.Max, p.Retry.Initial) // the default cap is no reason to refuse a longer first delay
	}
	if p.Retry.Max == NoCap {
		p.Retry.Max = 0
	}
	if p.Retry.Jitter == NoJitter {
		p.Retry.Jitter = 0
	}
	if p.StartToClose == NoTimeout {
		p.StartToClose = 0
	}
	for _, err := range s.neverRetry {
		code := codeOf(err)
		if code == "" {
			return nil, &commands.Invalid{Field: "NeverRetry", Value: fmt.Sprint(err), Want: "an error of NewError or of a registered type"}
		}
		p.NeverRetry = append(p.NeverRetry, code)
	}
	p.Admission = set.Admission
	p.From = history.Sources{Recorded: true, Definition: s.says()}
	return &p, errors.Join(s.err, check(&p, s.queue), checkAdmission(&p.Admission))
}

// says are the fields that s sets.
func (s *Settings) says() history.Fields {
	said := s.base.Says()
	if len(s.neverRetry) > 0 {
		said |= history.NeverRetryField
	}
	if s.queue != "" {
		said |= history.QueueField
	}
	return said
}

func check(p *history.Policy, queue string) error {
	invalid := func(field string, value any, want string) error {
		return &commands.Invalid{Field: field, Value: fmt.Sprint(value), Want: want}
	}
	var errs []error
	for _, d := range []struct {
		field string
		value time.Duration
	}{
		{"ScheduleToStart", p.ScheduleToStart}, {"StartToClose", p.StartToClose}, {"ScheduleToClose", p.ScheduleToClose},
		{"HeartbeatWithin", p.Heartbeat}, {"Retry.Initial", p.Retry.Initial}, {"Retry.Max", p.Retry.Max},
	} {
		errs = append(errs, commands.CheckDuration(d.field, d.value))
	}
	r := p.Retry
	switch {
	case p.StartToClose == 0 && p.Heartbeat == 0:
		errs = append(errs, invalid("StartToClose", "NoTimeout", "HeartbeatWithin with it, so that a dead attempt is noticed"))
	case r.MaxAttempts < 0:
		errs = append(errs, invalid("MaxAttempts", r.MaxAttempts, "1 or more"))
	case r.Factor < 1 && r.Backoff != history.Fixed || math.IsNaN(r.Factor) || math.IsInf(r.Factor, 0):
		errs = append(errs, invalid("Retry.Factor", r.Factor, "1 or more"))
	case !(r.Jitter >= 0 && r.Jitter <= 1):
		errs = append(errs, invalid("Retry.Jitter", r.Jitter, "0 to 1, or NoJitter"))
	case r.Max > 0 && r.Max < r.Initial:
		errs = append(errs, invalid("Retry.Max", r.Max, "no less than Retry.Initial, "+r.Initial.String()))
	case !slices.Contains([]history.Backoff{history.Exponential, history.Linear, history.Fixed}, r.Backoff):
		errs = append(errs, invalid("Retry.Backoff", r.Backoff, "Exponential, Linear or Fixed"))
	case !slices.Contains([]history.Then{ThenRetry, ThenReturn, ThenFailRun, ThenAlert}, p.OnTimeout):
		errs = append(errs, invalid("OnTimeout", p.OnTimeout, "ThenRetry, ThenReturn, ThenFailRun or ThenAlert"))
	case !slices.Contains([]history.Cancel{TryCancel, WaitCancelled, LeaveRunning}, p.OnCancel):
		errs = append(errs, invalid("OnCancel", p.OnCancel, "TryCancel, WaitCancelled or LeaveRunning"))
	}
	if queue != "" {
		errs = append(errs, commands.CheckName("Queue", queue))
	}
	return errors.Join(errs...)
}
