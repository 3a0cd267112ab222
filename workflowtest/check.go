package workflowtest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/workflow"
)

// check checks histories: that their hashes are whole and that they replay from each entry on. It says what is wrong. No more than
// some entries of a history are told to the code.
func (p *play) check(all map[string][]history.Entry, observations int) string {
	var wrong strings.Builder
	for _, id := range slices.Sorted(maps.Keys(all)) {
		if err := p.checkOne(all[id], observations); err != nil {
			fmt.Fprintf(&wrong, "%s: %v\n%s\n", id, err, table(all[id], notes(err)...))
		}
	}
	return strings.TrimSuffix(wrong.String(), "\n")
}

func (p *play) checkOne(entries []history.Entry, observations int) error {
	var chain history.Chain
	for _, e := range entries {
		if err := chain.Check(e); err != nil {
			return err
		}
	}
	for rest := entries; len(rest) > 0; {
		run := replay.FirstRun(rest)
		if err := p.checkRun(entries, run, observations); err != nil {
			return err
		}
		rest = rest[len(run):]
	}
	return nil
}

// observations bounds how many entries the code is told to check a run.
const observations = 40_000

// checkRun replays a run, and remembers it at each entry to go on from there. Of a long one it takes samples. What other code has
// written is replayed as a whole only: taken up before the answer of that code to an input, code with a gate may give its own.
func (p *play) checkRun(entries, run []history.Entry, observations int) error {
	config, err := replay.ConfigOf(replay.Config{Level: replay.Strict, Forecast: true}, entries, run)
	if err != nil {
		return err
	}
	started := run[0].Event.(*history.Started)
	if config.Code = p.codes(started.Type, history.VersionOf(run)); config.Code == nil {
		if p.isStub(started.Type) {
			return nil // it is none of the author's
		}
		return fmt.Errorf("no code for workflow %s", started.Type)
	}
	stride := 1 + len(run)*len(run)/2/observations
	if p.last != nil || len(p.exploration.codes) > 0 {
		stride = len(run)
	}
	for n := len(run); n > 0; n -= stride {
		if err := ungated(resume(config, run, n)); err != nil {
			return fmt.Errorf("the history does not replay when it is taken up after entry %d: %w", run[n-1].Seq, err)
		}
	}
	return nil
}

// ungated takes the advice for changed code off a mismatch: it is the same code that was run.
func ungated(err error) error {
	var m *replay.Mismatch
	if !errors.As(err, &m) {
		return err
	}
	same := *m
	same.Advice, same.Gate, same.Snippet = "", "", ""
	return &same
}

// resume remembers the first n entries of a run and goes on to the end of the turn.
func resume(config replay.Config, run []history.Entry, n int) error {
	m, err := replay.Remember(config, run[:n])
	if m != nil {
		defer m.Stop()
	}
	size := 0
	for _, e := range run[:n] {
		size += e.Length()
	}
	for i := n; i < len(run) && err == nil && run[i].Event.Role() != history.Input; i++ {
		err = m.Observe(&run[i], size)
		size += run[i].Length()
	}
	return err
}

// codes finds the code of a workflow of the author's.
func (p *play) codes(name string, version int) workflow.Code {
	if p.isStub(name) {
		return nil
	}
	for _, d := range p.code(p.last) {
		if b, ok := workflow.BodyOf(d); ok && b.Name == name && b.Settings.Version == version && b.Code != nil {
			return b.Code
		}
	}
	return nil
}
