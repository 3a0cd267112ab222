package sim

import (
	"strings"

	"github.com/clewflow/clew/history"
)

// Sometimes is what must happen now and then in a campaign; a campaign in which one never did has not tried it.
var Sometimes = []string{
	"a child ends with its parent",
	"a child starts after its parent has ended",
	"a completion from outside is refused",
	"a heartbeat saves an attempt",
	"a limit is full",
	"a lookup finds runs",
	"a node joins while another is cut off",
	"a node leaves with work in hand",
	"a node makes an attempt for the owner",
	"a node that was away finds that others have gone on",
	"a node that was buried comes back as another",
	"a pause has held the limits of an activity",
	"a request is answered after it was repeated",
	"a run adopts entries of another",
	"a run adopts what another has adopted",
	"a run continues as new",
	"a run replaces another",
	"a run that has waited for its slot begins",
	"a signal comes while a run continues",
	"a signal is carried into the next run",
	"an append arrives late and is stored",
	"an append arrives late and is there already",
	"an append arrives late and loses",
	"an adopted child begins again",
	"an attempt goes on at a checkpoint",
	"an attempt is lost",
	"an activity is done under a policy",
	"an activity is put under another policy",
	"an attempt is waited for by another policy",
	"an execution goes on after a pause, and is told something",
	"an execution goes on after its workflow was halted, and is told something",
	"an execution is handed over",
	"an execution is handed over with an attempt in hand",
	"an execution is taken over from a node that was buried",
	"an outcome comes late",
	"an update is answered",
	"an update is carried into the next run",
	"an update is repeated after its run has ended",
	"conflict at the end of a run",
	"conflict while a run continues",
	"an operator settles an activity",
	"death between a lookup and its answer",
	"death between a wish to send and its answer",
	"death between the wish for a child and its start",
	"death while an append is on its way",
	"death while an attempt is in hand",
	"death while recovering",
	"nodes share a limit",
	"one node answers what another has recorded",
	"several inputs in one append",
	"somebody goes on after a stall",
	"somebody stalls",
	"unknown outcome at the end of a run",
	"unknown outcome of a start",
	"unknown outcome while a run continues",
	"unread signals are left over",
}

// happened takes note of what has to happen now and then.
func (j *judge) happened(s *stream, e history.Entry) {
	switch v := e.Event.(type) {
	case *history.Started:
		j.hasBegun(v)
	case *history.Heartbeat:
		if e.By == history.Clock {
			j.w.sometimes("a heartbeat saves an attempt")
		}
	case *history.CancelRequested:
		if strings.HasSuffix(v.Reason, "has ended") {
			j.w.sometimes("a child ends with its parent")
		}
	case *history.ActivityFailed:
		if v.Final == "operator" {
			j.w.sometimes("an operator settles an activity")
		}
		if strings.Contains(history.ReadFailure(v.Failure).Message, "process") {
			j.w.sometimes("an attempt is lost")
		}
	case *history.FindAnswered:
		if v.Found > 0 {
			j.w.sometimes("a lookup finds runs")
		}
	case *history.ActivityScheduled:
		if v.Policy.Version > 0 {
			j.w.sometimes("an activity is done under a policy")
		}
	case *history.AttemptLost:
		j.w.sometimes("an attempt is lost")
	case *history.Stalled:
		j.w.sometimes("somebody stalls")
	case *history.Resumed:
		j.w.sometimes("somebody goes on after a stall")
	case *history.Completed:
		if len(v.Unread) > 0 {
			j.w.sometimes("unread signals are left over")
		}
		j.lookAtResult(s, v)
	}
}

func (j *judge) hasBegun(e *history.Started) {
	if e.Run != e.Chain {
		j.w.sometimes("a run continues as new")
	}
	if len(e.Carried) > 0 {
		j.w.sometimes("a signal is carried into the next run")
	}
	if len(e.Updates) > 0 {
		j.w.sometimes("an update is carried into the next run")
	}
	if p := e.Parent; p.ID != "" {
		if parent := j.of(idOf(p.ID)); !isOpen(&parent.state) || parent.state.Run.Chain != p.Chain {
			j.w.sometimes("a child starts after its parent has ended")
		}
	}
}

// wasTried takes note of an append that is tried.
func (j *judge) wasTried(id history.ID, entries []history.Entry, verdict fault) {
	kinds := map[string]bool{}
	for _, e := range entries {
		kinds[e.Event.Kind()] = true
	}
	if kinds["continued"] && kinds["signaled"] {
		j.w.sometimes("a signal comes while a run continues")
	}
	j.mu.Lock()
	first := j.of(id).state.Seq == 0
	j.mu.Unlock()
	var what string
	switch verdict {
	case conflict:
		what = "conflict"
	case unsureStored, unsureLost, unsureLater:
		what = "unknown outcome"
	default:
		return
	}
	switch {
	case kinds["continued"]:
		j.w.sometimes(what + " while a run continues")
	case kinds["completed"] || kinds["failed"] || kinds["cancelled"]:
		j.w.sometimes(what + " at the end of a run")
	case first && what != "conflict":
		j.w.sometimes(what + " of a start")
	}
}

// dies takes note of what a process leaves undone when it dies.
func (j *judge) dies() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, s := range j.all {
		for _, c := range s.state.Children {
			if c.Chain == "" {
				j.w.sometimes("death between the wish for a child and its start")
			}
		}
		if len(s.state.Finds) > 0 {
			j.w.sometimes("death between a lookup and its answer")
		}
		if len(s.state.Sends) > 0 {
			j.w.sometimes("death between a wish to send and its answer")
		}
	}
	if l := j.w.alive(); l != nil && len(l.hands.inHand()) > 0 {
		j.w.sometimes("death while an attempt is in hand")
	}
}
