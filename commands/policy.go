package commands

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clewflow/clew/history"
)

// PolicyChange is what an operator wants to be laid down for a subject. Rule takes the place of what was there, unless Pause or Unpause
// keep that and stop the subject, or let it go on.
type PolicyChange struct {
	Subject history.Subject
	Rule    history.Rule
	Pause   bool
	Unpause bool
}

// SetPolicies decides what follows from changes of the policies: one event for each subject that changes. If one of the changes is wrong,
// nothing follows from any. Errors: ErrInvalid, all that is wrong at once.
func SetPolicies(p *history.Policies, changes []PolicyChange, reason string) (events []history.Event, err error) {
	var errs []error
	seen := map[history.Subject]bool{}
	for _, c := range changes {
		before := p.Rules[c.Subject].Rule
		after := c.Rule
		if c.Pause || c.Unpause {
			switch after = before; {
			case c.Unpause:
				after.Halt, after.All.None = false, false // at-once=0 stops a workflow too
			case halts(c.Subject):
				after.Halt = true
			default:
				after.All.None = true
			}
		}
		if seen[c.Subject] {
			errs = append(errs, &Invalid{Field: "a change", Value: c.Subject.String() + " twice", Want: "each subject once"})
		}
		seen[c.Subject] = true
		if err := errors.Join(checkSubject(c.Subject), CheckRule(c.Subject, after)); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c.Subject, err))
		}
		if before != after {
			events = append(events, &history.PolicySet{Subject: c.Subject, Before: before, After: after, Reason: reason})
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return events, nil
}

// halts reports whether a subject is paused by halting its runs, instead of by a limit that lets no attempts be begun.
func halts(s history.Subject) bool { return s.Of == history.OfWorkflow || s.Of == history.OfNamespace }

func checkSubject(s history.Subject) error {
	if !slices.Contains([]string{history.OfActivity, history.OfLimit, history.OfQueue, history.OfWorkflow, history.OfNamespace}, s.Of) {
		return &Invalid{Field: "what a policy is of", Value: s.Of, Want: "activity, limit, queue, workflow or namespace"}
	}
	if s.Of == history.OfNamespace {
		if s.Name != "" {
			return &Invalid{Field: "the name of the namespace", Value: s.Name, Want: "none: policies are those of one namespace"}
		}
		return nil
	}
	return CheckName("the name of the "+s.Of, s.Name)
}

// CheckRule says what is wrong with a rule.
func CheckRule(s history.Subject, r history.Rule) error {
	var errs []error
	invalid := func(field string, value any, want string) {
		errs = append(errs, &Invalid{Field: field, Value: fmt.Sprint(value), Want: want})
	}
	const none = "0, which stops it, or more"
	errs = append(errs, CheckLimit("at-once", "rate", r.All, none), CheckLimit("per-key", "key-rate", r.Key, none))
	if s.Of == history.OfQueue && r.Key != (history.Limit{}) {
		invalid("per-key", "set for a queue", "limits of keys for activities and named limits alone")
	}
	if s.Of == history.OfWorkflow && (r.All.Rate != 0 || r.Key.Rate != 0) {
		invalid("rate", "set for a workflow", "at-once and per-key alone, of the runs that are open")
	}
	others := r
	others.All, others.Key, others.Halt, others.RunTimeout, others.ExecutionTimeout = history.Limit{}, history.Limit{}, false, 0, 0
	if !halts(s) && (r.RunTimeout != 0 || r.ExecutionTimeout != 0) {
		invalid("run-timeout", "set for a "+s.Of, "time-outs of runs for workflows and the namespace alone")
	}
	if s.Of == history.OfWorkflow {
		others.Force = false
	}
	if r.Halt && !halts(s) {
		invalid("halt", "set for a "+s.Of, "runs of a workflow or of the namespace; what else there is is paused")
	}
	if s.Of == history.OfNamespace && (r.All != (history.Limit{}) || r.Key != (history.Limit{})) {
		invalid("a limit", "set for the namespace", "limits for activities, named limits, queues and workflows; to stop all runs there is halt")
	}
	if s.Of != history.OfActivity && s.Of != history.OfNamespace && others != (history.Rule{}) {
		invalid("the rule", others, "limits alone for a "+s.Of)
	}
	for _, d := range []struct {
		field string
		value time.Duration
	}{
		{"schedule-to-start", r.ScheduleToStart}, {"start-to-close", r.StartToClose}, {"schedule-to-close", r.ScheduleToClose},
		{"heartbeat", r.Heartbeat}, {"retry-initial", r.Retry.Initial}, {"retry-max", max(r.Retry.Max, 0)},
		{"run-timeout", r.RunTimeout}, {"execution-timeout", r.ExecutionTimeout},
	} {
		errs = append(errs, CheckDuration(d.field, d.value))
	}
	re := r.Retry
	if re.MaxAttempts < 0 {
		invalid("max-attempts", re.MaxAttempts, "1 or more")
	}
	if re.Factor != 0 && !(re.Factor >= 1 && re.Factor <= 1e6) {
		invalid("retry-factor", re.Factor, "1 or more")
	}
	if re.Jitter != -1 && !(re.Jitter >= 0 && re.Jitter <= 1) {
		invalid("jitter", re.Jitter, "0 to 1, or none")
	}
	if re.Max < -1 {
		invalid("retry-max", re.Max, "a time, or none")
	}
	if !slices.Contains([]history.Backoff{"", history.Exponential, history.Linear, history.Fixed}, re.Backoff) {
		invalid("backoff", re.Backoff, "exponential, linear or fixed")
	}
	if !slices.Contains([]history.Then{"", history.ThenRetry, history.ThenReturn, history.ThenFailRun, history.ThenAlert}, r.OnTimeout) {
		invalid("on-timeout", r.OnTimeout, "retry, return, fail-run or alert")
	}
	if r.Priority < 0 || r.Priority > 5 {
		invalid("priority", r.Priority, "1, which goes first, to 5")
	}
	if r.Weight < 0 || r.Weight > 100 {
		invalid("weight", r.Weight, "1 to 100")
	}
	return errors.Join(errs...)
}

// ParseRule reads what [history.Rule.String] writes, word by word: "at-once=3", "rate=100/10s", "force". Errors: ErrInvalid.
func ParseRule(words ...string) (r history.Rule, err error) {
	for _, word := range words {
		name, value, _ := strings.Cut(word, "=")
		if err := parseWord(&r, name, value); err != nil {
			return history.Rule{}, fmt.Errorf("%q: %w", word, err)
		}
	}
	return r, nil
}

func parseWord(r *history.Rule, name, value string) (err error) {
	number := func(into *int) {
		if *into, err = strconv.Atoi(value); err != nil {
			err = &Invalid{Field: name, Value: value, Want: "a number"}
		}
	}
	real := func(into *float64) {
		if value == "none" {
			*into = -1
		} else if *into, err = strconv.ParseFloat(value, 64); err != nil {
			err = &Invalid{Field: name, Value: value, Want: "a number"}
		}
	}
	duration := func(into *time.Duration, text string) {
		if text == "none" {
			*into = -1
		} else if *into, err = time.ParseDuration(text); err != nil {
			err = &Invalid{Field: name, Value: text, Want: "a time, such as 90s"}
		}
	}
	rate := func(l *history.Limit) {
		n, per, ok := strings.Cut(value, "/")
		if l.Rate, err = strconv.Atoi(n); err != nil || !ok {
			err = &Invalid{Field: name, Value: value, Want: "a number and a time, as in 100/10s"}
			return
		}
		duration(&l.Per, per)
	}
	atOnce := func(l *history.Limit) {
		number(&l.AtOnce)
		l.None = err == nil && l.AtOnce == 0
	}
	switch name {
	case "at-once":
		atOnce(&r.All)
	case "per-key":
		atOnce(&r.Key)
	case "rate":
		rate(&r.All)
	case "key-rate":
		rate(&r.Key)
	case "paused":
		r.All.None = true
	case "schedule-to-start":
		duration(&r.ScheduleToStart, value)
	case "start-to-close":
		duration(&r.StartToClose, value)
	case "schedule-to-close":
		duration(&r.ScheduleToClose, value)
	case "heartbeat":
		duration(&r.Heartbeat, value)
	case "retry-initial":
		duration(&r.Retry.Initial, value)
	case "retry-max":
		duration(&r.Retry.Max, value)
	case "max-attempts":
		number(&r.Retry.MaxAttempts)
	case "backoff":
		r.Retry.Backoff = history.Backoff(value)
	case "retry-factor":
		real(&r.Retry.Factor)
	case "jitter":
		real(&r.Retry.Jitter)
	case "on-timeout":
		r.OnTimeout = history.Then(value)
	case "priority":
		number(&r.Priority)
	case "weight":
		number(&r.Weight)
	case "force":
		r.Force = true
	case "halt":
		r.Halt = true
	case "run-timeout":
		duration(&r.RunTimeout, value)
	case "execution-timeout":
		duration(&r.ExecutionTimeout, value)
	default:
		return &Invalid{Field: "a word of a policy", Value: name, Want: RuleWords}
	}
	return err
}

// RuleWords are the words of rules.
const RuleWords = "at-once=N rate=N/TIME per-key=N key-rate=N/TIME paused max-attempts=N backoff=exponential|linear|fixed retry-initial=TIME " +
	"retry-factor=X retry-max=TIME|none jitter=X|none start-to-close=TIME schedule-to-start=TIME schedule-to-close=TIME heartbeat=TIME " +
	"on-timeout=retry|return|fail-run|alert priority=1..5 weight=1..100 force halt run-timeout=TIME execution-timeout=TIME"
