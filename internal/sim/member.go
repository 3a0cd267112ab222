package sim

import (
	"context"
	"slices"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/members"
	"github.com/clewflow/clew/store"
)

// nodes are what the judge knows of the nodes of a world, from the log.
type nodes struct {
	streams map[history.ID]*memberStream
	now     *members.Members
	eras    []era
	applied map[string]store.Position // up to which each has said to have acted
	gone    map[string]string         // those that are no more, and how that came
	lives   map[string]*life          // by the ids of members
	tried   map[history.Hash]bool     // appends that were looked at, by their first entries
}

// era is a stretch of the log in which work was shared among the same members.
type era struct {
	from    store.Position
	members *members.Members
}

type memberStream struct {
	entries []history.Entry
	chain   history.Chain
}

func newNodes() nodes {
	return nodes{
		streams: map[history.ID]*memberStream{}, now: members.New(store.Position{}), applied: map[string]store.Position{}, gone: map[string]string{},
		lives: map[string]*life{}, tried: map[history.Hash]bool{},
	}
}

func (n *nodes) of(id history.ID) *memberStream {
	if n.streams[id] == nil {
		n.streams[id] = &memberStream{}
	}
	return n.streams[id]
}

// said takes in what a node has said of itself, or others of it. The caller holds j.mu.
func (j *judge) said(id history.ID, entries []history.Entry) {
	n, s := &j.nodes, j.nodes.of(id)
	at, err := j.w.disk.Open().Head(context.Background()) // of memory
	if err != nil {
		j.w.wrong("there is no head: %v", err)
	}
	for _, e := range entries {
		if e.Seq <= uint64(len(s.entries)) {
			if s.entries[e.Seq-1].Hash != e.Hash {
				j.w.wrong("entry %d of %s was acknowledged, and another one is stored", e.Seq, id)
			}
			continue
		}
		if err := s.chain.Check(e); err != nil {
			j.w.wrong("entry %d of %s: %v", e.Seq, id, err)
		}
		s.entries = append(s.entries, e)
		j.ruledBy(id, e)
		if how := n.gone[id.Workflow]; how != "" {
			j.w.wrong("entry %d of %s: it goes on after it was %s", e.Seq, id, how)
		}
		switch v := e.Event.(type) {
		case *history.NodeAnnounced:
			n.applied[id.Workflow] = store.Position(v.Applied)
		case *history.NodeLeft:
			n.gone[id.Workflow] = "gone"
		case *history.NodeBuried:
			n.gone[id.Workflow] = "buried"
		}
		if n.now.Apply(store.Record{Position: at, ID: id, Entry: e}, time.Now()) == members.Shared {
			n.eras = append(n.eras, era{at, n.now.Copy()})
			j.w.mu.Lock()
			j.w.troubled = time.Now()
			j.w.mu.Unlock()
		}
		j.w.note("%s says %s", id.Workflow, e.Event.Kind())
	}
}

// acts looks, when a node begins to append, whether it may.
func (j *judge) acts(l *life, id history.ID, entries []history.Entry) {
	if l.name == "" {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if id.Family() == members.Family {
		if _, own := entries[0].Event.(*history.NodeAnnounced); own {
			j.nodes.lives[id.Workflow] = l
			if l.ids[id.Workflow] = true; len(l.ids) > 1 {
				j.w.sometimes("a node that was buried comes back as another")
			}
		}
		return
	}
	if id.Family() != "" {
		return // policies belong to nobody
	}
	if j.nodes.tried[entries[0].Hash] {
		return // it was begun when it was all right
	}
	j.nodes.tried[entries[0].Hash] = true
	if !l.isFine(lease) {
		return // it may have been held up between looking and acting; then the log refuses it, which is looked at elsewhere
	}
	run := j.of(id).state.Run
	name, version := run.Type, run.Version
	for _, e := range entries {
		if v, ok := e.Event.(*history.Started); ok {
			name, version = v.Type, v.Version
		}
		if !decides(e) {
			continue
		}
		if why := j.mayNot(e.Node, id, name, version); why != "" {
			j.w.wrong("entry %d of %s (%s): node %s (%s) decides, and may not: %s", e.Seq, id.Workflow, e.Event.Kind(), e.Node, l.name, why)
			return
		}
	}
}

// decides reports whether an entry is one that only the owner of an execution records: what the code answers, and what is due.
func decides(e history.Entry) bool {
	_, fired := e.Event.(*history.TimerFired)
	return (fired || e.Event.Role() == history.Decision) && e.Adopted == nil // what another run has decided is repeated by whoever begins
}

// mayNot says why a node may not act for an execution as things stand in the log: it must have owned it at some time, and not have
// said since that it has let go.
func (j *judge) mayNot(node string, id history.ID, name string, version int) string {
	n := &j.nodes
	if how := n.gone[node]; how != "" {
		return "it is " + how
	}
	owned := false
	for i, era := range n.eras {
		o := era.members.Owner(id, name, version)
		if o == nil || o.ID != node {
			continue
		}
		if owned = true; i == len(n.eras)-1 || n.eras[i+1].from.After(n.applied[node]) {
			return ""
		}
	}
	if owned {
		return "it has said that it has let go"
	}
	return "it never owned it"
}

// lookAtNode looks at which node has recorded an entry.
func (j *judge) lookAtNode(s *stream, e history.Entry) {
	if j.w.nodes == 0 || e.Node == "" {
		return
	}
	if _, ok := e.Event.(*history.AttemptStarted); ok && s.decider != "" && e.Node != s.decider {
		j.w.sometimes("a node makes an attempt for the owner")
	}
	if e.Event.Role() == history.Input {
		s.listener = e.Node
	}
	if !decides(e) {
		return
	}
	if e.Event.Role() == history.Decision && s.listener != "" && s.listener != e.Node {
		j.w.sometimes("one node answers what another has recorded")
	}
	if s.decider != "" && s.decider != e.Node {
		if j.nodes.gone[s.decider] == "buried" {
			j.w.sometimes("an execution is taken over from a node that was buried")
		} else {
			j.w.sometimes("an execution is handed over")
		}
		for _, a := range s.state.Activities {
			if a.Node == s.decider && j.nodes.gone[s.decider] == "" {
				j.w.sometimes("an execution is handed over with an attempt in hand")
			}
		}
	}
	s.decider = e.Node
}

// beginsOnce looks whether an attempt that is about to be made is made by somebody else, too. Who is not heard for long may not know yet
// that it is over.
func (j *judge) beginsOnce(l *life, one *hand) {
	for _, o := range j.w.all() {
		if o == l || !o.isFine(2*lease) || !l.isFine(2*lease) {
			continue
		}
		for _, h := range o.hands.inHand() {
			same := h.info.Run == one.info.Run && h.info.Step == one.info.Step && h.info.Number == one.info.Number
			if same && h.ctx.Err() == nil && one.ctx.Err() == nil {
				j.w.wrong("attempt %d of step %d of %s is made by %s and by %s", one.info.Number, one.info.Step, one.info.Execution, o.name, l.name)
			}
		}
	}
}

// patience is how long an execution may be without an owner who acts, at most; in bad weather everything takes longer.
func (w *World) patience() time.Duration {
	if w.isWell() {
		return 10 * time.Second
	}
	return time.Minute
}

// nodesAtRest looks, when nothing is about to happen but by the passing of time, for what no node will think of. It asks who owns an
// execution, and leaves out what has just changed, of which not everybody may have heard.
func (j *judge) nodesAtRest() {
	all, silent, patience := j.w.all(), j.w.isWell(), j.w.patience()
	j.w.mu.Lock()
	calm := time.Since(j.w.troubled) > patience
	j.w.mu.Unlock()
	if !calm {
		return
	}
	for _, l := range all {
		if !l.isFine(patience) || !j.w.isUp(l) { // of who has just joined nothing is asked yet
			return
		}
		silent = silent && l.errands.Load() == 0
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, l := range all {
		j.untold(l, patience)
	}
	for _, id := range j.ids() {
		s := j.all[id]
		if !isOpen(&s.state) || time.Since(s.at) < patience {
			continue
		}
		owner := j.nodes.now.Owner(id, s.state.Run.Type, s.state.Run.Version)
		if owner == nil {
			j.w.wrong("%s belongs to nobody", id.Workflow)
			continue
		}
		l := j.nodes.lives[owner.ID]
		if l == nil || l.ctx.Err() != nil {
			j.w.wrong("%s belongs to node %s (%s), which has been dead for %s", id.Workflow, owner.ID, owner.Name, patience)
			continue
		}
		a := l.rt.Agenda(id.Workflow)
		if a.Working || !a.Again.IsZero() {
			continue
		}
		if wake, now := s.state.Wake(), time.Now().Add(l.offset); wake.After(now) || wake.Before(now.Add(-patience)) { // else it is being woken
			j.asleep(l, id, &s.state, a)
		}
		for _, o := range all {
			b := o.rt.Agenda(id.Workflow)
			a.Steps = append(a.Steps, b.Steps...)
			j.idle(id, b, j.w.hands == 0 || o.rt.Stats().InHand < j.w.hands)
		}
		if slices.ContainsFunc(all, func(o *life) bool { return !o.idle }) { // else some of it can be made by nobody
			j.undone(id, &s.state, a, false)
		}
		if silent {
			j.unsaidAmongNodes(id, &s.state, patience)
		}
	}
}

// untold looks for attempts that are made though they are settled, and nobody tells whoever makes them. The caller holds j.mu.
func (j *judge) untold(l *life, patience time.Duration) {
	for _, one := range l.hands.inHand() {
		s := j.of(idOf(one.info.Execution))
		if !j.isOpenStep(one.info) && one.ctx.Err() == nil && time.Since(s.at) > patience {
			j.w.wrong("attempt %d of step %d of %s is settled, and nobody tells %s, which makes it", one.info.Number, one.info.Step, one.info.Execution, l.tag)
		}
	}
}

// unsaidAmongNodes is unsaid, of what was not said for long enough.
func (j *judge) unsaidAmongNodes(id history.ID, s *history.State, patience time.Duration) {
	for _, c := range s.Children {
		if time.Since(j.of(idOf(c.ID)).at) < patience {
			return
		}
	}
	if p := s.Run.Parent.ID; p != "" && time.Since(j.of(idOf(p)).at) < patience {
		return
	}
	j.unsaid(id, s)
}
