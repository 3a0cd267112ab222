// Package replay runs workflow code along a history.
//
// A [Machine] is one run of one workflow. It is shown the entries of the run one by one: an input is told to the code; a
// decision must answer what the code asked first and was not answered yet. Live execution is replay that ran out of
// history: what the code has asked and is not recorded is what [Machine.Asks] returns.
//
// What the code has asked after an entry depends on the entries up to it alone, so every prefix of every history replays.
// The one exception are gates and kept values, whose markers are found by name anywhere in the run; that is why a machine
// is shown the whole run before the first input is told, see [Machine.Remember].
//
// Where code and history part, a [Mismatch] says what was changed in the code, as far as that can be told from what it asks
// and from what is recorded further on, and which gate would help.
//
// Which asks leave no entry is a rule of this package, frozen and never decided again: a cancel whose target's outcome
// stands before the place where it would be recorded, and anything after the end of the run was asked.
package replay

import (
	"errors"
	"fmt"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/diff"
	"github.com/clewflow/clew/workflow"
)

// Level says how closely a history is held against the code.
type Level int

const (
	// Names compares kinds, steps and names. An input that differs passes with a warning, unless it is that of another open
	// step of the same name: then the order has changed.
	Names Level = iota
	// Strict also compares inputs, results and asked durations.
	Strict
)

// ErrNoCode says that a history is of a workflow, or of a version of one, that is not here.
var ErrNoCode = errors.New("replay: no code for workflow")

// Codes finds the code of a workflow; nil if it is not here.
type Codes func(workflow string, version int) workflow.Code

// Check is how histories are held against code.
type Check struct {
	Codes  Codes
	Level  Level
	Ignore []Field // parts of values that may differ at level Strict
}

// Verify holds all runs in a history against code at a level, see [Check.Verify].
func Verify(codes Codes, level Level, entries []history.Entry) error {
	return Check{Codes: codes, Level: level}.Verify(entries)
}

// Verify holds all runs in a history against code: each decision must be what the code asks at that place, and nothing
// may be asked that is not recorded. Because entries are shown one by one, this checks every prefix too. The error is a
// *[Mismatch], a *[Stalled], or [ErrNoCode] with the name.
//
// After a mismatch the code is asked on, with empty results for what is not recorded, to tell what was changed.
func (c Check) Verify(entries []history.Entry) error {
	for _, f := range c.Ignore {
		if err := f.Check(); err != nil {
			return err
		}
	}
	for rest := entries; len(rest) > 0; {
		run := FirstRun(rest)
		rest = rest[len(run):]
		if err := c.run(entries, run); err != nil {
			return err
		}
	}
	return nil
}

// FirstRun is the first of the runs in a history.
func FirstRun(entries []history.Entry) []history.Entry {
	for i := 1; i < len(entries); i++ {
		if _, begins := entries[i].Event.(*history.Started); begins {
			return entries[:i]
		}
	}
	return entries
}

// ConfigOf is what a machine of a run needs that is among the entries of a history: what the runs before have left to it.
func ConfigOf(c Config, entries []history.Entry, run []history.Entry) (Config, error) {
	started, ok := run[0].Event.(*history.Started)
	if !ok {
		return c, fmt.Errorf("replay: entry %d is %s, a run begins with started", run[0].Seq, run[0].Event.Kind())
	}
	var err error
	c.Carried, err = CarriedBy(started, func(seq uint64) (history.Event, error) {
		if first := entries[0].Seq; seq >= first && seq < run[0].Seq {
			return entries[seq-first].Event, nil
		}
		return nil, errors.New("it is not among those at hand")
	})
	return c, err
}

func (c Check) run(entries, run []history.Entry) error {
	config, err := ConfigOf(Config{Level: c.Level, Ignore: c.Ignore, Forecast: true}, entries, run)
	if err != nil {
		return err
	}
	started := run[0].Event.(*history.Started)
	if config.Code = c.Codes(started.Type, history.VersionOf(run)); config.Code == nil {
		return fmt.Errorf("%w %s", ErrNoCode, versioned(started))
	}
	m, err := Remember(config, run)
	if m != nil {
		m.Stop()
	}
	if err != nil {
		return err
	}
	return m.continues(entries, run)
}

func versioned(s *history.Started) string {
	if s.Version == 0 {
		return s.Type
	}
	return fmt.Sprintf("%s version %d", s.Type, s.Version)
}

// continues holds the input with which the code goes on against that of the next run.
func (m *Machine) continues(entries, run []history.Entry) error {
	last := run[len(run)-1]
	i := last.Seq + 1 - entries[0].Seq
	if _, ok := last.Event.(*history.Continued); !ok || i >= uint64(len(entries)) {
		return nil
	}
	next, ok := entries[i].Event.(*history.Started)
	if !ok || m.config.Level != Strict || next.Input.Sum == m.next.Sum || m.ignores(m.run.Type, next.Input, m.next) {
		return nil
	}
	r := wish{kind: continues, value: next.Input, said: abridged(next.Input, longest)}
	a := wish{kind: continues, value: m.next, said: abridged(m.next, longest)}
	mm := m.part(entries[i].Seq, &r, nil, Changed, "the code continues as new with another input"+where(r.value, a.value))
	mm.Asked = a.String()
	p := &parting{recorded: []wish{r}, asked: []wish{a}, pairs: []diff.Pair{{}}}
	p.advise(mm)
	return mm
}
