package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/clewflow/clew/history"
)

func compare(s *site) *cobra.Command {
	return &cobra.Command{
		Use:   "compare ID[#RUN] ID[#RUN]",
		Short: "Compare two runs entry by entry",
		Long: `Compare two runs entry by entry: where they first part, how each ended, and for each step how long it took and
in how many attempts. A run is the last one of its execution, or #RUN is its number. Times, attempts that came
to nothing, heartbeats and the ids of the executions are no difference between entries.`,
		Example: "  clew compare order-17 order-18\n  clew compare order-17#1 order-17#2",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return errors.New("two executions are wanted, such as order-17 order-18, or order-17#1 order-17#2")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			e, err := s.open(cmd)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, e.close()) }()
			var both [2]*compared
			for i, arg := range args {
				id, number := arg, uint64(0)
				if at := strings.LastIndexByte(arg, '#'); at > 0 {
					if n, err := strconv.ParseUint(arg[at+1:], 10, 64); err == nil && n > 0 {
						id, number = arg[:at], n
					}
				}
				run, err := e.run(cmd.Context(), id, number)
				if err != nil {
					return err
				}
				both[i] = comparedOf(arg, id, run)
			}
			_, err = io.WriteString(cmd.OutOrStdout(), difference(both[0], both[1]))
			return err
		},
	}
}

// compared is a run that is held against another.
type compared struct {
	name  string
	state *history.State
	last  time.Time
	all   []told
	steps map[history.Step]*took
}

// told is an entry in words that say nothing of what is another in each run.
type told struct {
	seq   uint64
	text  string
	shape string // what happened, without values
}

// took is what became of a step.
type took struct {
	what         string
	asked, ended time.Time
	attempts     int
	how          string
}

// whichAttempt is how it is said which attempt came to something.
var whichAttempt = regexp.MustCompile(`, attempt \d+,`)

func comparedOf(name, id string, run []history.Entry) *compared {
	c := &compared{name: plain(name), state: history.Fold(run...), last: run[len(run)-1].At, steps: map[history.Step]*took{}}
	t := newPrinter(io.Discard, true).teller
	for _, e := range run {
		text := t.event(e)
		if v, is := e.Event.(*history.Started); is {
			text = fmt.Sprintf("workflow %s version %d started%s", plain(v.Type), v.Version, t.payload(v.Input))
		}
		if e.Event.Role() != history.Note {
			c.all = append(c.all, told{seq: e.Seq, shape: shapeOf(e), text: strings.ReplaceAll(whichAttempt.ReplaceAllString(text, ""), plain(id), "…")})
		}
		c.note(e, text)
	}
	return c
}

// note keeps what an entry says of a step.
func (c *compared) note(e history.Entry, text string) {
	if step := askedBy(e.Event); step > 0 {
		c.steps[step] = &took{what: whatOf(e.Event), asked: e.At}
	}
	if step := settledBy(e.Event); step > 0 && c.steps[step] != nil {
		s := c.steps[step]
		s.ended, s.how = e.At, strings.TrimPrefix(e.Event.Kind(), "activity-")
		if v, is := e.Event.(*history.ChildClosed); is {
			s.how = v.Status.String()
		}
		if _, is := e.Event.(*history.Sent); is && strings.HasPrefix(text, "not ") {
			s.how = "refused"
		}
	}
	var t history.Try
	switch v := e.Event.(type) {
	case *history.ActivityCompleted:
		t = v.Try
	case *history.ActivityFailed:
		t = v.Try
	case *history.ActivityTimedOut:
		t = v.Try
	case *history.AttemptFailed:
		t = v.Try
	}
	if s := c.steps[t.Step]; s != nil {
		s.attempts = max(s.attempts, t.Attempt)
	}
}

// shapeOf is what happened in an entry, whatever the values are.
func shapeOf(e history.Entry) string {
	what := ""
	switch v := e.Event.(type) {
	case *history.Started:
		what = v.Type
	case *history.ActivityScheduled, *history.ChildAsked:
		what = whatOf(v)
	case *history.ChildClosed:
		what = v.Status.String()
	case *history.Signaled:
		what = v.Name
	}
	return fmt.Sprint(e.Event.Kind(), " ", stepOf(e), " ", what)
}

func whatOf(e history.Event) string {
	switch v := e.(type) {
	case *history.ActivityScheduled:
		return "activity " + plain(v.Name)
	case *history.TimerStarted:
		return "timer of " + span(v.After)
	case *history.ChildAsked:
		return "child " + plain(v.Type)
	case *history.SendAsked:
		return "message to " + plain(v.ID)
	}
	return e.Kind()
}

// difference says in words how two runs differ.
func difference(a, b *compared) string {
	var out strings.Builder
	same := func(like func(x, y told) bool) (n int) {
		for n < len(a.all) && n < len(b.all) && like(a.all[n], b.all[n]) {
			n++
		}
		return n
	}
	n, shapes := same(func(x, y told) bool { return x.text == y.text }), same(func(x, y told) bool { return x.shape == y.shape })
	at := func(c *compared, n int) string {
		if n == len(c.all) {
			return c.name + ": nothing more" + map[bool]string{true: " yet"}[c.state.Open()]
		}
		return fmt.Sprintf("%s, entry %d: %s", c.name, c.all[n].seq, abridged(c.all[n].text))
	}
	switch {
	case n == len(a.all) && n == len(b.all):
		fmt.Fprintf(&out, "All %s are the same.\n", count(n, "entry", "entries"))
	default:
		fmt.Fprintf(&out, "They part after %s:\n- %s\n- %s\n", count(n, "entry", "entries"), at(a, n), at(b, n))
		switch {
		case shapes == len(a.all) && shapes == len(b.all):
			fmt.Fprintln(&out, "What happens is the same, with other values.")
		case shapes > n:
			fmt.Fprintf(&out, "What happens is the same for %s, with other values, and then not:\n- %s\n- %s\n", count(shapes, "entry", "entries"), at(a, shapes), at(b, shapes))
		}
	}
	t := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	row := func(what, left, right string) {
		mark := " "
		if left != right {
			mark = "*"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", mark, what, left, right)
	}
	fmt.Fprintf(t, "\t\t%s\t%s\n", a.name, b.name)
	row("outcome", a.outcome(), b.outcome())
	row("started", second(a.state.Run.Started), second(b.state.Run.Started))
	row("took", a.length(), b.length())
	steps := maps.Clone(a.steps)
	maps.Copy(steps, b.steps)
	for _, step := range slices.Sorted(maps.Keys(steps)) {
		what, left, right := steps[step].what, a.step(step), b.step(step)
		if x, y := a.steps[step], b.steps[step]; x != nil && y != nil && x.what != y.what {
			what, left, right = "", x.what+" "+left, y.what+" "+right
		}
		row(strings.TrimSpace(fmt.Sprintf("step %d %s", step, what)), left, right)
	}
	_ = t.Flush() // into memory
	var lines strings.Builder
	_ = printLines(&lines, out.String())
	return lines.String()
}

func (c *compared) outcome() string {
	text := c.state.Status.String()
	switch o := c.state.Outcome; {
	case !o.Failure.Absent():
		text += ": " + messageOf(o.Failure)
	case !o.Result.Absent():
		text += (&teller{}).payload(o.Result)
	case o.Reason != "":
		text += ": " + o.Reason
	}
	return abridged(text)
}

func (c *compared) length() string {
	if c.state.Open() {
		return span(c.last.Sub(c.state.Run.Started)) + " so far"
	}
	return span(c.state.Run.Closed.Sub(c.state.Run.Started))
}

func (c *compared) step(step history.Step) string {
	s := c.steps[step]
	if s == nil {
		return "-"
	}
	text := "open"
	if !s.ended.IsZero() {
		text = s.how + " after " + span(s.ended.Sub(s.asked))
	}
	if s.attempts > 1 {
		text += fmt.Sprintf(", %d attempts", s.attempts)
	}
	return text
}

// stepOf is the step that an entry is about; 0: none.
func stepOf(e history.Entry) history.Step {
	var about struct {
		Event struct{ Step history.Step }
	}
	_ = json.Unmarshal(history.AppendEntry(nil, e), &about) // what says no step is about none
	return about.Event.Step
}
