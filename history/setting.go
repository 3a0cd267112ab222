package history

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fields is a set of fields of policies, or of the bounds of runs.
type Fields uint32

// The fields by themselves.
const (
	ScheduleToStartField Fields = 1 << iota
	StartToCloseField
	ScheduleToCloseField
	HeartbeatField
	MaxAttemptsField
	BackoffField
	InitialField
	FactorField
	MaxField
	JitterField
	OnTimeoutField
	PriorityField
	WeightField
	NeverRetryField
	OnCancelField
	LimitsField
	KeyField
	WhenFullField
	QueueField // of the activity: it stands beside its policy
	RunTimeoutField
	ExecutionTimeoutField
)

// gathered are the fields to which a call adds what it says.
const gathered = NeverRetryField | LimitsField

// A field of a policy: how it is recorded, how it is called where people read it, and what it holds.
type field struct {
	name string
	word string
	said func(*Policy) bool // something, where zero is unset
	copy func(to, from *Policy)
	text func(*Policy) string
}

// fields are in the order of the constants, those of policies first.
var fields = []field{
	{"schedule_to_start", "schedule-to-start", func(p *Policy) bool { return p.ScheduleToStart != 0 }, func(to, from *Policy) { to.ScheduleToStart = from.ScheduleToStart },
		func(p *Policy) string { return orNone(p.ScheduleToStart) }},
	{"start_to_close", "start-to-close", func(p *Policy) bool { return p.StartToClose != 0 }, func(to, from *Policy) { to.StartToClose, to.Assumed = from.StartToClose, false },
		func(p *Policy) string { return orNone(p.StartToClose) }},
	{"schedule_to_close", "schedule-to-close", func(p *Policy) bool { return p.ScheduleToClose != 0 }, func(to, from *Policy) { to.ScheduleToClose = from.ScheduleToClose },
		func(p *Policy) string { return orNone(p.ScheduleToClose) }},
	{"heartbeat", "heartbeat", func(p *Policy) bool { return p.Heartbeat != 0 }, func(to, from *Policy) { to.Heartbeat = from.Heartbeat },
		func(p *Policy) string { return orNone(p.Heartbeat) }},
	{"max_attempts", "max-attempts", func(p *Policy) bool { return p.Retry.MaxAttempts != 0 }, func(to, from *Policy) { to.Retry.MaxAttempts = from.Retry.MaxAttempts },
		func(p *Policy) string {
			if p.Retry.MaxAttempts == 0 {
				return "any"
			}
			return strconv.Itoa(p.Retry.MaxAttempts)
		}},
	{"backoff", "backoff", func(p *Policy) bool { return p.Retry.Backoff != "" }, func(to, from *Policy) { to.Retry.Backoff = from.Retry.Backoff },
		func(p *Policy) string { return string(p.Retry.Backoff) }},
	{"initial", "retry-initial", func(p *Policy) bool { return p.Retry.Initial != 0 }, func(to, from *Policy) { to.Retry.Initial = from.Retry.Initial },
		func(p *Policy) string { return orNone(p.Retry.Initial) }},
	{"factor", "retry-factor", func(p *Policy) bool { return p.Retry.Factor != 0 }, func(to, from *Policy) { to.Retry.Factor = from.Retry.Factor },
		func(p *Policy) string { return fmt.Sprint(p.Retry.Factor) }},
	{"max", "retry-max", func(p *Policy) bool { return p.Retry.Max != 0 }, func(to, from *Policy) { to.Retry.Max = from.Retry.Max },
		func(p *Policy) string { return orNone(p.Retry.Max) }},
	{"jitter", "jitter", func(p *Policy) bool { return p.Retry.Jitter != 0 }, func(to, from *Policy) { to.Retry.Jitter = from.Retry.Jitter },
		func(p *Policy) string { return fmt.Sprint(p.Retry.Jitter) }},
	{"on_timeout", "on-timeout", func(p *Policy) bool { return p.OnTimeout != "" }, func(to, from *Policy) { to.OnTimeout = from.OnTimeout },
		func(p *Policy) string { return string(p.OnTimeout) }},
	{"priority", "priority", func(p *Policy) bool { return p.Admission.Priority != 0 }, func(to, from *Policy) { to.Admission.Priority = from.Admission.Priority },
		func(p *Policy) string { return strconv.Itoa(p.Admission.Rank()) }},
	{"weight", "weight", func(p *Policy) bool { return p.Admission.Weight != 0 }, func(to, from *Policy) { to.Admission.Weight = from.Admission.Weight },
		func(p *Policy) string { return strconv.Itoa(p.Admission.Share()) }},
	{"never_retry", "never-retry", func(p *Policy) bool { return len(p.NeverRetry) > 0 }, func(to, from *Policy) { to.NeverRetry = from.NeverRetry },
		func(p *Policy) string { return listed(p.NeverRetry) }},
	{"on_cancel", "on-cancel", func(p *Policy) bool { return p.OnCancel != "" }, func(to, from *Policy) { to.OnCancel = from.OnCancel },
		func(p *Policy) string { return string(p.OnCancel) }},
	{"limits", "limits", func(p *Policy) bool { return len(p.Admission.Limits) > 0 }, func(to, from *Policy) { to.Admission.Limits = from.Admission.Limits },
		func(p *Policy) string { return listed(p.Admission.Limits) }},
	{"key", "key", func(p *Policy) bool { return p.Admission.Key != "" }, func(to, from *Policy) { to.Admission.Key = from.Admission.Key },
		func(p *Policy) string { return listed([]string{p.Admission.Key}) }},
	{"when_full", "when-full", func(p *Policy) bool { return p.Admission.WhenFull != "" }, func(to, from *Policy) { to.Admission.WhenFull = from.Admission.WhenFull },
		func(p *Policy) string {
			if p.Admission.WhenFull == "" {
				return string(Queued)
			}
			return string(p.Admission.WhenFull)
		}},
	{name: "queue", word: "queue"},
	{name: "run_timeout", word: "run-timeout"},
	{name: "execution_timeout", word: "execution-timeout"},
}

func orNone(d time.Duration) string {
	if d == 0 {
		return "none"
	}
	return short(d)
}

func listed(all []string) string {
	if text := strings.Join(all, ","); text != "" {
		return text
	}
	return "none"
}

// each calls see with the fields of a set that are of policies.
func (f Fields) each(see func(Fields, *field)) {
	for i := range fields {
		if bit := Fields(1) << i; f&bit != 0 && fields[i].said != nil {
			see(bit, &fields[i])
		}
	}
}

const allFields = ^Fields(0)

// Says are the fields that are set in p, where zero is unset.
func (p *Policy) Says() (said Fields) {
	allFields.each(func(bit Fields, f *field) {
		if f.said(p) {
			said |= bit
		}
	})
	return said
}

// String names the fields as people do, "max-attempts,retry-initial".
func (f Fields) String() string {
	var all []string
	for i := range fields {
		if f&(1<<i) != 0 {
			all = append(all, fields[i].word)
		}
	}
	return strings.Join(all, ",")
}

// put writes the names of the fields.
func (f Fields) put(w *writer, key string) {
	if f == 0 {
		return
	}
	w.key(key)
	w.b = append(w.b, '[')
	for i := range fields {
		if f&(1<<i) != 0 {
			if w.b[len(w.b)-1] != '[' {
				w.b = append(w.b, ',')
			}
			w.b = appendText(w.b, fields[i].name)
		}
	}
	w.b = append(w.b, ']')
}

// takeFields reads names; those that are not known here are left out.
func takeFields(r *reader) (all Fields) {
	r.list(func() {
		name := r.text()
		if i := slices.IndexFunc(fields, func(f field) bool { return f.name == name }); i >= 0 {
			all |= 1 << i
		}
	})
	return all
}

// Settings are all fields of the activity's policy and its queue, with where each comes from.
func (a *Activity) Settings() (all []Setting) {
	from := &a.Policy.From
	allFields.each(func(bit Fields, f *field) {
		all = append(all, from.setting(bit, f.text(a.Policy), FromCall, a.Name))
	})
	if a.Local {
		return all // it has no queue
	}
	return append(all, from.setting(QueueField, cmp.Or(a.Queue, "default"), FromCall, a.Name))
}

// Settings are the bounds of a run, with where each comes from.
func (s *State) Settings() []Setting {
	r, from := &s.Run, s.Run.From
	until := "none"
	if !r.Deadline.IsZero() {
		until = "until " + r.Deadline.Format(time.RFC3339)
	}
	if r.RunTimeout == 0 && r.Deadline.IsZero() {
		from.Recorded = true // nobody has bounded it, else there would be a bound
	}
	return []Setting{
		from.setting(RunTimeoutField, orNone(r.RunTimeout), FromStart, r.Type), from.setting(ExecutionTimeoutField, until, FromStart, r.Type),
	}
}

// PolicyChanges are what a policy says and another did not, each as "retry-initial 1s→5s", by the words of rules.
func PolicyChanges(before, after *Policy) (all []string) {
	allFields.each(func(_ Fields, f *field) {
		if old, next := f.text(before), f.text(after); old != next {
			all = append(all, fmt.Sprintf("%s %s→%s", f.word, old, next))
		}
	})
	return all
}
