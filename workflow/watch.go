package workflow

import (
	"fmt"
	"slices"
	"strings"

	"github.com/clewflow/clew/history"
)

// Sight is something that the code of a run comes by and that its history does not show, or not in which place of the code.
// Tools have a run watched when they replay it; nobody does in production, where it costs a look at a nil.
type Sight struct {
	Kind  SightKind
	Name  string       // of the signal, update, query or gate
	Step  history.Step // of the timer, activity or child
	Place string       // where in the author's code, of what has no name; whoever watches finds it
	Cases []string     // what can come of it
	Came  int          // which of them has come; -1: none yet
}

// SightKind is what a [Sight] is of.
type SightKind string

// What can be seen.
const (
	SeenSelect  SightKind = "select"
	SeenAwait   SightKind = "await"
	SeenTimer   SightKind = "timer"
	SeenUndo    SightKind = "undo"
	SeenGate    SightKind = "gate"
	SeenSignal  SightKind = "signal"
	SeenUpdate  SightKind = "update"
	SeenQuery   SightKind = "query"
	SeenFind    SightKind = "lookup"
	SeenEndless SightKind = "endless" // an activity or a child that no end of a scope can reach
)

// Watch is told of sights. It returns the place of one, for what comes of it elsewhere.
type Watch func(Sight) (place string)

// What comes of waiting.
const (
	cameTimeout = "ran out of time"
	cameEnd     = "ended with its scope"
)

// see tells what came of a choice between cases: got, unless that is nil.
func (c Context) see(cases []Case, within bool, got Case, err error) {
	s := Sight{Kind: SeenSelect, Came: -1}
	came := func(words string) {
		if s.Came = slices.Index(s.Cases, words); s.Came < 0 {
			s.Came = len(s.Cases)
			s.Cases = append(s.Cases, words)
		}
	}
	timers := 0
	for _, one := range cases {
		words := "took " + c.words(one, &timers)
		if !slices.Contains(s.Cases, words) {
			s.Cases = append(s.Cases, words)
		}
		if got == one && s.Came < 0 {
			came(words)
		}
	}
	s.Cases = c.endings(s.Cases, within)
	switch {
	case err != nil:
		came(cameEnd)
	case got == Timeout:
		came(cameTimeout)
	}
	c.run.watch(s)
}

// endings are cases with those of waiting itself.
func (c Context) endings(cases []string, within bool) []string {
	if within {
		cases = append(cases, cameTimeout)
	}
	if !c.scope.endless && !slices.Contains(cases, "took Default") {
		cases = append(cases, cameEnd)
	}
	return cases
}

// words say what a case is, the same in each run.
func (c Context) words(one Case, timers *int) string {
	switch one := one.(type) {
	case fixed:
		return "Default"
	case Timer:
		if *timers++; *timers > 1 {
			return fmt.Sprintf("timer %d", *timers)
		}
		return "a timer"
	default:
		about := one.bell(c).About
		if about == nil {
			return "something of the code's own"
		}
		words, _, _ := strings.Cut(about(), " (step")
		if strings.HasPrefix(words, "child ") {
			return "a child" // its id is another one each time
		}
		return words
	}
}

// seeAwait tells what came of an await: held unless there is an error. A nil held is that nothing has yet.
func (c Context) seeAwait(within bool, held *bool, err error) {
	s := Sight{Kind: SeenAwait, Came: -1, Cases: c.endings([]string{"held"}, within)}
	switch {
	case err != nil:
		s.Came = slices.Index(s.Cases, cameEnd)
	case held != nil && *held:
		s.Came = 0
	case held != nil:
		s.Came = slices.Index(s.Cases, cameTimeout)
	}
	c.run.watch(s)
}

// What comes of a lookup.
const (
	cameRows = "found runs"
	cameNone = "found none"
)

// seeFind tells what came of a lookup, if anything has.
func (c Context) seeFind(p *Pending, n int, err error) {
	if c.run.watch == nil {
		return
	}
	s := Sight{Kind: SeenFind, Came: -1, Cases: []string{cameRows, cameNone}}
	switch {
	case !p.done || err != nil:
	case n > 0:
		s.Came = 0
	default:
		s.Came = 1
	}
	c.run.watch(s)
}

// seeTimer tells of a timer that the author started. One that sleeps cannot be stopped by itself.
func (c Context) seeTimer(t Timer, sleeps bool) {
	cases := []string{"fired"}
	if !sleeps {
		cases = append(cases, "was stopped")
	}
	c.run.watch(Sight{Kind: SeenTimer, Step: t.step, Cases: cases, Came: -1})
}

// seen is an undo step that tells when it is done.
func (u *Undo) seen(fn func(Context) error) func(Context) error {
	s := Sight{Kind: SeenUndo, Cases: []string{"ran"}, Came: -1}
	s.Place = u.watch(s)
	s.Came = 0
	return func(ctx Context) error {
		u.watch(s)
		return fn(ctx)
	}
}

// seeGate tells which way the code went at a gate.
func (c Context) seeGate(id string, latest, way int) {
	s := Sight{Kind: SeenGate, Name: id, Came: way, Cases: []string{"was passed by a run from before it"}}
	for v := 1; v <= max(latest, way); v++ {
		words := "was passed by a new run"
		if latest > 1 {
			words = fmt.Sprintf("gave variant %d", v)
		}
		s.Cases = append(s.Cases, words)
	}
	c.run.watch(s)
}

// seeName tells of a message or a question that the code knows, and of one that it has received.
func seeName(watch Watch, kind SightKind, name string, received bool) {
	words := map[SightKind]string{SeenSignal: "was received", SeenUpdate: "was accepted", SeenQuery: "was asked"}[kind]
	s := Sight{Kind: kind, Name: name, Cases: []string{words}, Came: -1}
	if received {
		s.Came = 0
	}
	watch(s)
}

// seeEndless tells of a step that no end of a scope can reach.
func (c Context) seeEndless(step history.Step) {
	if c.scope.endless {
		c.run.watch(Sight{Kind: SeenEndless, Step: step, Came: -1})
	}
}
