package workflowtest

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/workflow"
)

// check checks a history: that its hashes are whole and that it replays from each entry on.
func (p *play) check(entries []history.Entry) error {
	var chain history.Chain
	for _, e := range entries {
		if err := chain.Check(e); err != nil {
			return err
		}
	}
	for rest := entries; len(rest) > 0; {
		run := replay.FirstRun(rest)
		if err := p.checkRun(entries, run); err != nil {
			return err
		}
		rest = rest[len(run):]
	}
	return nil
}

// observations bounds how many entries the code is told to check a run.
const observations = 40_000

// checkRun replays a run, and remembers it at each entry to go on from there. Of a long one it takes samples.
func (p *play) checkRun(entries, run []history.Entry) error {
	config, err := replay.ConfigOf(replay.Config{Level: replay.Strict}, entries, run)
	if err != nil {
		return err
	}
	started := run[0].Event.(*history.Started)
	if config.Code = p.codes(started.Type, started.Version); config.Code == nil {
		if p.isStub(started.Type) {
			return nil // it is none of the author's
		}
		return fmt.Errorf("no code for workflow %s", started.Type)
	}
	stride := 1 + len(run)*len(run)/2/observations
	for n := len(run); n > 0; n -= stride {
		if err := resume(config, run, n); err != nil {
			return fmt.Errorf("the history does not replay when it is taken up after entry %d: %w", run[n-1].Seq, err)
		}
	}
	return nil
}

// resume remembers the first n entries of a run and goes on to the end of the turn.
func resume(config replay.Config, run []history.Entry, n int) error {
	m, err := replay.Remember(config, run[:n])
	if m != nil {
		defer m.Stop()
	}
	size := 0
	for _, e := range run[:n] {
		size += e.Size()
	}
	for i := n; i < len(run) && err == nil && run[i].Event.Role() != history.Input; i++ {
		err = m.Observe(&run[i], size)
		size += run[i].Size()
	}
	return err
}

// code finds the code of a workflow.
func (p *play) code(name string, version int) workflow.Code {
	for _, d := range append([]workflow.Definition{p.workflow}, p.definitions...) {
		if b, ok := workflow.BodyOf(d); ok && b.Name == name && b.Settings.Version == version && b.Code != nil {
			return b.Code
		}
	}
	return nil
}

// difference shows the first line in which two histories differ; empty: they do not.
func difference(one string, a []byte, other string, b []byte) string {
	if bytes.Equal(a, b) {
		return ""
	}
	as, bs := strings.Split(strings.TrimSpace(string(a)), "\n"), strings.Split(strings.TrimSpace(string(b)), "\n")
	for i := range max(len(as), len(bs)) {
		l, r := at(as, i), at(bs, i)
		if l == r {
			continue
		}
		same := 0
		for same < min(len(l), len(r)) && l[same] == r[same] {
			same++
		}
		width := max(len(one), len(other))
		var s strings.Builder
		fmt.Fprintf(&s, "they differ at entry %d of %d and %d:\n", i+1, len(as), len(bs))
		fmt.Fprintf(&s, "  %-*s  %s\n  %-*s  %s\n", width, one, around(l, same), width, other, around(r, same))
		fmt.Fprintf(&s, "%s:\n%s%s:\n%s", one, readable(a), other, readable(b))
		return s.String()
	}
	return "they differ in how their lines end\n"
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(nothing)"
}

// around is the part of a line about a place in it.
func around(line string, i int) string {
	const before, after = 60, 100
	from, to := max(0, i-before), min(len(line), i+after)
	part := line[from:to]
	if from > 0 {
		part = "…" + part
	}
	if to < len(line) {
		part += "…"
	}
	return part
}

func readable(lines []byte) string {
	entries, err := history.Unmarshal(lines)
	if err != nil {
		return fmt.Sprintf("  %v\n", err)
	}
	return table(entries)
}
