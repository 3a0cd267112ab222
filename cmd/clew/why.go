package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/runtime"
)

func why(s *site) *cobra.Command {
	return &cobra.Command{
		Use:   "why ID",
		Short: "Say why an execution is open, or how it ended",
		Long: `Say of an open execution what it waits for, since when and until when, and who could end that: attempts
with their number and last failure, timers, the reason of a stall; of children and of executions that are sent
something, what those wait for. Say of a closed one how it ended, and which entries led there, through
its children, its parent, and whoever sent it something.`,
		Example: "  clew why order-17",
		Args:    oneID,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			e, err := s.open(cmd)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, e.close()) }()
			run, err := e.run(cmd.Context(), args[0], 0)
			if err != nil {
				return err
			}
			x := &explanation{id: args[0], run: run, state: history.Fold(run...), served: e.served, now: now()}
			// It may have gone on meanwhile; then nothing is in hand that is asked for here.
			if x.standing, err = e.Describe(cmd.Context(), e.id(args[0])); err != nil {
				return err
			}
			x.others = e.others(cmd.Context())
			_, err = io.WriteString(cmd.OutOrStdout(), x.String())
			return err
		},
	}
}

// An explanation says why a run is open or how it ended.
type explanation struct {
	id       string
	run      []history.Entry
	state    *history.State
	standing runtime.Description
	served   bool // by a process that has the store open
	now      time.Time
	others   *others  // nil: others are named and not followed
	awaited  *awaited // what was found by following them
	here     int      // how many were followed from here
	b        strings.Builder
}

func (x *explanation) say(format string, args ...any) {
	fmt.Fprintf(&x.b, format+"\n", args...)
}

func (x *explanation) String() string {
	if x.state.Open() {
		x.open()
	} else {
		x.closed()
	}
	for _, line := range toldHolds(x.standing.Holds) {
		x.say("%s", line)
	}
	return x.b.String()
}

// name names the execution with its type and, if there were others before, its run.
func (x *explanation) name() string {
	text := fmt.Sprintf("%s, workflow %s", plain(x.id), plain(x.state.Run.Type))
	if n := x.state.Run.Number; n > 1 {
		text += fmt.Sprintf(", run %d", n)
	}
	return text
}

func (x *explanation) open() {
	x.awaited = &awaited{path: []string{x.id}}
	x.opened()
	x.inTheEnd()
	x.ends()
}

// opened says why it is open.
func (x *explanation) opened() {
	s := x.state
	x.say("%s, is open since %s (%s): %s.", x.name(), second(s.Run.Started), span(x.now.Sub(s.Run.Started)), s.Status)
	if s.Stall != nil {
		x.stall()
	}
	x.say("It waits for:")
	if x.standing.Halted != "" {
		x.say("- somebody to lift the rule: it is %s.", plain(x.standing.Halted))
	}
	for _, r := range s.Waiting() {
		switch {
		case s.Activities[r.Step] != nil:
			x.activity(s.Activities[r.Step])
		case !s.Timers[r.Step].IsZero():
			x.timer(r.Step, s.Timers[r.Step])
		case s.Stall != nil && r.Step == 0 && strings.HasPrefix(r.Why, "stalled"):
			x.say("- code that fits: a program with it, or with the old code, that opens the store.")
		case r.Why == "a signal":
			x.say("- a signal, since %s, for as long as it takes: what the code receives is known to the code alone.", second(r.Since))
		default:
			x.reason(r)
		}
		x.follow(r)
	}
}

func (x *explanation) reason(r history.Reason) {
	text := "- " + plain(r.Why)
	if x.standing.Slot != "" && r.Step == 0 && x.state.Run.Queued && r.Why == x.state.Run.SlotWanted() {
		text += ": " + plain(x.standing.Slot)
	}
	if !r.Since.IsZero() {
		text += ", since " + second(r.Since)
	}
	if !r.Until.IsZero() {
		text += fmt.Sprintf(", until %s (%s)", second(r.Until), seen(r.Until, x.now))
	}
	x.say("%s.", text)
}

func (x *explanation) stall() {
	stall := x.state.Stall
	x.say("It has stalled at %s (%s) with build %s:", second(stall.Since), seen(stall.Since, x.now), plain(stall.Build))
	x.say("  %s", indented(stall.Reason))
	for _, e := range x.run {
		if v, ok := e.Event.(*history.Stalled); ok && e.Seq == stall.Seq {
			var detail map[string]string
			if v.Detail.Decode(&detail) == nil && detail["stack"] != "" {
				x.say("  stack:\n    %s", strings.ReplaceAll(indented(strings.TrimSpace(detail["stack"])), "\n  ", "\n    "))
			}
		}
	}
	x.say("Nothing is lost: it goes on by itself when code arrives that fits.")
}

func indented(s string) string { return strings.ReplaceAll(plainLines(s), "\n", "\n  ") }

// inHand is what is known of the attempt in hand of an activity, where it is made.
func (x *explanation) inHand(step history.Step) (a runtime.PendingActivity) {
	if x.standing.Run == x.state.Run.ID {
		for _, p := range x.standing.Activities {
			if p.Step == uint64(step) {
				a = p
			}
		}
	}
	return a
}

func (x *explanation) activity(a *history.Activity) {
	hand, queue := x.inHand(a.Step), ""
	if a.Queue != "" {
		queue = " of queue " + plain(a.Queue)
	}
	x.say("- attempt %d of activity %s (step %d), scheduled %s.", a.Attempt, plain(a.Name), a.Step, second(a.Scheduled))
	switch started := hand.Started; {
	case a.Pending:
		x.say("  It goes on outside since %s (%s); whoever has its token can complete or fail it.%s", second(a.Started), seen(a.Started, x.now), x.beat(hand.LastHeartbeat))
	case !started.IsZero():
		x.say("  It is being made since %s (%s).%s", second(started), seen(started, x.now), x.beat(hand.LastHeartbeat))
	case x.state.Pause != nil:
		x.say("  It is not begun while the execution is paused.")
	case x.standing.Halted != "":
		x.say("  It is not begun while that is paused.")
	case a.RetryAt.After(x.now):
		x.say("  It begins at %s (%s).", moment(a.RetryAt), seen(a.RetryAt, x.now))
	case hand.Waits != "":
		x.say("  It waits for the %s.", plain(hand.Waits))
	case !x.served:
		x.say("  It begins when a worker%s takes it.", queue)
	default:
		x.say("  No worker%s has taken it: all are busy, or none serves it.", queue)
	}
	if !a.LastFailure.Absent() || a.LastLimit != "" {
		last := "passed its limit " + plain(a.LastLimit)
		if a.LastLimit == "" {
			last = "failed: " + abridged(messageOf(a.LastFailure))
		}
		x.say("  %s, the last %s.", failures(a), last)
	}
	if a.CancelRequested {
		x.say("  It is asked to stop, and the code waits for how it ends.")
	}
	x.limits(a)
	x.policy(a, hand)
}

func failures(a *history.Activity) string {
	n := a.Attempt - 1
	if a.Lost > 0 {
		return fmt.Sprintf("%s before did not complete, %d in a row were lost with their process", count(n, "attempt", "attempts"), a.Lost)
	}
	return count(n, "attempt", "attempts") + " before did not complete"
}

func (x *explanation) beat(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return fmt.Sprintf(" Its last sign of life was at %s (%s).", second(t), seen(t, x.now))
}

func (x *explanation) timer(step history.Step, due time.Time) {
	since, length := "", ""
	for _, e := range x.run {
		if v, ok := e.Event.(*history.TimerStarted); ok && v.Step == step {
			since, length = ", since "+second(e.At), " of "+span(v.After)
		}
	}
	x.say("- a timer%s (step %d)%s: it fires by itself at %s (%s).", length, step, since, second(due), seen(due, x.now))
}

// ends says what else could end it.
func (x *explanation) ends() {
	s := x.state
	if len(s.Timers) > 0 {
		x.say("A signal may end that wait earlier: which signals the code receives is known to the code alone.")
	}
	if n := s.Run.Signals; n > 0 {
		x.say("It has been sent %s so far.", count(n, "signal", "signals"))
	}
	if s.Run.CancelRequested {
		x.say("It has been asked to cancel; the code may clean up first, or go on.")
	}
	x.deadlines()
	for _, line := range toldSettings(x.standing.Policy) {
		x.say("%s", line)
	}
	if !x.served {
		x.say("No process has the store open, so nothing goes on until one does.")
	}
}

func (x *explanation) closed() {
	s, last := x.state, x.run[len(x.run)-1]
	how := map[history.Status]string{history.StatusTimedOut: "timed out", history.StatusCompleted: "completed", history.StatusContinued: "was continued as new",
		history.StatusFailed: "failed", history.StatusCancelled: "was cancelled", history.StatusTerminated: "was terminated"}[s.Status]
	by := ""
	if last.By == history.Client || strings.HasPrefix(string(last.By), string(history.Operator)) {
		by = " by " + plain(string(last.By))
	}
	x.say("%s, %s%s at %s, %s after it began.", x.name(), how, by, second(s.Run.Closed), span(s.Run.Closed.Sub(s.Run.Started)))
	before := history.Fold(x.run[:len(x.run)-1]...)
	switch {
	case !s.Outcome.Failure.Absent():
		f := history.ReadFailure(s.Outcome.Failure)
		x.say("The code returned: %s", plain(messageOf(s.Outcome.Failure)))
		f.Any(func(f *history.Failure) bool {
			if f.Panicked && f.Stack != "" {
				x.say("stack:\n  %s", indented(strings.TrimSpace(f.Stack)))
			}
			return f.Panicked && f.Stack != ""
		})
	case s.Status == history.StatusTerminated && s.Outcome.Reason != "":
		x.say("The reason given: %s", plain(s.Outcome.Reason))
	case s.Status == history.StatusTimedOut && s.Outcome.Step > 0:
		x.say("The limit %s of the activity of step %d passed, and its policy says that this closes the run.", plain(s.Outcome.Reason), s.Outcome.Step)
	case s.Status == history.StatusTimedOut:
		x.say("The time of the %s was over.", plain(s.Outcome.Reason))
	case !s.Outcome.Result.Absent():
		x.say("The result%s", (&teller{}).payload(s.Outcome.Result))
	}
	if s.Status == history.StatusTerminated || s.Status == history.StatusTimedOut {
		x.say("It was waiting for:")
		for _, r := range before.Waiting() {
			x.say("- %s", plain(r.String()))
		}
	}
	x.because()
	x.led()
}

// What is printed of the entries that led to the end.
const (
	lastEntries = 5  // whatever they are about
	ofCause     = 12 // about the activity that did not complete
)

// led prints the entries that led to the end.
func (x *explanation) led() {
	step, has := x.cause()
	recent := max(len(x.run)-lastEntries, 1)
	related := 0
	for _, e := range x.run[1:recent] {
		if has && about(e.Event) == step {
			related++
		}
	}
	x.say("What led there:")
	p := newPrinter(&x.b, false)
	left := related - ofCause
	for i, e := range x.run {
		text := p.teller.tell(e)
		_, asked := e.Event.(*history.CancelRequested)
		if i > 0 && i < recent && !asked {
			if !has || about(e.Event) != step {
				continue
			}
			_, scheduled := e.Event.(*history.ActivityScheduled)
			if left > 0 && !scheduled {
				if left--; left == 0 {
					_ = p.note("…", fmt.Sprintf("%d more entries about it", related-ofCause)) // into memory
				}
				continue
			}
		}
		_ = p.line(fmt.Sprint(e.Seq), e, text)
	}
	_ = p.close()
}

// cause is the step of the activity that the run ended with, if its end names one.
func (x *explanation) cause() (step history.Step, ok bool) {
	outcome := x.state.Outcome
	if outcome.Step > 0 || outcome.Failure.Absent() {
		return outcome.Step, outcome.Step > 0
	}
	f, name := history.ReadFailure(outcome.Failure), ""
	f.Any(func(f *history.Failure) bool {
		name = f.Activity
		return name != ""
	})
	names := map[history.Step]string{}
	for _, e := range x.run {
		var settled history.Step
		switch v := e.Event.(type) {
		case *history.ActivityScheduled:
			names[v.Step] = v.Name
		case *history.ActivityFailed:
			settled = v.Step
		case *history.ActivityTimedOut:
			settled = v.Step
		}
		if settled > 0 && names[settled] == name {
			step, ok = settled, true
		}
	}
	return step, ok
}

// about is the step of an activity's entry, 0 if it is another's. Heartbeats lead to nothing.
func about(e history.Event) history.Step {
	switch v := e.(type) {
	case *history.ActivityScheduled:
		return v.Step
	case *history.AttemptStarted:
		return v.Step
	case *history.AttemptFailed:
		return v.Step
	case *history.AttemptLost:
		return v.Step
	case *history.AttemptOverdue:
		return v.Step
	case *history.ActivityFailed:
		return v.Step
	case *history.ActivityTimedOut:
		return v.Step
	}
	return 0
}
