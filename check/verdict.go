package check

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/clewflow/clew/replay"
)

// Verdict is what was found of a run.
type Verdict string

// The verdicts, from the best to the worst.
const (
	Fits       Verdict = "fits"       // the code asks for what is recorded
	Differs    Verdict = "differs"    // it fits at this level, with other inputs, results or durations
	NoCode     Verdict = "no-code"    // there is no code of its workflow and version
	NeedsGate  Verdict = "needs-gate" // the code asks for something else; see [workflow.Patched]
	Stalls     Verdict = "stalls"     // the code panics, waits for what cannot come, or does not come back
	Unreadable Verdict = "unreadable" // nothing is known of it
)

var verdicts = []Verdict{Fits, Differs, NoCode, NeedsGate, Stalls, Unreadable}

// finding is what was found of one run.
type finding struct {
	workflow string
	version  int
	verdict  Verdict
	open     bool
	entries  int
	example  Example
}

// Example is a run of which something was found.
type Example struct {
	Namespace string           `json:"namespace"`
	ID        string           `json:"id"`
	Run       string           `json:"run,omitempty"`
	Number    uint64           `json:"number,omitempty"` // of the run in the execution
	Open      bool             `json:"open"`
	Text      string           `json:"text,omitempty"` // what is wrong, of one or more lines
	Mismatch  *replay.Mismatch `json:"mismatch,omitempty"`
}

// look judges the newest run of a history.
func (k *checker) look(ctx context.Context, h History) finding {
	r, err := ReadRun(ctx, h, 0, k.config.Vault)
	f := finding{verdict: Unreadable, example: Example{Namespace: h.ID.Namespace, ID: h.ID.Workflow}}
	if r != nil {
		started := r.Started()
		f.workflow, f.version, f.open, f.entries = started.Type, r.Version(), r.Open, len(r.Entries)
		f.example = Example{Namespace: r.ID.Namespace, ID: r.ID.Workflow, Run: started.Run, Number: started.Number, Open: r.Open}
	}
	if err != nil {
		f.example.Text = err.Error()
		return f
	}
	j := k.within(r)
	f.verdict, f.example.Text = j.verdict, j.text
	f.example.Mismatch = j.mismatch
	return f
}

type judgement struct {
	verdict  Verdict
	text     string
	mismatch *replay.Mismatch
}

// within judges a run, and waits no longer than there is patience.
func (k *checker) within(r *Run) judgement {
	if k.config.Patience < 0 {
		return k.judge(r)
	}
	done := make(chan judgement, 1)
	go func() { done <- k.judge(r) }()
	timer := time.NewTimer(k.config.Patience)
	defer timer.Stop()
	select {
	case j := <-done:
		return j
	case <-timer.C:
		return judgement{verdict: Stalls, text: fmt.Sprintf("the code has not come back after %s: it loops, or blocks on something outside of clew", k.config.Patience)}
	}
}

func (k *checker) judge(r *Run) judgement {
	started := r.Started()
	version := r.Version()
	code := k.codes(started.Type, version)
	if code == nil {
		text := "there is no code for workflow " + started.Type
		if version > 0 {
			text += fmt.Sprintf(" version %d", version)
		}
		return judgement{verdict: NoCode, text: text}
	}
	m, err := replay.Remember(replay.Config{Code: code, Level: k.config.Level, Pool: k.pool, Carried: r.Carried}, r.Entries)
	if m != nil {
		defer m.Stop()
	}
	if err == nil {
		err = errors.Join(m.Deadlock(), m.Strayed())
	}
	if mismatch := (*replay.Mismatch)(nil); errors.As(err, &mismatch) {
		return judgement{NeedsGate, mismatch.Error(), mismatch}
	}
	if err != nil {
		return judgement{verdict: Stalls, text: stallText(err)}
	}
	if warnings := m.Warnings(); len(warnings) > 0 {
		return judgement{verdict: Differs, text: warnings[0]}
	}
	return judgement{verdict: Fits}
}

func stallText(err error) string {
	var s *replay.Stalled
	if errors.As(err, &s) && s.Stack != "" && !strings.HasPrefix(s.Stack, "goroutine ") { // else it has nothing of the author's
		return s.Reason + "\n" + s.Stack
	}
	return err.Error()
}
