package main

import (
	"fmt"
	"strings"

	"github.com/clewflow/clew/history"
)

// A link of a chain of causes is an entry, and the one that led to it.
type link struct {
	entry history.Entry
	from  uint64 // Seq of the entry that led to it; 0: it comes from outside, or is the first
	how   string // it led there, or where it comes from
}

// causes are the entries of a run that led to one of them, from that back to the first cause.
func causes(run []history.Entry, seq uint64) (chain []link) {
	first := run[0].Seq
	asked := map[history.Step]uint64{} // Seqs of what was asked for
	for _, e := range run {
		if step := askedBy(e.Event); step > 0 {
			asked[step] = e.Seq
		}
	}
	for seq >= first {
		e := run[seq-first]
		l := link{entry: e}
		l.from, l.how = cause(run, e, asked)
		chain = append(chain, l)
		if l.from == 0 || l.from >= seq {
			break
		}
		seq = l.from
	}
	return chain
}

// cause is what led to an entry.
func cause(run []history.Entry, e history.Entry, asked map[history.Step]uint64) (from uint64, how string) {
	if e.Event.Role() == history.Decision {
		for i := len(run) - 1; i >= 0; i-- {
			if before := run[i]; before.Seq < e.Seq && before.Event.Role() == history.Input {
				return before.Seq, fmt.Sprintf("the code asked for that when it was told entry %d", before.Seq)
			}
		}
	}
	if step := settledBy(e.Event); step > 0 && asked[step] > 0 {
		return asked[step], fmt.Sprintf("that was asked for with entry %d", asked[step])
	}
	switch v := e.Event.(type) {
	case *history.Begun:
		if started, ok := run[0].Event.(*history.Started); ok && started.BeginAt.IsZero() {
			return run[0].Seq, "the run had waited for a slot, and was given one"
		}
		return run[0].Seq, "the run was to begin then"
	case *history.TimedOut:
		if v.Step > 0 {
			return asked[v.Step], fmt.Sprintf("its policy, recorded with entry %d, says so", asked[v.Step])
		}
		return run[0].Seq, fmt.Sprintf("the limit is in entry %d", run[0].Seq)
	case *history.Started:
		switch {
		case v.Parent.ID != "" && v.Number <= 1:
			return 0, fmt.Sprintf("step %d of %s asked for it; see \"clew why %s\"", v.Parent.Step, plain(v.Parent.ID), plain(v.Parent.ID))
		case v.Adopts != nil:
			return 0, fmt.Sprintf("it goes on from the run that began with entry %d", v.Adopts.From)
		case v.Number > 1 && v.Chain != v.Run:
			return 0, fmt.Sprintf("the run before went on in this one; see \"clew why\" of it with clew show --run %d", v.Number-1)
		}
		return 0, "that is the first cause"
	}
	return 0, outside(e)
}

// outside says where an entry comes from that nothing in the history led to.
func outside(e history.Entry) string {
	by := string(e.By)
	if sender, ok := strings.CutPrefix(by, "execution:"); ok {
		return fmt.Sprintf("the execution %s did that; see \"clew why %s\"", plain(sender), plain(sender))
	}
	text := "it comes from outside"
	if by != "" {
		text += ", from " + plain(by)
	}
	if e.Request != "" {
		text += ", request " + plain(e.Request)
	}
	return text
}

// askedBy is the step that a decision asks for, 0 if it asks for none.
func askedBy(event history.Event) history.Step {
	switch v := event.(type) {
	case *history.ActivityScheduled:
		return v.Step
	case *history.TimerStarted:
		return v.Step
	case *history.ChildAsked:
		return v.Step
	case *history.SendAsked:
		return v.Step
	}
	return 0
}

// settledBy is the step whose outcome an input is, 0 if it is none.
func settledBy(event history.Event) history.Step {
	switch v := event.(type) {
	case *history.ActivityCompleted:
		return v.Step
	case *history.ActivityFailed:
		return v.Step
	case *history.ActivityTimedOut:
		return v.Step
	case *history.ActivityCancelled:
		return v.Step
	case *history.TimerFired:
		return v.Step
	case *history.ChildClosed:
		return v.Step
	case *history.ChildRefused:
		return v.Step
	case *history.Sent:
		return v.Step
	}
	return 0
}
