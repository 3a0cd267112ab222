package coverage

import (
	"cmp"
	"fmt"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/workflow"
)

// What a run comes to. The zero of others is no item until it was seen, because nothing says that it can be.
const (
	completed = "completed"
	failed    = "failed"
	cancelled = "was cancelled"
	timedOut  = "timed out"
	again     = "was tried again"
	delivered = "was delivered"
	refused   = "was refused"
)

// asked is something that the code of a run asked for.
type asked struct{ kind, name string }

// fold goes through one run.
type fold struct {
	*Workflow
	asked   map[history.Step]asked
	timers  map[history.Step]string // by the place where they were started
	endless map[history.Step]bool   // what no cancellation can reach
}

// Add adds a run. replay is called once, and is to tell what the code comes by when it is replayed along the entries; what it
// does not tell is not known to be possible.
func (r *Report) Add(run []history.Entry, replay func(watch func(workflow.Sight))) {
	started, ok := run[0].Event.(*history.Started)
	if !ok {
		return
	}
	f := &fold{r.workflow(started.Type), map[history.Step]asked{}, map[history.Step]string{}, map[history.Step]bool{}}
	f.Runs++
	f.begin(started)
	replay(f.sight)
	for _, e := range run {
		f.event(e.Event)
	}
}

// Asked says that a query was asked of a workflow.
func (r *Report) Asked(name, query string) {
	r.workflow(name).can("query", query, "was asked", tryQuery).Seen++
}

// Bound says that there is code of a version of a workflow. Version 0 is that of workflows without versions.
func (r *Report) Bound(name string, version int) {
	if version > 0 {
		r.workflow(name).version(version)
	}
}

// version is that a run is of a version.
func (w *Workflow) version(n int) *Item {
	return w.can("run", "", fmt.Sprint("was of version ", n), fmt.Sprintf("Start(workflow.Version(%d)), or ReplayDir over runs of it", n))
}

func (f *fold) begin(e *history.Started) {
	if e.Version > 0 {
		f.version(e.Version).Seen++
	}
	f.can("run", "", completed, "let all that it waits for come")
	f.can("run", "", failed, "let an activity fail whose error the code returns")
	f.can("run", "", cancelled, "At(d, Cancel)")
	if !e.Deadline.IsZero() || !e.RunDeadline.IsZero() {
		f.can("run", "", timedOut, "let what it waits for come after its time")
	}
}

// ended says how the run has ended.
func (f *fold) ended(how string) { f.can("run", "", how, "").Seen++ }

func (f *fold) event(e history.Event) {
	switch v := e.(type) {
	case *history.ActivityScheduled:
		f.activity(v)
	case *history.ChildAsked:
		f.child(v)
	case *history.SendAsked:
		f.send(v)
	case *history.Completed:
		f.ended(completed)
	case *history.Failed:
		f.ended(failed)
	case *history.Cancelled:
		f.ended(cancelled)
	case *history.TimedOut:
		f.ended(timedOut)
		f.limit(v.Step, v.Limit)
	case *history.Terminated:
		f.ended("was terminated")
	case *history.Continued:
		f.ended("continued as new")
	case *history.Signaled:
		f.can("signal", v.Name, "was received", trySignal)
	case *history.UpdateAccepted:
		f.can("update", v.Name, "was accepted", tryUpdate).Seen++
	default:
		f.outcome(e)
	}
}

// outcome is an event that says what became of something that was asked for.
func (f *fold) outcome(e history.Event) {
	switch v := e.(type) {
	case *history.ActivityCompleted:
		f.of(v.Step, completed)
	case *history.ActivityFailed:
		f.of(v.Step, failed)
	case *history.ActivityTimedOut:
		f.limit(v.Step, v.Limit)
	case *history.ActivityCancelRequested:
		f.of(v.Step, cancelled)
	case *history.AttemptFailed:
		f.of(v.Step, again)
		f.limit(v.Step, v.Limit)
	case *history.AttemptOverdue:
		f.limit(v.Step, v.Limit)
	case *history.ChildClosed:
		f.childClosed(v)
	case *history.ChildCancelRequested:
		f.of(v.Step, cancelled)
	case *history.Sent:
		how := delivered
		if v.Refused != "" {
			how = refused
		}
		f.of(v.Step, how)
	case *history.TimerFired:
		f.saw("timer", f.timers[v.Step], "fired")
	case *history.TimerCancelled:
		f.saw("timer", f.timers[v.Step], "was stopped")
	}
}

// of says what became of what a step asked for.
func (f *fold) of(step history.Step, how string) bool {
	a := f.asked[step]
	return f.saw(a.kind, a.name, how)
}

// limit says that a limit was passed; of an activity for which nobody has set one it does not matter which.
func (f *fold) limit(step history.Step, limit string) {
	if limit != "" && !f.of(step, within(limit)) {
		f.of(step, timedOut)
	}
}

func within(limit string) string { return timedOut + " (" + limit + ")" }

func (f *fold) activity(e *history.ActivityScheduled) {
	a, try := asked{"activity", e.Name}, stub
	if e.Local {
		a.kind, try = "step", own
	}
	f.asked[e.Step] = a
	p := e.Policy
	f.can(a.kind, a.name, completed, try.completes)
	f.can(a.kind, a.name, failed, try.fails)
	if p.Retry.MaxAttempts != 1 && p.Retry.Initial < p.ScheduleToClose {
		f.can(a.kind, a.name, again, try.failsOnce)
	}
	quick := e.Local && !p.Assumed && p.StartToClose == stepWithin
	if set := f.limits(a, p, quick, try); !set && !quick {
		f.can(a.kind, a.name, timedOut, try.hangs)
	}
	if p.OnCancel != history.LeaveRunning && !f.endless[e.Step] {
		f.can(a.kind, a.name, cancelled, try.isCancelled)
	}
}

// stepWithin is what a workflow.Step may take if nobody has said otherwise. It is there to notice what hangs; authors do not
// have an answer to it.
const stepWithin = 10 * time.Second

// limits adds those that somebody has set and that can be passed, and says whether there are any. That of an attempt is not
// set if it is quick. No test can pass schedule-to-start, because each attempt is taken at once.
func (f *fold) limits(a asked, p *history.Policy, quick bool, try tries) (set bool) {
	limit := func(name, try string) {
		f.can(a.kind, a.name, within(name), try)
		set = true
	}
	bounded := p.StartToClose > 0 && p.StartToClose < p.ScheduleToClose
	beats := p.Heartbeat > 0 && p.Heartbeat < p.ScheduleToClose && !(bounded && p.StartToClose <= p.Heartbeat)
	if beats {
		limit(history.HeartbeatLimit, try.hangs)
	}
	switch {
	case !bounded || p.Assumed || quick:
	case beats:
		limit(history.StartToClose, fmt.Sprintf(try.takes, p.StartToClose))
	default:
		limit(history.StartToClose, try.hangs)
	}
	if p.ScheduleToClose != history.StandardPolicy.ScheduleToClose && lasts(p) {
		limit(history.ScheduleToClose, fmt.Sprintf(try.lasts, p.ScheduleToClose))
	}
	return set
}

// lasts reports whether all attempts and the waiting between can take as long as an activity may. What is bounded by nothing
// else can, and so does what may go on outside.
func lasts(p *history.Policy) bool {
	if p.Assumed || p.StartToClose == 0 || p.Retry.MaxAttempts == 0 {
		return true
	}
	total := p.StartToClose
	for n := 1; n < p.Retry.MaxAttempts && total < p.ScheduleToClose; n++ {
		total += p.Retry.Delay(n, 1) + p.StartToClose
	}
	return total >= p.ScheduleToClose
}

func (f *fold) child(e *history.ChildAsked) {
	a := asked{"child", e.Type}
	f.asked[e.Step] = a
	f.can(a.kind, a.name, completed, "StubChild(…).Returns(…)")
	f.can(a.kind, a.name, failed, "StubChild(…).Fails(err)")
	if limit := cmp.Or(e.RunTimeout, e.ExecutionTimeout); limit > 0 {
		f.can(a.kind, a.name, timedOut, fmt.Sprintf("StubChild(…).Takes(%s).Returns(…)", limit))
	}
	if e.OnCancel != history.LeaveRunning && !f.endless[e.Step] {
		f.can(a.kind, a.name, cancelled, "At(d, Cancel) while StubChild(…).Takes(2*d)")
	}
}

func (f *fold) childClosed(e *history.ChildClosed) {
	switch e.Status {
	case history.StatusCompleted:
		f.of(e.Step, completed)
	case history.StatusCancelled:
		f.of(e.Step, cancelled)
	case history.StatusTimedOut:
		f.of(e.Step, timedOut)
	default:
		f.of(e.Step, failed)
	}
}

func (f *fold) send(e *history.SendAsked) {
	a := asked{"message", e.Name}
	if e.Cancel {
		a.name = "that another is to end"
	}
	f.asked[e.Step] = a
	f.can(a.kind, a.name, delivered, "let the other run: Use(…)")
	f.can(a.kind, a.name, refused, "send it to one that does not run")
}
