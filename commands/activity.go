package commands

import (
	"fmt"
	"slices"
	"time"

	"github.com/clewflow/clew/history"
)

// ScheduleActivity is the code's wish that an activity be done.
type ScheduleActivity struct {
	Step   history.Step
	Name   string
	Queue  string
	Input  history.Payload
	Policy *history.Policy
	Local  bool
	Watch  bool
}

func (c ScheduleActivity) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	if err := running(s); err != nil {
		return nil, err
	}
	return follows(&history.ActivityScheduled{Step: c.Step, Name: c.Name, Queue: c.Queue, Input: c.Input, Policy: c.Policy, Local: c.Local, Watch: c.Watch})
}

// CancelActivity is the code's wish that an activity end.
type CancelActivity struct{ Step history.Step }

func (c CancelActivity) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	if a := s.Activities[c.Step]; a == nil || a.CancelRequested {
		return nothing()
	}
	return follows(&history.ActivityCancelRequested{Step: c.Step})
}

// Attempt is what is known of an attempt in hand where it is in hand.
type Attempt struct {
	Run        string
	Step       history.Step
	Serial     history.Serial
	Started    time.Time
	Beat       time.Time       // last sign of life
	Checkpoint history.Payload // the last one
	Newest     history.Serial  // the newest serial handed out for this step, 0 if nobody here knows
	Node       string          // that has it in hand; empty where one process has the store to itself
}

// of returns the open activity that the attempt belongs to. An attempt speaks for its activity until a newer one has
// started.
func (t Attempt) of(s *history.State) (*history.Activity, error) {
	if s.Status == 0 {
		return nil, ErrNotFound
	}
	if s.Run.ID != t.Run {
		return nil, fmt.Errorf("%w: run %s is over", ErrStale, t.Run)
	}
	a := s.Activities[t.Step]
	switch {
	case a == nil && !s.Open():
		return nil, fmt.Errorf("%w: run %s is %s", ErrSettled, s.Run.ID, s.Status)
	case a == nil:
		return nil, fmt.Errorf("%w (step %d)", ErrSettled, t.Step)
	case t.Serial < a.Serial, t.Serial < t.Newest, t.Serial == a.Serial && a.Started.IsZero():
		return nil, fmt.Errorf("%w: %s is at attempt %d", ErrStale, a.Name, a.Attempt)
	}
	return a, nil
}

func (t Attempt) try(a *history.Activity) history.Try {
	started := t.Started
	if started.IsZero() {
		started = a.Started
	}
	return history.Try{Step: a.Step, Serial: t.Serial, Attempt: a.Attempt, Started: started}
}

// fresh is the attempt's checkpoint unless that is recorded already.
func (t Attempt) fresh(a *history.Activity) history.Payload {
	if t.Checkpoint.Sum == a.Checkpoint.Sum {
		return history.Payload{}
	}
	return t.Checkpoint
}

// last is the last checkpoint known, for the entry that tells the code how the activity ended: the code sees no other.
func (t Attempt) last(a *history.Activity) history.Payload {
	if t.Checkpoint.Absent() {
		return a.Checkpoint
	}
	return t.Checkpoint
}

// BeginAttempt records the start of an attempt before it is made, where somebody must know of it. Of several nodes that
// would begin one the first does.
type BeginAttempt struct{ Attempt }

func (c BeginAttempt) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	a, err := c.of(s)
	switch {
	case err != nil:
		return nil, err
	case c.Serial == a.Serial:
		return nothing() // it is recorded
	case c.Node != "" && !a.Started.IsZero():
		return nil, fmt.Errorf("%w: attempt %d of %s is in hand already", ErrStale, a.Attempt, a.Name)
	case c.Node != "" && s.Pause != nil:
		return nil, fmt.Errorf("%w: the execution is paused, so attempt %d of %s is not begun", ErrStale, a.Attempt, a.Name)
	case c.Node != "" && a.CancelRequested:
		return nil, fmt.Errorf("%w: %s is to end", ErrSettled, a.Name)
	}
	return follows(&history.AttemptStarted{Try: c.try(a), Node: c.Node})
}

// HandOver records the starts of attempts that are in hand where the execution no longer is: whoever works on it now makes no
// others. An attempt that is not in hand any more for the state is left out.
type HandOver struct{ Attempts []Attempt }

func (c HandOver) decide(s *history.State, _ time.Time) (events []history.Event, _ error) {
	for _, t := range c.Attempts {
		if a, err := t.of(s); err == nil && t.Serial != a.Serial && a.Started.IsZero() {
			events = append(events, &history.AttemptStarted{Try: t.try(a), Node: t.Node, Checkpoint: t.fresh(a)})
		}
	}
	return events, nil
}

// LeavePending records that an attempt goes on outside.
type LeavePending struct{ Attempt }

func (c LeavePending) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	a, err := c.of(s)
	if err != nil {
		return nil, err
	}
	if c.Serial == a.Serial && a.Pending {
		return nothing() // it is recorded
	}
	return follows(&history.AttemptStarted{Try: c.try(a), Pending: true, Checkpoint: c.fresh(a)})
}

// Beat records a sign of life and the last checkpoint of an attempt.
type Beat struct{ Attempt }

func (c Beat) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	a, err := c.of(s)
	if err != nil {
		return nil, err
	}
	if !c.Beat.After(a.Beat) {
		return nothing()
	}
	return c.beat(a)
}

// beat records the sign of life; news of an activity that the code watches are told to the code.
func (t Attempt) beat(a *history.Activity) ([]history.Event, error) {
	beat := history.Heartbeat{Try: t.try(a), Beat: t.Beat, Checkpoint: t.fresh(a)}
	if a.Watch && !beat.Checkpoint.Absent() {
		return follows(&history.ActivityProgressed{Heartbeat: beat})
	}
	return follows(&beat)
}

// CompleteActivity settles an activity with its result.
type CompleteActivity struct {
	Attempt
	Result history.Payload
}

func (c CompleteActivity) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	a, err := c.of(s)
	if err != nil {
		return nil, err
	}
	return follows(&history.ActivityCompleted{Try: c.try(a), Result: c.Result})
}

// FailActivity is the end of an attempt that failed. The policy says whether another follows. Where the code watches the activity
// and a checkpoint is new, only that follows, and the command is to be given again; see [Again].
type FailActivity struct {
	Attempt
	Failure    history.Payload
	Codes      []string      // of all registered errors in the chain
	Final      bool          // marked as not to be retried
	RetryAfter time.Duration // 0: as the policy says
	Dice       float64       // 0 up to 1, for the jitter
}

// Why no further attempt is made.
const (
	FinalNonRetryable = "non-retryable"
	FinalAttempts     = "attempts"
	FinalTime         = "time"
	FinalCrashed      = "crashed the worker"
)

func (c FailActivity) decide(s *history.State, now time.Time) ([]history.Event, error) {
	a, err := c.of(s)
	if err != nil {
		return nil, err
	}
	try := c.try(a)
	if a.CancelRequested {
		return follows(&history.ActivityCancelled{Try: try, Failure: c.Failure, Checkpoint: c.last(a)})
	}
	never := func(code string) bool { return slices.Contains(a.Policy.NeverRetry, code) }
	retryAt, final := next(s, a, now, c.RetryAfter, c.Dice)
	if c.Final || slices.ContainsFunc(c.Codes, never) {
		final = FinalNonRetryable
	}
	if final != "" {
		return follows(&history.ActivityFailed{Try: try, Failure: c.Failure, Checkpoint: c.last(a), Final: final})
	}
	failed := &history.AttemptFailed{Try: try, Failure: c.Failure, Checkpoint: c.fresh(a), RetryAt: retryAt}
	if a.Watch && !failed.Checkpoint.Absent() { // the code is told first how far it came; its answer may change what follows
		return follows(&history.ActivityProgressed{Heartbeat: history.Heartbeat{Try: try, Beat: later(c.Beat, a.Beat), Checkpoint: failed.Checkpoint}})
	}
	return follows(failed)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// next says when the attempt after the one in hand is to be made, or why there is none.
func next(s *history.State, a *history.Activity, now time.Time, retryAfter time.Duration, dice float64) (at time.Time, final string) {
	if most := a.Policy.Retry.MaxAttempts; most > 0 && a.Attempt >= most {
		return at, FinalAttempts
	}
	delay := retryAfter
	if delay <= 0 {
		delay = a.Policy.Retry.Delay(a.Attempt, dice)
	}
	if delay >= s.DeadlineAt(a, now).Sub(now) {
		return at, FinalTime
	}
	return now.Add(delay), ""
}

// LoseAttempt says that the process which had the attempt in hand died. The third in a row sets the activity aside.
type LoseAttempt struct{ Attempt }

const maxLost = 3

func (c LoseAttempt) decide(s *history.State, now time.Time) ([]history.Event, error) {
	a, err := c.of(s)
	if err != nil || a.Pending {
		return nil, err
	}
	try := c.try(a)
	final := ""
	switch most := a.Policy.Retry.MaxAttempts; {
	case a.CancelRequested:
		return follows(&history.ActivityCancelled{Try: try, Failure: a.LastFailure, Checkpoint: c.last(a)})
	case a.Lost+1 >= maxLost:
		final = FinalCrashed
	case most > 0 && a.Attempt >= most:
		final = FinalAttempts
	}
	if final != "" {
		lost := history.Failure{Message: "the process that made the attempt died"}
		return follows(&history.ActivityFailed{Try: try, Failure: lost.Payload(), Checkpoint: c.last(a), Final: final})
	}
	return follows(&history.AttemptLost{Try: try})
}

// SettleCancelled settles an activity that was asked to end and that nobody has in hand.
type SettleCancelled struct{ Attempt }

func (c SettleCancelled) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	a := s.Activities[c.Step]
	if a == nil || !a.CancelRequested || s.Run.ID != c.Run {
		return nothing()
	}
	try := history.Try{Step: a.Step, Serial: a.Serial, Attempt: a.Attempt}
	return follows(&history.ActivityCancelled{Try: try, Failure: a.LastFailure, Checkpoint: a.Checkpoint})
}

// ChangeActivity has an activity that is not settled made at once, with another input if one is given, and with all its attempts if Reset.
// One that is in hand is not changed.
type ChangeActivity struct {
	Step   history.Step
	Input  history.Payload // absent: as it is
	Reset  bool            // attempts and limits begin anew
	Reason string
	InHand bool // an attempt is under way; only the shell knows
}

func (c ChangeActivity) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	a, err := unsettled(s, c.Step)
	switch {
	case err != nil:
		return nil, err
	case a.CancelRequested:
		return nil, fmt.Errorf("%w: %s is to end", ErrSettled, a.Name)
	case c.InHand || !a.Started.IsZero():
		return nil, fmt.Errorf("%w: attempt %d of %s is under way; give its outcome, or wait for it", ErrStale, a.Attempt, a.Name)
	}
	return follows(&history.ActivityChanged{Step: c.Step, Input: c.Input, Reset: c.Reset, Reason: c.Reason})
}

// FinalOperator: an operator has let the activity fail.
const FinalOperator = "operator"

// GiveOutcome settles an activity by hand. What is in hand of it is cancelled.
type GiveOutcome struct {
	Step    history.Step
	Result  history.Payload
	Failure history.Payload // absent: it completed
	Reason  string
	Newest  history.Serial // handed out for this step, 0 if nobody here knows
}

func (c GiveOutcome) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	a, err := unsettled(s, c.Step)
	if err != nil {
		return nil, err
	}
	try := history.Try{Step: a.Step, Serial: max(a.Serial, c.Newest), Attempt: a.Attempt, Started: a.Started}
	if !c.Failure.Absent() {
		return follows(&history.ActivityFailed{Try: try, Failure: c.Failure, Checkpoint: a.Checkpoint, Final: FinalOperator, Reason: c.Reason})
	}
	return follows(&history.ActivityCompleted{Try: try, Result: c.Result, Reason: c.Reason})
}

// unsettled is the activity of a step, of an open run.
func unsettled(s *history.State, step history.Step) (*history.Activity, error) {
	if err := running(s); err != nil {
		return nil, err
	}
	a := s.Activities[step]
	if a == nil {
		return nil, fmt.Errorf("%w: step %d is no activity of run %s, or has its outcome", ErrSettled, step, s.Run.ID)
	}
	return a, nil
}
