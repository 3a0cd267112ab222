package witness

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
)

// An errand is something that a run asked of another execution, and what it was told of it.
type errand struct {
	id, run  string // whose it is
	root     string // of that
	step     history.Step
	to       string
	request  string // under which it is done there
	asked    history.Event
	started  *history.ChildStarted
	closed   *history.ChildClosed
	refused  *history.ChildRefused
	sent     *history.Sent
	complete bool // the run that asked has completed
}

type errands struct {
	all       []*errand
	by        map[string]*errand // request
	histories map[string][]history.Entry
}

// errandsOf finds what executions asked of each other.
func errandsOf(histories map[string][]history.Entry) *errands {
	all := &errands{by: map[string]*errand{}, histories: histories}
	for id, entries := range histories {
		for _, run := range runsOf(entries) {
			all.ofRun(id, run)
		}
	}
	return all
}

func (a *errands) ofRun(id string, run []history.Entry) {
	s := history.Fold(run...)
	steps := map[history.Step]*errand{}
	add := func(step history.Step, word, to string, e history.Event) {
		n := &errand{id: id, run: s.Run.ID, root: s.Run.Root, step: step, to: to, request: fmt.Sprintf("%s:%s:%d", word, s.Run.ID, step), asked: e}
		n.complete = s.Status == history.StatusCompleted
		a.all, a.by[n.request] = append(a.all, n), n
		if word != "cancel" {
			steps[step] = n
		}
	}
	for _, e := range run {
		switch v := e.Event.(type) {
		case *history.ChildAsked:
			add(v.Step, "child", v.ID, v)
		case *history.ChildCancelRequested:
			add(v.Step, "cancel", steps[v.Step].to, v)
		case *history.SendAsked:
			add(v.Step, "send", v.ID, v)
		case *history.ChildStarted:
			steps[v.Step].started = v
		case *history.ChildClosed:
			steps[v.Step].closed = v
		case *history.ChildRefused:
			steps[v.Step].refused = v
		case *history.Sent:
			steps[v.Step].sent = v
		}
	}
}

// wanted reports whether somebody asked for a child of that id.
func (a *errands) wanted(id string) bool {
	return slices.ContainsFunc(a.all, func(n *errand) bool { return n.to == id && strings.HasPrefix(n.request, "child:") })
}

// without is a history with nothing said of requests that are errands of others.
func (a *errands) without(id string, entries []history.Entry) []history.Entry {
	entries = slices.Clone(entries)
	for i, e := range entries {
		if n := a.by[e.Request]; n != nil && n.to == id {
			entries[i].Request = ""
		}
	}
	return entries
}

// done are the entries that an errand brought about.
func (a *errands) done(n *errand) (found []history.Entry) {
	for _, e := range a.histories[n.to] {
		if e.Request == n.request {
			found = append(found, e)
		}
	}
	return found
}

func (w *witness) judgeErrands(a *errands) {
	for _, n := range a.all {
		found := a.done(n)
		if len(found) > 1 {
			w.wrong("%s of %s has taken effect %d times in %s\n%s", n.request, n.id, len(found), n.to, written(a.histories[n.to]))
		}
		switch v := n.asked.(type) {
		case *history.SendAsked:
			w.judgeSent(a, n, v, found)
		case *history.ChildAsked:
			w.judgeChild(a, n, v, found)
		}
	}
}

// judgeSent: a message is delivered once if its sender was told so, and not at all if it was told that.
func (w *witness) judgeSent(a *errands, n *errand, v *history.SendAsked, found []history.Entry) {
	if n.sent != nil && (n.sent.Refused == "") != (len(found) == 1) {
		w.wrong("%s of %s to %s ended with %q, and is there %d times\n%s", n.request, n.id, n.to, n.sent.Refused, len(found), written(a.histories[n.to]))
	}
	if n.sent == nil && n.complete {
		w.wrong("%s of %s was never answered, and the run has completed", n.request, n.id)
	}
	if len(found) == 0 {
		return
	}
	got, ok := found[0].Event.(*history.Signaled)
	if !ok || got.Value.Sum != v.Value.Sum || !strings.HasPrefix(string(v.Value.Data), `"`+n.run) {
		w.wrong("%s of %s is %s in %s", n.request, n.id, found[0], n.to)
	}
	before := a.by[fmt.Sprintf("send:%s:%d", n.run, n.step-2)] // a courier makes a local step between messages
	if before == nil || before.to != n.to {
		return
	}
	if first := a.done(before); len(first) > 0 && first[0].Seq > found[0].Seq {
		w.wrong("%s of %s is before %s in %s", n.request, n.id, before.request, n.to)
	}
}

// judgeChild holds a child against what its parent asked for and was told.
func (w *witness) judgeChild(a *errands, n *errand, v *history.ChildAsked, found []history.Entry) {
	if n.refused != nil {
		w.wrong("child %s of %s was refused: %s %s", n.to, n.id, n.refused.Reason, n.refused.Message)
	}
	if len(found) == 0 {
		if n.started != nil || n.closed != nil {
			w.wrong("%s was told that its child %s has started, and it is not there", n.id, n.to)
		}
		return
	}
	begins, ok := found[0].Event.(*history.Started)
	if !ok {
		w.wrong("%s of %s is %s in %s", n.request, n.id, found[0], n.to)
		return
	}
	root := n.root
	if root == "" {
		root = n.id
	}
	p := begins.Parent
	if p.ID != n.id || p.Run != n.run || p.Step != n.step || p.OnClose != v.OnParentClose || begins.Root != root || begins.Input.Sum != v.Input.Sum {
		w.wrong("child %s was asked for by step %d of run %s of %s; it says %+v, root %s", n.to, n.step, n.run, n.id, p, begins.Root)
	}
	if n.started != nil && n.started.Chain != begins.Chain {
		w.wrong("%s was told that its child %s is chain %s, and it is %s", n.id, n.to, n.started.Chain, begins.Chain)
	}
	for _, c := range chainsOf(a.histories[n.to]) {
		if c[0][0].Seq == found[0].Seq {
			w.judgeEndOfChild(n, v, slices.Concat(c...))
		}
	}
}

// judgeEndOfChild holds the end of a child against what its parent was told of it, and against its policy.
func (w *witness) judgeEndOfChild(n *errand, v *history.ChildAsked, chain []history.Entry) {
	s := history.Fold(chain...)
	c := n.closed
	if c != nil && (c.Status != s.Status || c.Run != s.Run.ID || c.Result.Sum != s.Outcome.Result.Sum || c.Failure.Sum != s.Outcome.Failure.Sum || c.Reason != s.Outcome.Reason) {
		w.wrong("%s was told that its child %s is %s in run %s with %s%s%s; it is %s in run %s\n%s", n.id, n.to, c.Status, c.Run, c.Result.Data, c.Failure.Data, c.Reason,
			s.Status, s.Run.ID, written(chain))
	}
	for _, e := range chain {
		var reason string
		switch v := e.Event.(type) {
		case *history.CancelRequested:
			reason = v.Reason
		case *history.Terminated:
			reason = v.Reason
		}
		if reason == "its parent "+n.id+" has ended" {
			w.seen["child "+string(v.OnParentClose)]++
			if _, ended := e.Event.(*history.Terminated); ended != (v.OnParentClose == history.TerminateChild) || v.OnParentClose == history.AbandonChild {
				w.wrong("child %s was to %s when its parent ends, and %s says %q\n%s", n.to, v.OnParentClose, e.Event.Kind(), reason, written(chain))
			}
		}
	}
	if v.Type == kinKind {
		var b birth
		require.NoError(w.t, v.Input.Decode(&b))
		if b.Life == endless && s.Status == history.StatusCompleted {
			w.wrong("child %s was to live on until it is ended, and has completed", n.to)
		}
	}
}

func kindAt(entries []history.Entry) string {
	if v, ok := entries[0].Event.(*history.Started); ok {
		return v.Type
	}
	return ""
}
