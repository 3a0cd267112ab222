package history

import (
	"cmp"
	"slices"
	"time"
)

// Policy says how long an activity may take and what follows when it fails. It is recorded as resolved and never worked
// out again.
type Policy struct {
	ScheduleToStart time.Duration // until somebody takes it; 0: none
	StartToClose    time.Duration // of one attempt; 0: none
	Assumed         bool          // nobody asked for StartToClose: it does not bound what goes on outside
	ScheduleToClose time.Duration // of all attempts and the waiting between
	Heartbeat       time.Duration // silence of one attempt; 0: none
	Retry           Retry
	NeverRetry      []string // codes of errors
	OnTimeout       Then
	OnCancel        Cancel
	Admission       Admission // its turn among others
	Version         uint64    // of the operators' policies that had a part in it; 0: they had none
	From            Sources   // where its fields come from
}

// Retry says when a failed attempt is followed by another.
type Retry struct {
	MaxAttempts int // counts the first; 0: as many as the time allows
	Backoff     Backoff
	Initial     time.Duration
	Factor      float64
	Max         time.Duration // of one delay; 0: none
	Jitter      float64       // 0 to 1: the share of the delay by which it may be longer or shorter
}

// Backoff says how delays grow.
type Backoff string

// Exponential: Initial·Factor^(n−1). Linear: Initial·Factor·n. Fixed: Initial. n counts the failed attempts.
const (
	Exponential Backoff = "exponential"
	Linear      Backoff = "linear"
	Fixed       Backoff = "fixed"
)

// Then says what follows when an attempt takes too long.
type Then string

// What follows a time-out of an attempt.
const (
	ThenRetry   Then = "retry"
	ThenReturn  Then = "return"   // tell the code
	ThenFailRun Then = "fail-run" // close the run as timed out
	ThenAlert   Then = "alert"    // note it; the attempt goes on
)

// Cancel says what happens to an activity whose scope is cancelled.
type Cancel string

// What happens to an activity when its scope is cancelled.
const (
	TryCancel     Cancel = "try"   // ask it to stop, do not wait
	WaitCancelled Cancel = "wait"  // ask it to stop, wait for how it ends
	LeaveRunning  Cancel = "leave" // nothing
)

// Delay is how long to wait after the failed attempt number n, with dice from 0 up to 1.
func (p Retry) Delay(n int, dice float64) time.Duration {
	limit := float64(1 << 62)
	if p.Max > 0 {
		limit = float64(p.Max)
	}
	d := float64(p.Initial)
	switch p.Backoff {
	case Linear:
		d *= p.Factor * float64(n)
	case Exponential:
		for i := 1; i < n && d < limit; i++ {
			d *= p.Factor
		}
	}
	d = min(d, limit)
	d *= 1 + float64(p.Jitter*(2*dice-1)) // converted, so that no machine fuses it and rounds otherwise
	return time.Duration(min(d, float64(1<<62)))
}

// StandardPolicy is what a policy is written against: fields that equal it are left out. It is part of the format and
// never changes, whatever the defaults of package activity become.
var StandardPolicy = Policy{
	StartToClose:    10 * time.Minute,
	Assumed:         true,
	ScheduleToClose: 24 * time.Hour,
	Retry:           Retry{Backoff: Exponential, Initial: time.Second, Factor: 2, Max: time.Minute, Jitter: 0.2},
	OnTimeout:       ThenRetry,
	OnCancel:        TryCancel,
	From:            Sources{Recorded: true}, // what is left out is the default, or a definition says the same
}

func (p *Policy) equal(q *Policy) bool {
	return p.ScheduleToStart == q.ScheduleToStart && p.StartToClose == q.StartToClose && p.Assumed == q.Assumed && p.ScheduleToClose == q.ScheduleToClose &&
		p.Heartbeat == q.Heartbeat && p.Retry == q.Retry && p.OnTimeout == q.OnTimeout && p.OnCancel == q.OnCancel &&
		slices.Equal(p.NeverRetry, q.NeverRetry) && p.Version == q.Version && p.From.equal(&q.From) && p.Admission.equal(&q.Admission)
}

func (p *Policy) put(w *writer) { p.putAs(w, "policy") }

func (p *Policy) putAs(w *writer, key string) {
	if p.equal(&StandardPolicy) {
		return
	}
	std := &StandardPolicy
	dur := func(k string, v, standard time.Duration) {
		if v != standard {
			w.text(k, v.String())
		}
	}
	w.object(key, func() {
		dur("schedule_to_start", p.ScheduleToStart, std.ScheduleToStart)
		if !p.Assumed || p.StartToClose != std.StartToClose {
			w.text("start_to_close", p.StartToClose.String())
			w.flag("assumed", p.Assumed)
		}
		dur("schedule_to_close", p.ScheduleToClose, std.ScheduleToClose)
		dur("heartbeat", p.Heartbeat, std.Heartbeat)
		w.int("max_attempts", p.Retry.MaxAttempts)
		if p.Retry.Backoff != std.Retry.Backoff {
			w.text("backoff", string(p.Retry.Backoff))
		}
		dur("initial", p.Retry.Initial, std.Retry.Initial)
		if p.Retry.Factor != std.Retry.Factor {
			w.anyReal("factor", p.Retry.Factor)
		}
		dur("max", p.Retry.Max, std.Retry.Max)
		if p.Retry.Jitter != std.Retry.Jitter {
			w.anyReal("jitter", p.Retry.Jitter)
		}
		w.texts("never_retry", p.NeverRetry)
		if p.OnTimeout != std.OnTimeout {
			w.text("on_timeout", string(p.OnTimeout))
		}
		if p.OnCancel != std.OnCancel {
			w.text("on_cancel", string(p.OnCancel))
		}
		p.Admission.put(w)
		w.num("version", p.Version)
		p.From.Asked.put(w, "asked")
		p.From.put(w)
	})
}

func (p *Policy) take(r *reader) {
	r.object(func(key string) bool {
		switch key {
		case "schedule_to_start":
			p.ScheduleToStart = r.dur()
		case "start_to_close":
			p.StartToClose, p.Assumed = r.dur(), false
		case "assumed":
			p.Assumed = r.flag()
		case "schedule_to_close":
			p.ScheduleToClose = r.dur()
		case "heartbeat":
			p.Heartbeat = r.dur()
		case "max_attempts":
			p.Retry.MaxAttempts = r.int()
		case "backoff":
			p.Retry.Backoff = cmp.Or(Backoff(r.text()), p.Retry.Backoff)
		case "initial":
			p.Retry.Initial = r.dur()
		case "factor":
			p.Retry.Factor = r.real()
		case "max":
			p.Retry.Max = r.dur()
		case "jitter":
			p.Retry.Jitter = r.real()
		case "never_retry":
			p.NeverRetry = r.texts()
		case "on_timeout":
			p.OnTimeout = cmp.Or(Then(r.text()), p.OnTimeout)
		case "on_cancel":
			p.OnCancel = cmp.Or(Cancel(r.text()), p.OnCancel)
		case "version":
			p.Version = r.num()
		case "asked":
			p.From.Asked = takeFields(r)
		case "from":
			p.From.take(r)
		default:
			return p.Admission.take(r, key)
		}
		return true
	})
}
