package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/clewflow/clew/history"
)

// How far it is followed what open executions wait for.
const (
	deepest   = 10 // executions below each other
	abreast   = 3  // of those that one waits for
	mostRoots = 10
)

// awaited is what is found when it is followed what an execution waits for. It is shared by all explanations on the way.
type awaited struct {
	path     []string // executions that wait for each other, down to the one that is explained
	followed int
	roots    []string // what those wait for that wait for nobody else
}

// follow says what an execution waits for that this one waits for with a step.
func (x *explanation) follow(r history.Reason) {
	id := ""
	if c := x.state.Children[r.Step]; c != nil {
		id = c.ID
	} else if n := x.state.Sends[r.Step]; n != nil {
		id = n.ID
	}
	if x.others == nil {
		return
	}
	if id == "" {
		x.root(r.String())
		return
	}
	x.here++
	switch {
	case slices.Contains(x.awaited.path, id):
		x.say("  That one waits for this one.")
		x.root("a circle: " + plain(strings.Join(append(slices.Clone(x.awaited.path), id), " → ")))
		return
	case len(x.awaited.path) >= deepest || x.here > abreast || x.awaited.followed >= mostFollowed:
		x.say("  See \"clew why %s\".", plain(id))
		return
	}
	x.awaited.followed++
	runs := runsOf(x.others.of(id))
	if len(runs) == 0 {
		x.say("  There is no such execution.")
		x.root("the start of " + id)
		return
	}
	run := runs[len(runs)-1]
	next := &explanation{id: id, run: run, state: history.Fold(run...), served: x.served, now: x.now, others: x.others, awaited: x.awaited}
	if !next.state.Open() {
		x.say("  %s has ended, %s, at %s; the code is yet to be told.", plain(id), next.state.Status, second(next.state.Run.Closed))
		x.root("the code being told")
		return
	}
	if x.others.describe != nil {
		next.standing = x.others.describe(id)
	}
	x.awaited.path = append(x.awaited.path, id)
	next.opened()
	x.awaited.path = x.awaited.path[:len(x.awaited.path)-1]
	for line := range strings.Lines(next.b.String()) {
		x.b.WriteString("  " + line)
	}
}

// root notes what an execution waits for that is nobody else's to end.
func (x *explanation) root(why string) {
	x.awaited.roots = append(x.awaited.roots, fmt.Sprintf("%s waits for %s", plain(x.id), plain(why)))
}

// inTheEnd says what all of it comes down to, if others were followed.
func (x *explanation) inTheEnd() {
	if x.others == nil || x.awaited.followed == 0 {
		return
	}
	x.say("In the end:")
	for i, root := range x.awaited.roots {
		if i == mostRoots {
			x.say("- … and %d more.", len(x.awaited.roots)-i)
			return
		}
		x.say("- %s.", root)
	}
}
