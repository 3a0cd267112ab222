package witness

import (
	"fmt"
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
)

// chainsOf are the runs of a history, those together that continue each other.
func chainsOf(entries []history.Entry) (chains [][][]history.Entry) {
	before := ""
	for _, run := range runsOf(entries) {
		begins, ok := run[0].Event.(*history.Started)
		if !ok {
			continue // judgeStream says so
		}
		if begins.Chain != before {
			chains, before = append(chains, nil), begins.Chain
		}
		chains[len(chains)-1] = append(chains[len(chains)-1], run)
	}
	return chains
}

// What was told to a chain of runs, and what of it is still to be received or answered.
type toldChain struct {
	seqs    []uint64 // of its signals
	notes   []string // their values
	updates []history.CarriedUpdate
	answers map[string]int
}

// judgeChain asks whether what was accepted goes from run to run, and whether each update has one answer.
func (w *witness) judgeChain(x *execution, runs [][]history.Entry) {
	c := toldChain{answers: map[string]int{}}
	for i, run := range runs {
		begins := run[0].Event.(*history.Started)
		if i > 0 {
			w.judgeCarried(x, &c, begins)
		}
		if x.kind == relayKind {
			w.judgeBaton(x, &c, begins)
		}
		for _, e := range run {
			w.tellChain(x, &c, e)
		}
		_, continues := run[len(run)-1].Event.(*history.Continued)
		if continues != (i < len(runs)-1) {
			w.wrong("%s: run %d of %d of a chain is %s\n%s", x.id, i+1, len(runs), run[len(run)-1].Event.Kind(), written(run))
		}
	}
}

func (w *witness) tellChain(x *execution, c *toldChain, e history.Entry) {
	answered := func(update string) {
		if c.answers[update]++; c.answers[update] > 1 {
			w.wrong("%s: update %s is answered %d times", x.id, update, c.answers[update])
		}
		c.updates = slices.DeleteFunc(c.updates, func(u history.CarriedUpdate) bool { return u.Update == update })
	}
	switch v := e.Event.(type) {
	case *history.Signaled:
		var text string
		require.NoError(w.t, v.Value.Decode(&text))
		if !genuine(text) {
			w.wrong("%s: the value of entry %d is spoilt", x.id, e.Seq)
		}
		c.seqs, c.notes = append(c.seqs, e.Seq), append(c.notes, light(text))
	case *history.UpdateAccepted:
		c.updates = append(c.updates, history.CarriedUpdate{Update: v.Update, Seq: e.Seq})
	case *history.UpdateCompleted:
		answered(v.Update)
	case *history.UpdateFailed:
		w.wrong("%s: update %s failed: %s", x.id, v.Update, v.Failure.Data)
		answered(v.Update)
	case *history.Completed:
		if len(c.updates) > 0 {
			w.wrong("%s has completed and left %v without an answer", x.id, c.updates)
		}
		if x.kind == relayKind {
			w.judgeReceived(x, c, v)
		}
	}
}

// judgeCarried holds what a run hands on against what it left.
func (w *witness) judgeCarried(x *execution, c *toldChain, next *history.Started) {
	w.seen["carried signals"] += len(next.Carried)
	w.seen["carried updates"] += len(next.Updates)
	if fmt.Sprint(next.Updates) != fmt.Sprint(c.updates) {
		w.wrong("%s: run %d leaves the updates %v, and the next begins with %v", x.id, next.Number-1, c.updates, next.Updates)
	}
}

// judgeBaton asks whether a relay has received every signal once and in order, or finds it in its next run.
func (w *witness) judgeBaton(x *execution, c *toldChain, begins *history.Started) {
	var b baton
	require.NoError(w.t, begins.Input.Decode(&b))
	if !genuine(b.Load) {
		w.wrong("%s: the load of run %d is spoilt", x.id, begins.Number)
	}
	n := min(len(b.Notes), len(c.seqs))
	if !slices.Equal(b.Notes, c.notes[:n]) || fmt.Sprint(begins.Carried) != fmt.Sprint(history.Ranges(c.seqs[n:])) {
		w.wrong("%s: run %d has the signals %q and is to be told %v; until then there were %q at %v", x.id, begins.Number, b.Notes, begins.Carried, c.notes, c.seqs)
	}
}

func (w *witness) judgeReceived(x *execution, c *toldChain, v *history.Completed) {
	var out outcome
	require.NoError(w.t, v.Result.Decode(&out))
	n := min(len(out.Notes), len(c.seqs))
	if !slices.Equal(out.Notes, c.notes[:n]) || !slices.Equal(v.Unread, c.seqs[n:]) {
		w.wrong("%s received %q and left %v; there were %q at %v", x.id, out.Notes, v.Unread, c.notes, c.seqs)
	}
}
