package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/runtime"
)

// What is said of a chain of causes in one execution, its beginning and its end; and through how many it is followed.
const (
	newestCauses = 6
	oldestCauses = 2
	mostFollowed = 20
)

// place is an entry of a run, from where a chain of causes goes on.
type place struct {
	id  string
	run []history.Entry
	seq uint64
	how string // the chain came there
}

func (p place) String() string { return fmt.Sprintf("%s#%d", p.id, p.seq) }

// because says in sentences what led to the end of the run, from that back to the first cause, through other executions too.
func (x *explanation) because() {
	x.say("Why, from the end back to the first cause:")
	at := place{id: x.id, run: x.run, seq: x.run[len(x.run)-1].Seq}
	seen := map[string]bool{at.String(): true}
	for n := 1; ; n++ {
		chain := causes(at.run, at.seq)
		next, last := x.elsewhere(at, chain, seen)
		if n == mostFollowed {
			next = nil
		}
		if next == nil {
			x.links(at, chain, nil)
			return
		}
		x.links(at, chain[:last+1], next)
		seen[next.String()] = true
		at = *next
	}
}

// elsewhere is where a chain goes on in another execution, or another run, and at which of its links; nil if it does not.
func (x *explanation) elsewhere(at place, chain []link, seen map[string]bool) (next *place, n int) {
	if x.others == nil {
		return nil, 0
	}
	for i, l := range chain {
		if p := x.others.before(at, l.entry); p != nil && !seen[p.String()] {
			return p, i
		}
	}
	return nil, 0
}

// links says what a chain consists of in one run.
func (x *explanation) links(at place, chain []link, next *place) {
	texts := map[uint64]string{}
	t := newPrinter(&strings.Builder{}, false).teller
	failed := map[history.Step]string{} // what is known of the last attempt that failed
	for _, e := range at.run {
		texts[e.Seq] = t.tell(e)
		if v, ok := e.Event.(*history.AttemptFailed); ok {
			failed[v.Step] = fmt.Sprintf("attempt %d had failed before, with entry %d", v.Attempt, e.Seq)
		}
	}
	of := ""
	if at.id != x.id {
		of = " of " + plain(at.id)
	}
	for i, l := range chain {
		if left := len(chain) - oldestCauses; len(chain) > newestCauses+oldestCauses+1 && i >= newestCauses && i < left {
			if i == newestCauses {
				x.say("- … and so on, %d entries.", left-newestCauses)
			}
			continue
		}
		how := l.how
		if next != nil && i == len(chain)-1 {
			how = next.how
		}
		text := fmt.Sprintf("- Entry %d%s, %s: %s; %s", l.entry.Seq, of, moment(l.entry.At), texts[l.entry.Seq], how)
		if before := failed[settledBy(l.entry.Event)]; before != "" {
			text += "; " + before
		}
		if v, ok := l.entry.Event.(*history.ChildClosed); ok && v.Status != history.StatusCompleted && (next == nil || i < len(chain)-1) && l.from > 0 {
			if asked, ok := at.run[l.from-at.run[0].Seq].Event.(*history.ChildAsked); ok {
				text += fmt.Sprintf("; see \"clew why %s\"", plain(asked.ID))
			}
		}
		x.say("%s.", text)
	}
}

// others are the histories of executions that are followed, each read once.
type others struct {
	read  func(id string) ([]history.Entry, error)
	known map[string][]history.Entry

	describe func(id string) runtime.Description // what is known beside its history
}

// of is the history of an execution; none if it cannot be read.
func (o *others) of(id string) []history.Entry {
	all, ok := o.known[id]
	if !ok {
		all, _ = o.read(id) // the chain ends there, and says where
		o.known[id] = all
	}
	return all
}

// before is the entry of another execution, or of another run, that an entry comes from; nil if it comes from none or that is not there.
func (o *others) before(at place, e history.Entry) *place {
	switch v := e.Event.(type) {
	case *history.ChildClosed:
		child := childOf(at.run, v.Step)
		if v.Status == history.StatusCompleted || child == "" {
			return nil
		}
		for _, run := range runsOf(o.of(child)) {
			if begun, is := run[0].Event.(*history.Started); is && begun.Run == v.Run {
				return &place{child, run, run[len(run)-1].Seq, "that is how " + plain(child) + " ended"}
			}
		}
		return nil
	case *history.Started:
		switch {
		case v.Parent.ID != "" && v.Number <= 1:
			return o.entry(v.Parent.ID, fmt.Sprintf("step %d of %s asked for it", v.Parent.Step, plain(v.Parent.ID)), func(_ string, e history.Event) bool {
				asked, is := e.(*history.ChildAsked)
				return is && asked.Step == v.Parent.Step && asked.ID == at.id
			})
		case v.Number > 1 && v.Chain != v.Run && v.Adopts == nil:
			for _, run := range runsOf(o.of(at.id)) {
				if begun, is := run[0].Event.(*history.Started); is && begun.Number == v.Number-1 {
					return &place{at.id, run, run[len(run)-1].Seq, "the run before went on in this one"}
				}
			}
		}
		return nil
	}
	if sender, is := strings.CutPrefix(string(e.By), "execution:"); is {
		return o.entry(sender, "the execution "+plain(sender)+" did that", func(run string, event history.Event) bool {
			asked, is := event.(*history.SendAsked)
			return is && e.Request == fmt.Sprintf("send:%s:%d", run, asked.Step)
		})
	}
	return nil
}

// entry finds the last entry of an execution that is meant.
func (o *others) entry(id, how string, meant func(run string, e history.Event) bool) (found *place) {
	for _, run := range runsOf(o.of(id)) {
		begun, _ := run[0].Event.(*history.Started)
		for _, e := range run {
			if begun != nil && meant(begun.Run, e.Event) {
				found = &place{id, run, e.Seq, how}
			}
		}
	}
	return found
}

// childOf is the id of the child that a step of a run asked for.
func childOf(run []history.Entry, step history.Step) (id string) {
	for _, e := range run {
		if asked, is := e.Event.(*history.ChildAsked); is && asked.Step == step {
			id = asked.ID
		}
	}
	return id
}

// runsOf parts a history into its runs.
func runsOf(all []history.Entry) (runs [][]history.Entry) {
	for i, e := range all {
		if _, begins := e.Event.(*history.Started); begins || i == 0 {
			runs = append(runs, nil)
		}
		runs[len(runs)-1] = append(runs[len(runs)-1], e)
	}
	return runs
}

// others are all of them that can be read.
func (e *executions) others(ctx context.Context) *others {
	read := func(id string) (all []history.Entry, err error) {
		for entry, err := range e.History(ctx, e.id(id)) {
			if err != nil {
				return nil, err
			}
			all = append(all, entry)
		}
		return all, nil
	}
	return &others{read: read, known: map[string][]history.Entry{}, describe: func(id string) runtime.Description {
		d, _ := e.Describe(ctx, e.id(id)) // it may have gone; then nothing is in hand
		return d
	}}
}
