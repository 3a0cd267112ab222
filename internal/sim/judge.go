package sim

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// judge knows what is in the log, entry by entry, and says what may not be.
type judge struct {
	w *World

	mu    sync.Mutex
	all   map[history.ID]*stream
	begun map[string]bool               // that have begun, by their ids
	asked map[string]*history.SendAsked // messages of steps, by their requests
	told  map[string]bool               // requests that were recorded, by "workflow request" and "workflow request kind"
	nodes nodes
	slots map[string]int      // how many runs of a key are open and have begun
	rules *history.Policies   // nil: none yet
	laid  []*history.Policies // by their versions
	ruled time.Time           // when a rule began or ended to halt runs, by the clock of the world
}

// stream is what is known of an execution.
type stream struct {
	state    history.State
	entries  []history.Entry
	chain    history.Chain
	outcomes map[string]string // of the current run
	requests map[string]int
	letters  map[string]int       // of the current chain
	finds    map[history.Step]int // of the current run: how many runs there were to be found when it was asked
	most     int                  // letters that any chain was sent
	updates  map[string]int       // of the current chain, that are accepted and not answered, and what is added
	tries    map[history.Step]*try
	cancels  bool      // the run before was asked to end, went on, and this one is not asked yet
	at       time.Time // when something was stored last, by the clock of the world
	decider  string    // the node that has decided last
	listener string    // the node that has recorded the last input
	paused   time.Time // when it was held last, by the clock of the world
	pausedAt time.Time // and by what the log says
	halted   bool      // something came while a rule halted it
}

func newJudge(w *World) *judge {
	return &judge{w: w, all: map[history.ID]*stream{}, begun: map[string]bool{}, asked: map[string]*history.SendAsked{}, told: map[string]bool{}, slots: map[string]int{}, nodes: newNodes()}
}

func (j *judge) of(id history.ID) *stream {
	s := j.all[id]
	if s == nil {
		s = &stream{
			outcomes: map[string]string{}, requests: map[string]int{}, letters: map[string]int{}, updates: map[string]int{}, tries: map[history.Step]*try{}, finds: map[history.Step]int{},
		}
		j.all[id] = s
	}
	return s
}

func (j *judge) seq(id history.ID) uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	if id.Family() != "" {
		return uint64(len(j.nodes.of(id).entries))
	}
	return j.of(id).state.Seq
}

// stored looks at what was stored behind an entry.
func (j *judge) stored(id history.ID, before uint64, entries []history.Entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if id.Family() != "" {
		j.said(id, entries)
		return
	}
	s, inputs := j.of(id), 0
	s.at = time.Now()
	for _, e := range entries {
		switch {
		case e.Seq <= before:
			if e.Hash != s.entries[e.Seq-1].Hash {
				j.w.wrong("entry %d of %s was acknowledged, and another one is stored", e.Seq, id)
			}
			continue
		case e.Seq != s.state.Seq+1:
			j.w.wrong("entry %d of %s follows entry %d", e.Seq, id, s.state.Seq)
			return
		}
		if e.Event.Role() == history.Input {
			inputs++
		}
		j.look(id, s, e)
	}
	if s.cancels && isOpen(&s.state) { // else it had done what it was to do when it was told that it had begun
		j.w.wrong("the run before %s of %s was asked to end and had not been told; nobody asks this one", s.state.Run.ID, id.Workflow)
		s.cancels = false
	}
	if inputs > 1 {
		j.w.sometimes("several inputs in one append")
	}
	j.lookAtTail(id, s)
	j.w.note("stored %s to %d: %x %s", id.Workflow, s.state.Seq, s.state.Hash[:6], kindsOf(entries))
}

// look looks at one entry that was stored.
func (j *judge) look(id history.ID, s *stream, e history.Entry) {
	at := func() string { return fmt.Sprintf("entry %d of %s (%s)", e.Seq, id.Workflow, e.Event.Kind()) }
	if err := s.chain.Check(e); err != nil {
		j.w.wrong("%s: %v", at(), err)
	}
	if e.At.Before(s.state.At) {
		j.w.wrong("%s is of %s, before the entry before it, of %s", at(), e.At, s.state.At)
	}
	started, begins := e.Event.(*history.Started)
	open := isOpen(&s.state)
	switch {
	case begins && open:
		j.w.wrong("%s: a run begins while one is open", at())
	case !begins && !open:
		j.w.wrong("%s follows the end of a run", at())
	}
	if e.Told > e.Seq || e.Told > 0 && e.Told < s.state.Told {
		j.w.wrong("%s: told up to %d, after %d", at(), e.Told, s.state.Told)
	}
	if begins && j.w.offset > time.Minute {
		clear(s.requests) // whoever asks again is not known by a clock that is wrong by more
	}
	if e.Request != "" {
		j.told[id.Workflow+" "+e.Request] = true
		key := e.Request + " " + e.Event.Kind()
		if v, ok := e.Event.(*history.PolicyApplied); ok { // one for each activity
			key += fmt.Sprint(" ", v.Step)
		}
		if s.requests[key]++; s.requests[key] > 1 {
			j.w.wrong("%s: request %s is recorded again", at(), e.Request)
		}
		j.told[id.Workflow+" "+key] = true
	}
	if begins {
		j.lookAtBeginning(at, s, started)
	}
	if e.Adopted != nil && !begins {
		j.lookAtAdopted(at, s, e)
	} else {
		j.lookAtPause(at, s, e)
		j.lookAtHalt(at, s, e)
		j.lookAtOutcome(at, s, e)
		j.lookAtOthers(at, s, e)
		j.lookAtFind(at, s, e)
		j.lookAtTry(at, s, e)
	}
	j.owe(s, e)
	j.lookAtNode(s, e)
	had := keyHeld(&s.state)
	s.state.Evolve(e)
	j.lookAtSlot(at, s, had)
	j.lookAtCrowd(at, s, e)
	s.entries = append(s.entries, e)
	j.happened(s, e)
}

// lookAtOutcome holds an outcome against what was asked for and against other outcomes.
func (j *judge) lookAtOutcome(at func() string, s *stream, e history.Entry) {
	what, step, asked := outcomeOf(e.Event)
	if what == "" {
		return
	}
	if child := s.state.Children[step]; asked == "child" && child != nil && (child.Again || e.Adopted != nil) && e.Event.Kind() == "child-started" {
		delete(s.outcomes, what) // of the same child, or of the one in its place
		j.w.sometimes("an adopted child begins again")
	}
	if other := s.outcomes[what]; other != "" {
		j.w.wrong("%s: another outcome of %s, after %s", at(), what, other)
	}
	s.outcomes[what] = e.Event.Kind()
	if step == 0 {
		return
	}
	known := map[string]bool{"activity": s.state.Activities[step] != nil, "child": s.state.Children[step] != nil, "send": s.state.Sends[step] != nil, "find": s.state.Finds[step] != nil}
	due, timer := s.state.Timers[step]
	known["timer"] = timer
	if !known[asked] {
		j.w.wrong("%s: an outcome of %s, which is not open", at(), what)
	}
	if asked == "timer" && e.Event.Kind() == "timer-fired" && e.At.Before(due) {
		j.w.wrong("%s: it fires at %s, before it is due at %s", at(), e.At, due)
	}
	if now := time.Now(); asked == "timer" && e.Event.Kind() == "timer-fired" && j.w.nodes > 0 && now.Before(due.Add(-j.w.skew)) {
		j.w.wrong("%s: it fires at %s on no clock that there is, before it is due at %s", at(), now, due)
	}
}

// outcomeOf is what an event is the outcome of, in words; of which step, and what that is.
func outcomeOf(e history.Event) (what string, step history.Step, asked string) {
	of := func(asked string, step history.Step) (string, history.Step, string) {
		return fmt.Sprintf("%s of step %d", asked, step), step, asked
	}
	switch v := e.(type) {
	case *history.ActivityCompleted:
		return of("activity", v.Step)
	case *history.ActivityFailed:
		return of("activity", v.Step)
	case *history.ActivityTimedOut:
		return of("activity", v.Step)
	case *history.ActivityCancelled:
		return of("activity", v.Step)
	case *history.TimerFired:
		return of("timer", v.Step)
	case *history.TimerCancelled:
		return of("timer", v.Step)
	case *history.ChildClosed:
		return of("child", v.Step)
	case *history.ChildRefused:
		return of("child", v.Step)
	case *history.Sent:
		return of("send", v.Step)
	case *history.FindAnswered:
		return of("find", v.Step)
	case *history.ChildStarted:
		return fmt.Sprint("start of the child of step ", v.Step), v.Step, "child"
	case *history.UpdateAccepted:
		return "acceptance of update " + v.Update, 0, ""
	case *history.UpdateCompleted:
		return "update " + v.Update, 0, ""
	case *history.UpdateFailed:
		return "update " + v.Update, 0, ""
	}
	return "", 0, ""
}

// lookAtOthers holds what an entry says of other executions against them.
func (j *judge) lookAtOthers(at func() string, s *stream, e history.Entry) {
	run := s.state.Run.ID
	switch v := e.Event.(type) {
	case *history.ChildStarted:
		if !j.begun[v.Chain] {
			j.w.wrong("%s: the child has not begun yet", at())
		}
	case *history.SendAsked:
		j.asked[fmt.Sprintf("send:%s:%d", run, v.Step)] = v
	case *history.Sent:
		if asked := s.state.Sends[v.Step]; asked != nil {
			run = asked.Run // that has adopted this from it
		}
		request := fmt.Sprintf("send:%s:%d", run, v.Step)
		a := j.asked[request]
		if a != nil && !a.Cancel && v.Refused == "" && !j.told[a.ID+" "+request+" signaled"] {
			j.w.wrong("%s: %s was not told yet", at(), a.ID)
		}
	case *history.Signaled:
		var l letter
		if v.Name == "post" && v.Value.Decode(&l) == nil && l.From != "" {
			if l.N != s.letters[l.From]+1 {
				j.w.wrong("%s: letter %d of %s follows letter %d", at(), l.N, l.From, s.letters[l.From])
			}
			s.letters[l.From] = l.N
			s.most = max(s.most, sumOf(s.letters))
		}
	}
}

// intrude appends a letter that nobody here has sent: somebody else's, who is first.
func (j *judge) intrude(id history.ID) {
	j.mu.Lock()
	s := j.of(id)
	if !isOpen(&s.state) {
		j.mu.Unlock()
		return
	}
	value, err := history.Encode(letter{})
	e := history.Entry{Seq: s.state.Seq + 1, At: s.state.At, By: history.Client, Event: &history.Signaled{Name: "post", Value: value}}
	history.Seal(s.state.Hash, &e)
	tail := store.Tail{ID: id, Began: s.state.Run.Began, Seq: e.Seq, Hash: e.Hash, Wake: s.state.Wake(), Due: true, Unsettled: s.state.Unsettled(), Follows: s.state.Run.Parent.ID != ""}
	before := s.state.Seq
	j.mu.Unlock()
	if err != nil {
		j.w.wrong("a letter cannot be written: %v", err)
		return
	}
	if err := j.w.disk.Open().AppendTail(context.Background(), id, &tail, e); err != nil {
		j.w.wrong("nobody else can append: %v", err)
		return
	}
	j.stored(id, before, []history.Entry{e})
}

// ids are those of all executions, in order. The caller holds j.mu.
func (j *judge) ids() []history.ID {
	return slices.SortedFunc(maps.Keys(j.all), func(a, b history.ID) int { return strings.Compare(a.Workflow, b.Workflow) })
}

// kindsOf lists what entries say, for diaries.
func kindsOf(entries []history.Entry) string {
	kinds := make([]string, len(entries))
	for i, e := range entries {
		kinds[i] = e.Event.Kind()
	}
	return strings.Join(kinds, " ")
}
