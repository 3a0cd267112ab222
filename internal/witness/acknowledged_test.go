package witness

import (
	"fmt"
	"maps"
	"slices"
	"strings"

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
		case d.done > 0 && len(found) == 0:
			w.wrong("%s %s %s was acknowledged and is lost\n%s", d.What, x.id, d.Request, written(entries))
		case d.done == 0 && !d.unknown && len(found) > 0:
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
		e := once(d)
		if e == nil {
			continue
		}
		if v, ok := e.Event.(*history.Signaled); !ok || string(v.Value.Data) != fmt.Sprintf("%q", d.Value) {
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
	w.judgeCancels(x, by, entries)
	w.judgeCompletions(x, by, entries)
	for request := range maps.Keys(by) {
		w.wrong("%s holds request %q, which nobody made", x.id, request)
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
