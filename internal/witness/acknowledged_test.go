package witness

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
)

// judgeDemands asks for everything that was acknowledged.
func (w *witness) judgeDemands(x *execution, entries []history.Entry) {
	by := map[string][]history.Entry{} // request id
	for _, e := range entries {
		if e.Request != "" {
			by[e.Request] = append(by[e.Request], e)
		}
	}
	once := func(d *demand) *history.Entry {
		found := by[d.Request]
		delete(by, d.Request)
		switch {
		case (d.done > 0 || d.agreed > 0) && len(found) == 0:
			w.wrong("%s %s %s was acknowledged and is lost\n%s", d.What, x.id, d.Request, written(entries))
		case d.done == 0 && d.agreed == 0 && !d.unknown && len(found) > 0:
			w.wrong("%s %s %s was refused (%s) and is there, as entry %d", d.What, x.id, d.Request, d.refused, found[0].Seq)
		case len(found) > 1:
			w.wrong("%s %s %s is there %d times\n%s", d.What, x.id, d.Request, len(found), written(entries))
		}
		if len(found) == 0 {
			return nil
		}
		return &found[0]
	}
	for i, d := range x.starts {
		if d.What == startSend || d.What == startUpdate {
			continue // it is judged as a signal or an update
		}
		if d.Replace && i > 0 { // such a start brings two entries about, if it ends a run
			by[d.Request] = slices.DeleteFunc(by[d.Request], func(e history.Entry) bool { return e.Event.Kind() == "terminated" })
		}
		if e := once(d); e != nil {
			if v, ok := e.Event.(*history.Started); !ok || d.done > 0 && v.Run != d.run {
				w.wrong("start %s of %s was acknowledged with run %s; recorded is %+v", d.Request, x.id, d.run, e.Event)
			}
		}
	}
	var sent []*demand
	for _, d := range x.notes {
		w.judgeAtOnce(x, d, by)
		e := once(d)
		if e == nil {
			continue
		}
		if v, ok := e.Event.(*history.Signaled); !ok || string(v.Value.Data) != fmt.Sprintf("%q", weigh(d.Value, d.Weight)) {
			w.wrong("signal %s of %s is recorded as %s", d.Request, x.id, e)
		}
		sent = append(sent, d)
	}
	w.judgeOrder(x, sent, entries)
	for _, d := range x.ends {
		if e := once(d); e != nil && e.Event.Kind() != "terminated" {
			w.wrong("terminate %s of %s is recorded as %s", d.Request, x.id, e)
		}
	}
	for _, d := range x.updates {
		w.judgeAtOnce(x, d, by)
		if e := once(d); e != nil {
			w.judgeUpdate(x, d, e.Event, entries)
		}
	}
	w.judgeCancels(x, by, entries)
	w.judgeCompletions(x, by, entries)
	for request := range maps.Keys(by) {
		w.wrong("%s holds request %q, which nobody made", x.id, request)
	}
}

// judgeAtOnce: a run that was started together with a message has it as its second entry.
func (w *witness) judgeAtOnce(x *execution, d *demand, by map[string][]history.Entry) {
	if d.What != startSend && d.What != startUpdate || len(by[d.Request]) == 0 {
		return
	}
	found := by[d.Request]
	begins, ok := found[0].Event.(*history.Started)
	if !ok {
		return // it ran already
	}
	if d.run != "" && begins.Run != d.run {
		w.wrong("%s %s of %s was acknowledged with run %s; recorded is %s", d.What, d.Request, x.id, d.run, begins.Run)
	}
	w.seen[d.What]++
	if by[d.Request] = found[1:]; len(found) == 1 {
		w.wrong("%s %s of %s: the start is there without the message", d.What, d.Request, x.id)
	}
}

// judgeUpdate holds the answer that was given against the one that is recorded.
func (w *witness) judgeUpdate(x *execution, d *demand, accepted history.Event, entries []history.Entry) {
	if v, ok := accepted.(*history.UpdateAccepted); !ok || v.Update != d.Request {
		w.wrong("update %s of %s is recorded as %+v", d.Request, x.id, accepted)
	}
	var answers []string
	for _, e := range entries {
		if v, ok := e.Event.(*history.UpdateCompleted); ok && v.Update == d.Request {
			var text string
			require.NoError(w.t, v.Result.Decode(&text))
			answers = append(answers, light(text))
			if !genuine(text) {
				w.wrong("the answer to update %s of %s is spoilt", d.Request, x.id)
			}
		}
	}
	switch {
	case d.done > 0 && !slices.Equal(answers, []string{d.answer}):
		w.wrong("update %s of %s was answered %q; recorded is %q\n%s", d.Request, x.id, d.answer, answers, written(entries))
	case d.refused == errRunClosed.Error() && len(answers) > 0:
		w.wrong("update %s of %s was said to have no answer; recorded is %q\n%s", d.Request, x.id, answers, written(entries))
	}
}

// judgeOrder asks whether signals of which one was acknowledged before the other was sent are in that order.
func (w *witness) judgeOrder(x *execution, sent []*demand, entries []history.Entry) {
	place := map[string]uint64{}
	for _, e := range entries {
		place[e.Request] = e.Seq
	}
	for _, a := range sent {
		for _, b := range sent {
			if a.done > 0 && a.done < b.first && place[a.Request] > place[b.Request] {
				w.wrong("%s: signal %s was acknowledged before %s was sent, and is behind it", x.id, a.Request, b.Request)
			}
		}
	}
}

// judgeCancels: an acknowledged cancellation shows as the request to cancel, its own or an earlier one in the same run.
func (w *witness) judgeCancels(x *execution, by map[string][]history.Entry, entries []history.Entry) {
	shown := false
	for _, e := range entries {
		_, requested := e.Event.(*history.CancelRequested)
		shown = shown || requested
	}
	for _, d := range x.cancels {
		if d.done > 0 && !shown {
			w.wrong("cancel %s of %s was acknowledged and is lost\n%s", d.Request, x.id, written(entries))
		}
		if len(by[d.Request]) > 1 {
			w.wrong("cancel %s of %s is there %d times", d.Request, x.id, len(by[d.Request]))
		}
		delete(by, d.Request)
	}
}

// judgeCompletions: an acknowledged completion is the result of its step.
func (w *witness) judgeCompletions(x *execution, by map[string][]history.Entry, entries []history.Entry) {
	var results []string
	for _, e := range entries {
		if v, ok := e.Event.(*history.ActivityCompleted); ok && strings.HasPrefix(e.Request, "complete:") {
			results = append(results, string(v.Result.Data))
			delete(by, e.Request)
		}
	}
	for _, k := range w.tokens {
		if k.id != x.id || k.demand == nil {
			continue
		}
		there := slices.Contains(results, fmt.Sprintf("%q", k.demand.Value))
		if k.demand.done > 0 && !there {
			w.wrong("complete %s of %s was acknowledged and is lost\n%s", k.demand.Request, x.id, written(entries))
		}
	}
}
