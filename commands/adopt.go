package commands

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/clewflow/clew/history"
)

// Anew begins a further run of an execution whose last one has ended, from the beginning or, with Adopts, from what that had come to.
type Anew struct {
	ID        history.ID
	Run       string // id of the new run
	Seed      uint64
	Reason    string
	Of        *history.Started  // of the run before
	OfSeq     uint64            // where that stands
	Version   int               // of the code
	Route     string            // why this version
	Pinned    bool              // and the runs that continue it
	Input     history.Payload   // absent: as in the run before
	Adopts    *history.Adoption // nil: the run begins from the beginning, and is a chain of its own
	Begun     bool              // it adopts the Begun with which the code was told the input
	Parent    history.Parent    // that wants it; none: nobody does any more
	Terminate bool              // the run before, if it is open
	Unread    []uint64          // signals that the code of the run to be terminated has not received, if that is known
	Slot      Slot              // what is known of its limits; its key is that of the run before unless it has another input
}

func (c Anew) decide(s *history.State, now time.Time) ([]history.Event, error) {
	var events []history.Event
	switch {
	case s.Status == 0:
		return nil, ErrNotFound
	case s.Run.Began != c.OfSeq:
		return nil, fmt.Errorf("%w: another run has begun meanwhile, %s", ErrStale, s.Run.ID)
	case s.Open() && !c.Terminate:
		return nil, fmt.Errorf("%w: run %s is %s; wait until it has ended, or say that it is to be terminated first (TerminateFirst, --terminate-first)", ErrAlreadyRunning, s.Run.ID, s.Status)
	case s.Open():
		events = append(events, &history.Terminated{Reason: cmp.Or(c.Reason, "replaced by run "+c.Run), Closing: closing(s, c.Unread)})
	}
	return append(events, c.started(s, now)), nil
}

func (c Anew) started(s *history.State, now time.Time) *history.Started {
	of := c.Of
	next := nextRun(s, now, c.ID, c.Run, of.Input, c.Seed)
	next.Attributes, next.Memo, next.Headers = of.Attributes, of.Memo, of.Headers // as it began, and not as it ended
	next.Version, next.Route, next.Pinned = c.Version, c.Route, c.Pinned
	next.Reason = c.Reason
	if !c.Input.Absent() {
		next.Input = c.Input
	}
	next.RunDeadline, next.Deadline = after(now, next.RunTimeout), time.Time{}
	if !of.Deadline.IsZero() {
		next.Deadline = now.Add(max(of.Deadline.Sub(s.Run.Started), time.Second)) // what the run before had, once more
	}
	if next.Parent = c.Parent; next.Parent.ID == "" && of.Parent.ID != "" {
		next.Parent = of.Parent // which was told the end of the run before, and waits no more
		next.Parent.OnClose = history.AbandonChild
	}
	if !c.Input.Absent() {
		next.Key = c.Slot.Key
	}
	if c.Adopts == nil {
		c.Slot.wait(next)
		next.Chain, next.HadChildren = c.Run, false
		return next
	}
	next.Adopts = c.Adopts
	next.Carried, next.Updates = of.Carried, of.Updates
	if next.BeginAt = of.BeginAt; of.Queued && of.Adopts == nil {
		next.BeginAt = s.Run.Started // the code begins with the Begun that is adopted
	}
	begins := now
	if c.Begun && begins.Before(s.At) {
		begins = s.At // the clock was set back; what has begun by the history has begun
	}
	if c.Adopts.Cut == c.Adopts.From+1 && !next.BeginAt.After(begins) {
		next.BeginAt = time.Time{}
	}
	if !next.BeginAt.After(begins) {
		c.Slot.waitBehind(next)
	}
	return next
}

// A Place is where in a run a further one is to go on.
type Place struct {
	Failed   bool         // at the step that failed, see Adopt
	Step     history.Step // at this step, which the code asks for anew
	Entry    uint64       // or before this entry
	Activity string       // or at the activity of this name
	Nth      int          // of them, from 1
	Open     bool         // the step is adopted without its outcome: it is given one, or another input, and not asked for anew
}

// Adopt says what a run takes over from the one before it, whose entries are given with their payloads open, and which step it goes on
// at, 0 if that is none. left are gates before the place that are not taken over.
//
// Where it is to go on at the step that failed, that is the first of those whose failures the failure of the run tells of, else the one
// that failed last; of a cancelled run it is where it was asked to end; of any other, everything is taken over. Behind that place no
// failure is taken over, and what failed is tried anew; what has completed and was asked for before it, and messages, are told once more.
func Adopt(entries []history.Entry, place Place, resume bool, left []uint64) (a *history.Adoption, step history.Step, err error) {
	started, ok := entries[0].Event.(*history.Started)
	if !ok {
		return nil, 0, fmt.Errorf("commands: entry %d is %s, a run begins with started", entries[0].Seq, entries[0].Event.Kind())
	}
	cut, step, err := place.find(entries)
	if err != nil {
		return nil, 0, err
	}
	if len(entries) > 1 {
		cut = max(cut, entries[1].Seq)
	}
	cut = beforeKept(entries, cut)
	from := entries[0].Seq
	a = &history.Adoption{Run: started.Run, From: from, Cut: cut, Left: left, Resume: resume}
	a.Past = past(entries, a.Entries())
	own := history.Step(0)
	if place.Open {
		own = step
	}
	a.Again = history.Ranges(again(entries, cut, own))
	return a, step, nil
}

// GatesOf are the gates that were kept in the turn in which the last entry before a cut was asked for, by their Seqs.
func GatesOf(entries []history.Entry, cut uint64) map[uint64]string {
	gates := map[uint64]string{}
	for i := int(cut-entries[0].Seq) - 1; i > 0; i-- {
		if k, ok := entries[i].Event.(*history.Kept); ok && k.Gate {
			gates[entries[i].Seq] = k.Name
		}
		if entries[i].Event.Role() == history.Input {
			break
		}
	}
	return gates
}

// beforeKept moves a cut to before the gates and values that were kept just before it: they are of what is asked for behind it.
func beforeKept(entries []history.Entry, cut uint64) uint64 {
	for cut-1 > entries[0].Seq {
		if _, kept := entries[cut-1-entries[0].Seq].Event.(*history.Kept); !kept {
			break
		}
		cut--
	}
	return cut
}

// find is the Seq of the first entry that is not adopted in its place.
func (p Place) find(entries []history.Entry) (cut uint64, step history.Step, err error) {
	last := entries[len(entries)-1]
	end := last.Seq + 1 // of a run that is to be terminated
	if closes(last.Event) {
		end = last.Seq
	}
	switch {
	case p.Failed:
		return failedAt(entries, end), 0, nil
	case p.Entry > 0:
		if p.Entry <= entries[0].Seq || p.Entry > last.Seq {
			return 0, 0, &Invalid{Field: "the entry to go on from", Value: fmt.Sprint(p.Entry), Want: fmt.Sprintf("one of the run, %d to %d", entries[0].Seq+1, last.Seq)}
		}
		return p.Entry, 0, nil
	}
	nth, known := 0, []string{}
	for _, e := range entries {
		step, name := askedFor(e.Event)
		if step == 0 {
			continue
		}
		if p.Activity != "" && p.Activity == name {
			nth++
		}
		known = append(known, fmt.Sprintf("%d (%s)", step, name))
		if step != p.Step && (p.Activity == "" || p.Activity != name || nth != max(p.Nth, 1)) {
			continue
		}
		if !p.Open {
			return e.Seq, step, nil
		}
		if _, ok := e.Event.(*history.ActivityScheduled); !ok {
			return 0, 0, &Invalid{Field: "the step to be given a result or an input", Value: fmt.Sprint(step), Want: "an activity, and it is " + name}
		}
		return min(outcomeOf(entries, step), end), step, nil
	}
	what := fmt.Sprint(p.Step)
	if p.Activity != "" {
		what = fmt.Sprintf("activity %s, number %d", p.Activity, max(p.Nth, 1))
	}
	if len(known) > 20 {
		known = append(known[:20], "…")
	}
	want := "one of the run: " + strings.Join(known, ", ")
	if len(known) == 0 {
		want = "one of the run, which asked for nothing"
	}
	return 0, 0, &Invalid{Field: "the step to go on from", Value: what, Want: want}
}

// askedFor is the step that an entry asks for, and what it is.
func askedFor(e history.Event) (step history.Step, name string) {
	switch e := e.(type) {
	case *history.ActivityScheduled:
		return e.Step, e.Name
	case *history.TimerStarted:
		return e.Step, "timer"
	case *history.ChildAsked:
		return e.Step, "child " + e.Type
	case *history.SendAsked:
		return e.Step, "signal " + e.Name
	case *history.FindAsked:
		return e.Step, "lookup"
	}
	return 0, ""
}

func closes(e history.Event) bool {
	switch e.(type) {
	case *history.Completed, *history.Failed, *history.Cancelled, *history.Terminated, *history.TimedOut, *history.Continued:
		return true
	}
	return false
}

// An outcome is what became of a step.
type outcome struct {
	step   history.Step
	failed bool
	text   string // of the failure
}

func outcomeAt(e history.Event) (o outcome, ok bool) {
	failure := func(p history.Payload) string { return history.ReadFailure(p).Message }
	switch e := e.(type) {
	case *history.ActivityCompleted:
		return outcome{step: e.Step}, true
	case *history.ActivityFailed:
		return outcome{e.Step, true, failure(e.Failure)}, true
	case *history.ActivityTimedOut:
		return outcome{e.Step, true, e.Limit}, true
	case *history.ActivityCancelled:
		return outcome{e.Step, true, ""}, true
	case *history.ChildClosed:
		if e.Status == history.StatusCompleted {
			return outcome{step: e.Step}, true
		}
		text := e.Reason
		if !e.Failure.Absent() {
			text = failure(e.Failure)
		}
		return outcome{e.Step, true, text}, true
	case *history.ChildRefused:
		return outcome{e.Step, true, e.Message}, true
	case *history.Sent:
		return outcome{e.Step, e.Refused != "", e.Refused}, true
	case *history.FindAnswered:
		return outcome{e.Step, e.Refused != "", e.Message}, true
	case *history.TimerFired:
		return outcome{step: e.Step}, true
	}
	return outcome{}, false
}

func outcomeOf(entries []history.Entry, step history.Step) uint64 {
	for _, e := range entries {
		if o, ok := outcomeAt(e.Event); ok && o.step == step {
			return e.Seq
		}
	}
	return ^uint64(0)
}

// failedAt is where a run is to go on that did not complete.
func failedAt(entries []history.Entry, end uint64) uint64 {
	var told string // by the failure of the run
	switch e := entries[len(entries)-1].Event.(type) {
	case *history.Failed:
		f := history.ReadFailure(e.Failure)
		f.Any(func(f *history.Failure) bool { told += f.Message + "\n"; return false })
	case *history.Cancelled:
		for _, e := range entries {
			if _, ok := e.Event.(*history.CancelRequested); ok {
				return e.Seq
			}
		}
		return end
	default:
		return end
	}
	last := end
	for _, e := range entries {
		o, ok := outcomeAt(e.Event)
		if !ok || !o.failed {
			continue
		}
		if o.text != "" && strings.Contains(told, o.text) {
			return e.Seq
		}
		last = e.Seq
	}
	return last
}

// again are the Seqs behind a cut of what is told once more: messages, and what completed that was asked for before it. Timers that were
// running go on with what was left. The outcome of the step that is to be given another is left out.
func again(entries []history.Entry, cut uint64, without history.Step) (seqs []uint64) {
	open := map[history.Step]bool{}
	for _, e := range entries {
		if e.Seq < cut {
			if step, _ := askedFor(e.Event); step > 0 {
				open[step] = true
			}
			if o, ok := outcomeAt(e.Event); ok {
				delete(open, o.step)
			}
			continue
		}
		told := false
		switch v := e.Event.(type) {
		case *history.Signaled, *history.UpdateAccepted:
			told = true
		case *history.ChildStarted:
			told = open[v.Step]
		case *history.ActivityCompleted, *history.ChildClosed, *history.Sent, *history.FindAnswered:
			o, _ := outcomeAt(v)
			told = open[o.step] && !o.failed && o.step != without
			if told {
				delete(open, o.step)
			}
		}
		if told {
			seqs = append(seqs, e.Seq)
		}
	}
	return seqs
}

// past are the runs that first told the entries behind the beginning of a run of which n are adopted.
func past(entries []history.Entry, n int) (all []history.Past) {
	e, started := &entries[0], entries[0].Event.(*history.Started)
	if started.Adopts != nil {
		for _, p := range started.Adopts.Past {
			p.Entries = min(p.Entries, n)
			n -= p.Entries
			all = append(all, p)
		}
	}
	deadline := started.RunDeadline
	for i := range entries {
		if begun, ok := entries[i].Event.(*history.Begun); ok && entries[i].Adopted == nil && !begun.RunDeadline.IsZero() {
			deadline = begun.RunDeadline // before that the code was told nothing
		}
	}
	if !started.Deadline.IsZero() && (deadline.IsZero() || started.Deadline.Before(deadline)) {
		deadline = started.Deadline
	}
	return append(all, history.Past{Run: started.Run, Number: started.Number, Seed: started.Seed, Started: e.At, Deadline: deadline, Entries: n})
}

// Repeat is what stands in a run for an entry that it adopts. began is the Started of the run, and at its time; cutAt is the time of the
// last entry before the cut. The entry is one of the run that is adopted from.
func Repeat(began history.Entry, cutAt time.Time, e history.Entry) history.Entry {
	a := began.Event.(*history.Started).Adopts
	repeated := history.Entry{By: e.By, Node: e.Node, Adopted: &history.Adopted{Seq: e.Seq, Size: e.Length()}, Event: e.Event}
	if e.Seq < a.Cut {
		repeated.Adopted.Was = e.Time()
		if e.Told >= a.From {
			repeated.Told, repeated.Unread = e.Told-a.From+began.Seq, e.Unread
		}
	}
	if v, ok := e.Event.(*history.TimerStarted); ok {
		t := *v
		t.Due = v.Due.Add(max(0, began.At.Sub(cutAt)))
		repeated.Event = &t
	}
	return repeated
}
