package sim

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/runtime"
)

// A script is a world in which all is well but for one append.
type script struct {
	program Program
	at      int // which append, from 1; 0: none
	what    fault
}

func (s *script) verdict(n int) fault {
	if n == s.at {
		return s.what
	}
	return none
}

// follow asks what the script says: that a program be run, and be told what it is to wait for.
func (c *client) follow(s *script) {
	const id = "wa"
	_ = c.insist(id, "start", "start", func(rt *runtime.Runtime) error {
		_, err := runtime.Start(c.w.ctx, rt, id, program, s.program, runtime.RequestID("start"))
		return err
	})
	c.send(id, "letter")
	_ = c.insist(id, "update", "update", func(rt *runtime.Runtime) error {
		_, err := runtime.BeginUpdate(c.w.ctx, rt, id, add, 2, runtime.RequestID("update"))
		return err
	})
}

// Canonical are programs that between them do each thing that programs do, by name.
func Canonical() map[string]Program {
	all := map[string]Program{}
	add := func(name string, p Program) { all[name] = p }
	for _, leaf := range leaves {
		add(leaf, Program{Do: leaf, N: 1, For: 3 * time.Second, Name: "b"})
	}
	two := []Program{{Do: "work", N: 1}, {Do: "sleep", For: time.Second}}
	for _, branch := range branches {
		add(branch, Program{Do: branch, N: 1, For: 20 * time.Second, Of: two})
	}
	add("race", Program{Do: "race", N: 2, For: 20 * time.Second, Of: []Program{{Do: "sleep", For: 10 * time.Second}}}) // of which it is clear who wins
	add("undone saga", Program{Do: "saga", N: 2, Of: two})
	add("child that is cancelled", Program{Do: "scope", For: 7 * time.Second, Of: []Program{{Do: "child", N: 0, Of: []Program{{Do: "sleep", For: 20 * time.Second}}}}})
	add("child that is terminated", Program{Do: "scope", For: 7 * time.Second, Of: []Program{{Do: "child", N: 1, Of: []Program{{Do: "sleep", For: 20 * time.Second}}}}})
	return all
}

// Crash runs a program in a world in which the n-th append goes wrong in one way, and returns what became of it in the end: how its
// executions ended, and what was done. n is 0 for nothing goes wrong.
func Crash(t *testing.T, p Program, runs, n int, what string) (*Report, string) {
	s := &script{program: Program{Do: "root", Read: map[string]int{}, Runs: runs, Of: []Program{{Do: "told"}, p}}, at: n, what: fault(what)}
	r := run(t, Plan{Seed: 1}, s)
	return r, r.done
}

// Crashes are the ways in which the append of [Crash] can go wrong.
var Crashes = []string{string(lostDying), string(storedDying), string(unsureStored), string(unsureLost), string(unsureLater), string(failed)}

// done is what was done in a world: each execution with its outcome, and with what was asked and what came of it, which must not
// depend on what went wrong meanwhile.
func (j *judge) done() string {
	var b strings.Builder
	for _, id := range j.ids() {
		s := j.all[id]
		var did []string
		for _, e := range s.entries {
			if e.Event.Role() != history.Note {
				what, _, _ := outcomeOf(e.Event)
				did = append(did, strings.TrimSpace(e.Event.Kind()+" "+what))
			}
		}
		slices.Sort(did)
		fmt.Fprintf(&b, "%s %s %s\n  %s\n", id.Workflow, s.state.Status, s.state.Outcome.Result.Data, strings.Join(did, "\n  "))
	}
	return b.String()
}
