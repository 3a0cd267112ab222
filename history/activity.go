package history

import "time"

// ActivityScheduled is an activity that the code asked for.
type ActivityScheduled struct {
	Step   Step
	Name   string
	Queue  string // empty: the default one
	Input  Payload
	Policy *Policy // never nil
	Local  bool    // made where the code runs, by a function of the code's
	Watch  bool    // the code is told its checkpoints
}

func (*ActivityScheduled) Role() Role   { return Decision }
func (*ActivityScheduled) Kind() string { return "activity-scheduled" }
func (e *ActivityScheduled) evolve(s *State, at *Entry) {
	a := &Activity{
		Step: e.Step, Name: e.Name, Queue: e.Queue, Input: e.Input.Sum, Seq: at.Seq, Scheduled: at.At, Policy: e.Policy, Attempt: 1,
		Local: e.Local, Watch: e.Watch, Run: s.asker(at),
	}
	s.Activities[e.Step] = a
	s.asked(e.Step)
	s.wakeActivity(a)
}
func (e *ActivityScheduled) put(w *writer) {
	w.num("step", uint64(e.Step))
	w.text("name", e.Name)
	w.text("queue", e.Queue)
	w.payload("input", e.Input)
	w.flag("local", e.Local)
	w.flag("watch", e.Watch)
	e.Policy.put(w)
}
func (e *ActivityScheduled) take(r *reader, key string) bool {
	switch key {
	case "step":
		e.Step = Step(r.num())
	case "queue":
		e.Queue = r.text()
	case "local":
		e.Local = r.flag()
	case "watch":
		e.Watch = r.flag()
	case "policy":
		e.Policy = takePolicy(r)
	default:
		return takeText(r, key, "name", &e.Name) || takePayload(r, key, "input", &e.Input)
	}
	return true
}

// Try says which attempt of an activity an entry is about.
type Try struct {
	Step    Step
	Serial  Serial
	Attempt int       // from 1
	Started time.Time // of the attempt; zero if it never started
}

func (t *Try) put(w *writer) {
	w.num("step", uint64(t.Step))
	w.num("serial", uint64(t.Serial))
	w.int("attempt", t.Attempt)
	w.time("started", t.Started)
}

func (t *Try) take(r *reader, key string) bool {
	switch key {
	case "step":
		t.Step = Step(r.num())
	case "serial":
		t.Serial = Serial(r.num())
	case "attempt":
		t.Attempt = r.int()
	case "started":
		t.Started = r.time()
	default:
		return false
	}
	return true
}

// AttemptStarted is an entry of its own only where somebody must know: before an attempt that may be made only once or
// whose start is limited, when an attempt goes on outside, and when another node than the one that works on the execution has it
// in hand.
type AttemptStarted struct {
	Try
	Node       string // that has it in hand; empty where one process has the store to itself
	Pending    bool   // the attempt goes on outside and is completed by token
	Checkpoint Payload
}

func (*AttemptStarted) Role() Role   { return Note }
func (*AttemptStarted) Kind() string { return "attempt-started" }
func (e *AttemptStarted) evolve(s *State, at *Entry) {
	s.activity(e.Step, func(a *Activity) {
		a.hand(&e.Try)
		a.Beat, a.Pending, a.Node = e.Started, e.Pending, e.Node
		if e.Pending {
			a.Beat = at.At // to say that it goes on outside is a sign of life
		}
		a.keep(e.Checkpoint)
	})
}
func (e *AttemptStarted) put(w *writer) {
	e.Try.put(w)
	w.text("node", e.Node)
	w.flag("pending", e.Pending)
	w.payload("checkpoint", e.Checkpoint)
}
func (e *AttemptStarted) take(r *reader, key string) bool {
	if key == "pending" {
		e.Pending = r.flag()
		return true
	}
	return e.Try.take(r, key) || takeText(r, key, "node", &e.Node) || takePayload(r, key, "checkpoint", &e.Checkpoint)
}

// Heartbeat records a sign of life and the last checkpoint, at a bounded rate.
type Heartbeat struct {
	Try
	Beat       time.Time
	Checkpoint Payload
}

func (*Heartbeat) Role() Role   { return Note }
func (*Heartbeat) Kind() string { return "heartbeat" }
func (e *Heartbeat) evolve(s *State, at *Entry) {
	s.activity(e.Step, func(a *Activity) {
		if !a.Started.IsZero() { // else nobody need know the start of the attempt that lives
			a.hand(&e.Try)
		}
		a.Beat = e.Beat
		a.keep(e.Checkpoint)
	})
}
func (e *Heartbeat) put(w *writer) {
	e.Try.put(w)
	w.time("beat", e.Beat)
	w.payload("checkpoint", e.Checkpoint)
}
func (e *Heartbeat) take(r *reader, key string) bool {
	if key == "beat" {
		e.Beat = r.time()
		return true
	}
	return e.Try.take(r, key) || takePayload(r, key, "checkpoint", &e.Checkpoint)
}

// ActivityProgressed tells the code a checkpoint of an activity that it watches. To the activity it is a heartbeat.
type ActivityProgressed struct{ Heartbeat }

func (*ActivityProgressed) Role() Role   { return Input }
func (*ActivityProgressed) Kind() string { return "activity-progressed" }

// AttemptFailed is an attempt that will be followed by another at RetryAt.
type AttemptFailed struct {
	Try
	Limit      string // the time-out that it fell to; empty: it failed
	Failure    Payload
	Checkpoint Payload // the last one known
	RetryAt    time.Time
}

func (*AttemptFailed) Role() Role   { return Note }
func (*AttemptFailed) Kind() string { return "attempt-failed" }
func (e *AttemptFailed) evolve(s *State, at *Entry) {
	s.activity(e.Step, func(a *Activity) {
		a.over(e.Serial)
		a.Lost = 0
		a.Failed, a.RetryAt = at.At, e.RetryAt
		a.LastLimit = e.Limit
		if !e.Failure.Absent() {
			a.LastFailure = e.Failure
		}
		a.keep(e.Checkpoint)
	})
}
func (e *AttemptFailed) put(w *writer) {
	e.Try.put(w)
	w.text("limit", e.Limit)
	w.payload("failure", e.Failure)
	w.payload("checkpoint", e.Checkpoint)
	w.time("retry_at", e.RetryAt)
}
func (e *AttemptFailed) take(r *reader, key string) bool {
	if key == "retry_at" {
		e.RetryAt = r.time()
		return true
	}
	return e.Try.take(r, key) || takeText(r, key, "limit", &e.Limit) || takePayload(r, key, "failure", &e.Failure) ||
		takePayload(r, key, "checkpoint", &e.Checkpoint)
}

// AttemptLost is an attempt whose process died. Another is made at once.
type AttemptLost struct {
	Try
}

func (*AttemptLost) Role() Role   { return Note }
func (*AttemptLost) Kind() string { return "attempt-lost" }
func (e *AttemptLost) evolve(s *State, at *Entry) {
	s.activity(e.Step, func(a *Activity) {
		a.over(e.Serial)
		a.Lost++
		a.RetryAt = at.At
	})
}
func (e *AttemptLost) put(w *writer)                   { e.Try.put(w) }
func (e *AttemptLost) take(r *reader, key string) bool { return e.Try.take(r, key) }

// AttemptOverdue notes that an attempt takes longer than its limit, where the policy lets it go on.
type AttemptOverdue struct {
	Try
	Limit string
}

func (*AttemptOverdue) Role() Role   { return Note }
func (*AttemptOverdue) Kind() string { return "attempt-overdue" }
func (e *AttemptOverdue) evolve(s *State, at *Entry) {
	s.activity(e.Step, func(a *Activity) { a.hand(&e.Try); a.Overdue = true })
}
func (e *AttemptOverdue) put(w *writer) { e.Try.put(w); w.text("limit", e.Limit) }
func (e *AttemptOverdue) take(r *reader, key string) bool {
	return e.Try.take(r, key) || takeText(r, key, "limit", &e.Limit)
}

// ActivityChanged is somebody's wish that an activity be tried at once, with another input or with all its attempts.
type ActivityChanged struct {
	Step   Step
	Input  Payload // absent: as it is
	Reset  bool    // attempts and limits begin anew
	Reason string
}

func (*ActivityChanged) Role() Role   { return Note }
func (*ActivityChanged) Kind() string { return "activity-changed" }
func (e *ActivityChanged) evolve(s *State, at *Entry) {
	s.activity(e.Step, func(a *Activity) {
		if !e.Input.Absent() {
			a.Input, a.Seq = e.Input.Sum, at.Seq
		}
		if e.Reset {
			a.Attempt, a.Lost, a.Scheduled, a.Held = 1, 0, at.At, 0
		}
		a.RetryAt = time.Time{}
	})
}
func (e *ActivityChanged) put(w *writer) {
	w.num("step", uint64(e.Step))
	w.payload("input", e.Input)
	w.flag("reset", e.Reset)
	w.text("reason", e.Reason)
}
func (e *ActivityChanged) take(r *reader, key string) bool {
	if key == "reset" {
		e.Reset = r.flag()
		return true
	}
	return takeStep(r, key, &e.Step) || takePayload(r, key, "input", &e.Input) || takeText(r, key, "reason", &e.Reason)
}

// ActivityCompleted tells the code the result.
type ActivityCompleted struct {
	Try
	Result Payload
	Reason string // for which somebody has given it its result by hand
}

func (*ActivityCompleted) Role() Role                   { return Input }
func (*ActivityCompleted) Kind() string                 { return "activity-completed" }
func (e *ActivityCompleted) evolve(s *State, at *Entry) { s.settle(e.Step) }
func (e *ActivityCompleted) put(w *writer) {
	e.Try.put(w)
	w.payload("result", e.Result)
	w.text("reason", e.Reason)
}
func (e *ActivityCompleted) take(r *reader, key string) bool {
	return e.Try.take(r, key) || takePayload(r, key, "result", &e.Result) || takeText(r, key, "reason", &e.Reason)
}

// ActivityFailed tells the code that the last attempt failed.
type ActivityFailed struct {
	Try
	Failure    Payload
	Checkpoint Payload
	Final      string // why there is no further attempt: "non-retryable", "attempts", "time", "crashed the worker", "operator", "full"
	Reason     string // for which somebody has let it fail by hand
}

func (*ActivityFailed) Role() Role                   { return Input }
func (*ActivityFailed) Kind() string                 { return "activity-failed" }
func (e *ActivityFailed) evolve(s *State, at *Entry) { s.settle(e.Step) }
func (e *ActivityFailed) put(w *writer) {
	e.Try.put(w)
	w.payload("failure", e.Failure)
	w.payload("checkpoint", e.Checkpoint)
	w.text("final", e.Final)
	w.text("reason", e.Reason)
}
func (e *ActivityFailed) take(r *reader, key string) bool {
	return e.Try.take(r, key) || takePayload(r, key, "failure", &e.Failure) || takePayload(r, key, "checkpoint", &e.Checkpoint) ||
		takeText(r, key, "final", &e.Final) || takeText(r, key, "reason", &e.Reason)
}

// Limits of activities, as events and errors name them.
const (
	ScheduleToStart = "schedule-to-start"
	StartToClose    = "start-to-close"
	ScheduleToClose = "schedule-to-close"
	HeartbeatLimit  = "heartbeat"
)

// ActivityTimedOut tells the code which limit was passed, with the last failure and checkpoint.
type ActivityTimedOut struct {
	Try
	Limit      string
	Failure    Payload // of the attempt before, if one failed
	Checkpoint Payload
}

func (*ActivityTimedOut) Role() Role                   { return Input }
func (*ActivityTimedOut) Kind() string                 { return "activity-timed-out" }
func (e *ActivityTimedOut) evolve(s *State, at *Entry) { s.settle(e.Step) }
func (e *ActivityTimedOut) put(w *writer) {
	e.Try.put(w)
	w.text("limit", e.Limit)
	w.payload("failure", e.Failure)
	w.payload("checkpoint", e.Checkpoint)
}
func (e *ActivityTimedOut) take(r *reader, key string) bool {
	return e.Try.take(r, key) || takeText(r, key, "limit", &e.Limit) || takePayload(r, key, "failure", &e.Failure) ||
		takePayload(r, key, "checkpoint", &e.Checkpoint)
}

// ActivityCancelRequested is the code's wish that an activity end. Unless the policy says to wait, that settles it.
type ActivityCancelRequested struct{ Step Step }

func (*ActivityCancelRequested) Role() Role   { return Decision }
func (*ActivityCancelRequested) Kind() string { return "activity-cancel-requested" }
func (e *ActivityCancelRequested) evolve(s *State, at *Entry) {
	if a := s.Activities[e.Step]; a != nil && a.Policy.OnCancel == WaitCancelled {
		a.CancelRequested = true
		return
	}
	s.settle(e.Step)
}
func (e *ActivityCancelRequested) put(w *writer)                   { w.num("step", uint64(e.Step)) }
func (e *ActivityCancelRequested) take(r *reader, key string) bool { return takeStep(r, key, &e.Step) }

// ActivityCancelled tells the code that an activity which it asked to end has ended.
type ActivityCancelled struct {
	Try
	Failure    Payload // what the attempt returned
	Checkpoint Payload
}

func (*ActivityCancelled) Role() Role                   { return Input }
func (*ActivityCancelled) Kind() string                 { return "activity-cancelled" }
func (e *ActivityCancelled) evolve(s *State, at *Entry) { s.settle(e.Step) }
func (e *ActivityCancelled) put(w *writer) {
	e.Try.put(w)
	w.payload("failure", e.Failure)
	w.payload("checkpoint", e.Checkpoint)
}
func (e *ActivityCancelled) take(r *reader, key string) bool {
	return e.Try.take(r, key) || takePayload(r, key, "failure", &e.Failure) || takePayload(r, key, "checkpoint", &e.Checkpoint)
}

// Activity is an activity that is not settled.
type Activity struct {
	Step      Step
	Run       string // that asked for it
	Name      string
	Queue     string
	Input     Sum    // its bytes are in the entry Seq
	Seq       uint64 // of ActivityScheduled
	Scheduled time.Time
	Held      time.Duration // for how long pauses have held its limits since
	Policy    *Policy
	Local     bool
	Watch     bool

	Attempt         int       // the number of the attempt to be made or in hand, from 1
	Lost            int       // attempts lost in a row
	Serial          Serial    // the highest recorded
	Started         time.Time // of the attempt in hand, where recorded
	Pending         bool      // that attempt goes on outside
	Node            string    // that has that attempt in hand, where recorded
	Beat            time.Time // its last recorded sign of life
	Overdue         bool      // it was noted that the attempt takes too long
	RetryAt         time.Time // when the attempt is to be made; zero: at once
	Failed          time.Time // when the last failed attempt did
	Checkpoint      Payload   // the last one recorded
	LastFailure     Payload
	LastLimit       string // of the last failed attempt, if it was a time-out
	CancelRequested bool
}

// Deadline is when the time for all attempts is over.
func (a *Activity) Deadline() time.Time { return a.limited(a.Policy.ScheduleToClose) }

// limited is when a limit of d passes that counts from when a was scheduled.
func (a *Activity) limited(d time.Duration) time.Time { return a.Scheduled.Add(d).Add(a.Held) }

// Due is the earliest moment at which a limit passes, as far as starts and beats are recorded, and which limit that is; zero if p, under
// which the execution is, holds all that there are.
func (a *Activity) Due(p *Pause) (due time.Time, limit string) {
	earlier := func(t time.Time, l string) {
		if due.IsZero() || t.Before(due) {
			due, limit = t, l
		}
	}
	if !p.HoldsLimits() {
		earlier(a.Deadline(), ScheduleToClose)
	}
	switch {
	case a.Started.IsZero() && a.Serial == 0 && a.Policy.ScheduleToStart > 0 && !p.HoldsLimits():
		earlier(a.limited(a.Policy.ScheduleToStart), ScheduleToStart)
	case !a.Started.IsZero() && !a.Overdue:
		if a.Policy.StartToClose > 0 && !(a.Pending && a.Policy.Assumed) {
			earlier(a.Started.Add(a.Policy.StartToClose), StartToClose)
		}
		if a.Policy.Heartbeat > 0 {
			earlier(a.Beat.Add(a.Policy.Heartbeat), HeartbeatLimit)
		}
	}
	return due, limit
}

func (a *Activity) keep(checkpoint Payload) {
	if !checkpoint.Absent() {
		a.Checkpoint = checkpoint
	}
}

// hand makes t the attempt in hand. What is known of another does not hold for it.
func (a *Activity) hand(t *Try) {
	if t.Serial != a.Serial {
		a.Beat, a.Pending, a.Node, a.Overdue = t.Started, false, "", false
	}
	a.Serial = t.Serial
	if !t.Started.IsZero() {
		a.Started = t.Started
	}
}

// over ends the attempt in hand; the next has the next number.
func (a *Activity) over(serial Serial) {
	a.Serial, a.Started, a.Beat, a.Pending, a.Node, a.Overdue = max(serial, a.Serial), time.Time{}, time.Time{}, false, "", false
	a.Attempt++
}

func (s *State) activity(step Step, change func(*Activity)) {
	if a := s.Activities[step]; a != nil {
		change(a)
		s.wakeActivity(a)
	}
}

func (s *State) wakeActivity(a *Activity) {
	due, _ := a.Due(s.Pause)
	s.wakes.setOrDrop(a.Step, due)
}

func (s *State) settle(step Step) {
	delete(s.Activities, step)
	s.wakes.drop(step)
}
