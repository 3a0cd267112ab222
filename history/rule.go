package history

import (
	"fmt"
	"strings"
	"time"
)

// Subject is what a rule is about.
type Subject struct{ Of, Name string }

// What a subject is of.
const (
	OfActivity = "activity" // all calls of an activity
	OfLimit    = "limit"    // all activities that name this limit
	OfQueue    = "queue"    // all activities of a queue

	OfWorkflow  = "workflow"  // all runs of a workflow
	OfNamespace = "namespace" // all runs of the namespace; it has no name here
)

func (s Subject) String() string {
	if s.Name == "" {
		return s.Of
	}
	return s.Of + " " + s.Name
}

// Limit bounds attempts, or, by AtOnce and None alone, runs that are open and have begun. The zero Limit bounds nothing.
type Limit struct {
	AtOnce int  // in hand, or going on outside; 0: any number
	None   bool // none are begun
	Rate   int  // begun within any time as long as Per; 0: any number
	Per    time.Duration
}

// Rule is what operators have laid down for a subject. Zero is unset; the zero Rule says nothing. All but the limits is for
// activities alone.
type Rule struct {
	All Limit // over all that it is about
	Key Limit // over each key

	ScheduleToStart time.Duration
	StartToClose    time.Duration
	ScheduleToClose time.Duration
	Heartbeat       time.Duration
	Retry           Retry // field by field; a Max or Jitter below zero means none
	OnTimeout       Then
	Priority        int
	Weight          int
	Force           bool // it wins over what the call says

	Halt             bool          // of a workflow or a namespace: its runs are halted, see [Policies.Halts]
	RunTimeout       time.Duration // likewise, of runs that are started from then on
	ExecutionTimeout time.Duration
}

// OfAttempts is what of a rule is about how activities are made.
func (r Rule) OfAttempts() Rule {
	r.All, r.Key, r.Halt, r.RunTimeout, r.ExecutionTimeout = Limit{}, Limit{}, false, 0, 0
	return r
}

// policy is what a rule says of how activities are made, where zero is unset.
func (r *Rule) policy() *Policy {
	return &Policy{
		ScheduleToStart: r.ScheduleToStart, StartToClose: r.StartToClose, ScheduleToClose: r.ScheduleToClose, Heartbeat: r.Heartbeat,
		Retry: r.Retry, OnTimeout: r.OnTimeout, Admission: Admission{Priority: r.Priority, Weight: r.Weight},
	}
}

// Under is p as a rule changes it. What the call itself has asked for only a rule with Force overrides.
func (p Policy) Under(of string, rule *Rule, version uint64) *Policy {
	says := rule.policy()
	part := Part{Of: of, Version: version, Force: rule.Force, Fields: p.From.leaves(says.Says(), rule.Force)}
	part.Fields.each(func(_ Fields, f *field) { f.copy(&p, says) })
	to := &p.Retry
	to.Max, to.Jitter = max(to.Max, 0), max(to.Jitter, 0)
	if to.Max > 0 && to.Max < to.Initial {
		to.Max = to.Initial
		part.Fields |= MaxField
	}
	if p.Assumed && p.Heartbeat > 0 {
		p.StartToClose = 0 // an attempt that beats may take as long as it beats
	}
	p.Version, p.From = max(p.Version, version), p.From.under(part)
	return &p
}

// String is the rule as it is written on a command line, "at-once=3 rate=100/10s".
func (r Rule) String() string {
	var all []string
	say := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	limit := func(at, rate string, l Limit) {
		if l.AtOnce > 0 {
			say("%s=%d", at, l.AtOnce)
		}
		switch {
		case l.None && at == "at-once":
			say("paused")
		case l.None:
			say("%s=0", at)
		}
		if l.Rate > 0 {
			say("%s=%d/%s", rate, l.Rate, short(l.Per))
		}
	}
	limit("at-once", "rate", r.All)
	limit("per-key", "key-rate", r.Key)
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"schedule-to-start", r.ScheduleToStart}, {"start-to-close", r.StartToClose}, {"schedule-to-close", r.ScheduleToClose},
		{"heartbeat", r.Heartbeat}, {"retry-initial", r.Retry.Initial}, {"retry-max", r.Retry.Max},
		{"run-timeout", r.RunTimeout}, {"execution-timeout", r.ExecutionTimeout},
	} {
		switch {
		case d.value < 0:
			say("%s=none", d.name)
		case d.value > 0:
			say("%s=%s", d.name, short(d.value))
		}
	}
	if n := r.Retry.MaxAttempts; n != 0 {
		say("max-attempts=%d", n)
	}
	if r.Retry.Backoff != "" {
		say("backoff=%s", r.Retry.Backoff)
	}
	if f := r.Retry.Factor; f != 0 {
		say("retry-factor=%g", f)
	}
	switch j := r.Retry.Jitter; {
	case j < 0:
		say("jitter=none")
	case j > 0:
		say("jitter=%g", j)
	}
	if r.OnTimeout != "" {
		say("on-timeout=%s", r.OnTimeout)
	}
	if r.Priority != 0 {
		say("priority=%d", r.Priority)
	}
	if r.Weight != 0 {
		say("weight=%d", r.Weight)
	}
	if r.Force {
		say("force")
	}
	if r.Halt {
		say("halt")
	}
	if len(all) == 0 {
		return "nothing"
	}
	return strings.Join(all, " ")
}

// short is a duration without the zeros at its end: "1m", not "1m0s".
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

func (l Limit) put(w *writer, key string) {
	if l == (Limit{}) {
		return
	}
	w.object(key, func() {
		w.int("at_once", l.AtOnce)
		w.flag("none", l.None)
		w.int("rate", l.Rate)
		w.dur("per", l.Per)
	})
}

func (l *Limit) take(r *reader) {
	r.object(func(key string) bool {
		switch key {
		case "at_once":
			l.AtOnce = r.int()
		case "none":
			l.None = r.flag()
		case "rate":
			l.Rate = r.int()
		case "per":
			l.Per = r.dur()
		default:
			return false
		}
		return true
	})
}

func (r *Rule) put(w *writer, key string) {
	if *r == (Rule{}) {
		return
	}
	w.object(key, func() {
		r.All.put(w, "all")
		r.Key.put(w, "key")
		w.dur("schedule_to_start", r.ScheduleToStart)
		w.dur("start_to_close", r.StartToClose)
		w.dur("schedule_to_close", r.ScheduleToClose)
		w.dur("heartbeat", r.Heartbeat)
		w.int("max_attempts", r.Retry.MaxAttempts)
		w.text("backoff", string(r.Retry.Backoff))
		w.dur("initial", r.Retry.Initial)
		if r.Retry.Factor != 0 {
			w.anyReal("factor", r.Retry.Factor)
		}
		w.dur("max", r.Retry.Max)
		if r.Retry.Jitter != 0 {
			w.anyReal("jitter", r.Retry.Jitter)
		}
		w.text("on_timeout", string(r.OnTimeout))
		w.int("priority", r.Priority)
		w.int("weight", r.Weight)
		w.flag("force", r.Force)
		w.flag("halt", r.Halt)
		w.dur("run_timeout", r.RunTimeout)
		w.dur("execution_timeout", r.ExecutionTimeout)
	})
}

func (r *Rule) take(from *reader) {
	from.object(func(key string) bool {
		switch key {
		case "all":
			r.All.take(from)
		case "key":
			r.Key.take(from)
		case "schedule_to_start":
			r.ScheduleToStart = from.dur()
		case "start_to_close":
			r.StartToClose = from.dur()
		case "schedule_to_close":
			r.ScheduleToClose = from.dur()
		case "heartbeat":
			r.Heartbeat = from.dur()
		case "max_attempts":
			r.Retry.MaxAttempts = from.int()
		case "backoff":
			r.Retry.Backoff = Backoff(from.text())
		case "initial":
			r.Retry.Initial = from.dur()
		case "factor":
			r.Retry.Factor = from.real()
		case "max":
			r.Retry.Max = from.dur()
		case "jitter":
			r.Retry.Jitter = from.real()
		case "on_timeout":
			r.OnTimeout = Then(from.text())
		case "priority":
			r.Priority = from.int()
		case "weight":
			r.Weight = from.int()
		case "force":
			r.Force = from.flag()
		case "halt":
			r.Halt = from.flag()
		case "run_timeout":
			r.RunTimeout = from.dur()
		case "execution_timeout":
			r.ExecutionTimeout = from.dur()
		default:
			return false
		}
		return true
	})
}
