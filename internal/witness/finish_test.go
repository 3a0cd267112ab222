package witness

import (
	"fmt"
	"time"
)

// finish lets everything end: it sends what executions wait for and lists those that are open until none is.
func (w *witness) finish() {
	if w.giveUp {
		return
	}
	l := w.bear()
	asked := time.Time{}
	finishing := func(l *life) {
		if time.Since(asked) > 250*time.Millisecond && w.pressing() == 0 {
			asked = time.Now()
			for _, id := range w.open {
				w.help(l, w.executions[id])
			}
			w.put(l, &demand{request: request{What: list}})
		}
	}
	w.drive(l, finishing, func() bool { return l.ready && w.listed && len(w.open) == 0 && len(w.waiting) == 0 }, w.patience())
	if !w.listed || len(w.open) > 0 || len(w.waiting) > 0 {
		w.wrong("%d executions or more have not ended after %s; requests that were not answered: %d", len(w.open), w.patience(), len(w.waiting))
		for _, d := range w.waiting {
			w.wrong("not answered: %s %s %s", d.What, d.ID, d.Request)
		}
		clear(w.waiting)
		for _, id := range w.open[:min(10, len(w.open))] {
			w.put(l, &demand{request: request{What: describe, ID: id}})
		}
		w.drive(l, func(*life) {}, func() bool { return len(w.waiting) == 0 }, 5*time.Second)
	}
	w.askAgain(l)
	w.note("SIGTERM at the end")
	l.close()
	if w.drive(l, func(*life) {}, never, 15*time.Second); l.lines != nil {
		w.wrong("process %d has not closed after 15 s", l.number)
		l.kill()
	}
	w.bury(l)
	if !l.closed {
		w.wrong("process %d did not close cleanly:\n%s", l.number, tail(l.stderr.String()))
	}
}

func (w *witness) patience() time.Duration {
	return 30*time.Second + time.Duration(len(w.order))*10*time.Millisecond
}

// help sends what an execution may wait for.
func (w *witness) help(l *life, x *execution) {
	switch {
	case x == nil:
	case x.kind == gateKind:
		if x.last == nil {
			x.last = w.sending(x, last)
		}
		if x.last.done == 0 {
			w.put(l, x.last)
		}
	case x.kind == relayKind:
		if x.last == nil || x.last.done > 0 || x.last.refused != "" { // another chain may have begun after the one that it ended
			x.last = w.sending(x, last)
			x.last.Request += fmt.Sprint("/", len(x.notes))
		}
		w.put(l, x.last)
	case x.kind == cleanupKind:
		w.put(l, w.cancelling(x))
	}
	for _, k := range w.tokens {
		if x != nil && k.id == x.id && (k.demand == nil || k.demand.done == 0 && k.demand.refused == "") {
			w.put(l, w.completing(k))
		}
	}
}

func (w *witness) report() {
	counts := map[string]int{}
	for _, d := range w.demands {
		if d.done > 0 {
			counts[d.What]++
		}
	}
	w.t.Logf("%d kills, of which %d during recovery and %d during close; ready after %s at most; %d executions; acknowledged: %v; activities begun: %d; entries: %v",
		w.kills, w.recoveries, w.closings, w.slowest, len(w.order), counts, len(w.attempts), w.seen)
	if w.giveUp || w.t.Failed() || w.kills < 10 {
		return
	}
	for _, what := range []string{start, send, update, startSend, startUpdate, cancel, terminate, complete, ask} {
		if counts[what] == 0 {
			w.wrong("nothing was put to the test: no %s was acknowledged", what)
		}
	}
	for _, kind := range []string{"attempt-lost", "attempt-failed", "heartbeat", "activity-cancelled", "timer-cancelled",
		"continued", "carried updates", "child-closed", "child-cancel-delivered", "child cancel", "child terminate", "sent", "attributes-set",
		startSend, startUpdate, "blobs",
	} {
		if w.seen[kind] == 0 {
			w.wrong("nothing was put to the test: there is no %s", kind)
		}
	}
}
