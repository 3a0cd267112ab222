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
// Which asks leave no entry is a rule of this package, frozen and never decided again: a cancel whose target's outcome
// stands before the place where it would be recorded, and anything after the end of the run was asked.
package replay

import (
	"fmt"

	"github.com/clewflow/clew/history"
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

// Codes finds the code of a workflow; nil if it is not here.
type Codes func(workflow string, version int) workflow.Code

// Verify holds all runs in a history against code: each decision must be what the code asks at that place, and nothing
// may be asked that is not recorded. Because entries are shown one by one, this checks every prefix too. The error is a
// *[Mismatch], a *[Stalled], or says which workflow has no code.
func Verify(codes Codes, level Level, entries []history.Entry) error {
	for len(entries) > 0 {
		run := entries[:1]
		for len(run) < len(entries) && !begins(entries[len(run)]) {
			run = entries[:len(run)+1]
		}
		entries = entries[len(run):]
		if err := verifyRun(codes, level, run); err != nil {
			return err
		}
	}
	return nil
}

func begins(e history.Entry) bool {
	_, ok := e.Event.(*history.Started)
	return ok
}

func verifyRun(codes Codes, level Level, run []history.Entry) error {
	started, ok := run[0].Event.(*history.Started)
	if !ok {
		return fmt.Errorf("replay: entry %d is %s, a run begins with started", run[0].Seq, run[0].Event.Kind())
	}
	code := codes(started.Type, started.Version)
	if code == nil {
		return fmt.Errorf("replay: no code for workflow %s", started.Type)
	}
	m, err := Remember(Config{Code: code, Level: level}, run)
	if m != nil {
		m.Stop()
	}
	return err
}
