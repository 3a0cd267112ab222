package witness

import (
	"fmt"
	"time"
)

// updating asks a relay something, in one case of five together with its start. It is mostly the one that is being sent
// signals, so that there are questions that a run leaves to the next.
func (w *witness) updating() *demand {
	x := w.lately(40, relayKind)
	if w.busy != nil && w.busy.kind == relayKind && w.rand.IntN(4) > 0 {
		x = w.busy
	}
	d := &demand{request: request{What: update, Weight: w.weight(20), Patient: w.rand.IntN(2) == 0}}
	if x == nil || w.rand.IntN(5) == 0 {
		d.What, d.Size = startUpdate, w.weight(6)
		if !x.started() || w.rand.IntN(2) == 0 {
			x = w.born(relayKind)
			x.starts = append(x.starts, d)
		}
	}
	d.of, d.ID = x, x.id
	d.Request = fmt.Sprintf("%s/ask/%d", x.id, len(x.updates))
	d.Value = d.Request
	x.updates = append(x.updates, d)
	return d
}

// started reports whether a start is acknowledged, so that no other can come before it.
func (x *execution) started() bool {
	return x != nil && len(x.starts) > 0 && (x.starts[0].done > 0 || x.starts[0].agreed > 0)
}

// startingWithSignal sends a signal to a relay, and starts it if it does not run.
func (w *witness) startingWithSignal() *demand {
	x := w.lately(40, relayKind)
	d := &demand{request: request{What: startSend, Kind: relayKind, Size: w.weight(6), Weight: w.weight(20)}}
	if !x.started() || w.rand.IntN(2) == 0 {
		x = w.born(relayKind)
		x.starts = append(x.starts, d)
	}
	d.of, d.ID = x, x.id
	d.Value = fmt.Sprintf("%s/%d", x.id, len(x.notes))
	d.Request = d.Value + "/with-start"
	x.notes = append(x.notes, d)
	return d
}

// carrying starts a courier to somebody who may be there.
func (w *witness) carrying() *demand {
	to := w.lately(40, relayKind, relayKind, gateKind, collectKind)
	if to == nil {
		return nil
	}
	d := w.beginningOf(courierKind)
	d.To, d.Weight = to.id, w.weight(4)
	return d
}

// weight is heavy once in so many times.
func (w *witness) weight(once int) int {
	if w.rand.IntN(once) == 0 {
		return heavy
	}
	return 0
}

// born adds an execution of which nothing is asked yet.
func (w *witness) born(kind string) *execution {
	x := &execution{id: fmt.Sprintf("%s-%d", kind, len(w.order)), kind: kind}
	w.executions[x.id] = x
	w.order = append(w.order, x)
	return x
}

// meet gets to know a child by what its first local step tells. From then on demands may concern it.
func (w *witness) meet(told line) {
	if w.executions[told.ID] != nil || told.Value != kinKind && told.Value != familyKind {
		return
	}
	x := &execution{id: told.ID, kind: told.Value, child: true}
	w.executions[x.id] = x
	w.order = append(w.order, x)
}

// agrees notes that an update was acknowledged as accepted.
func (w *witness) agrees(l *life, told line) {
	d := w.waiting[told.Number]
	switch {
	case d == nil:
		w.wrong("process %d accepted %d, which it was not asked", l.number, told.Number)
	case d.agreed == 0:
		d.agreed = w.clock
	}
}

// holds holds an answer against the one that was given first.
func (w *witness) holds(d *demand, told line) {
	if d.agreed == 0 {
		w.wrong("update %s was answered before it was accepted", d.Request)
	}
	if d.done > 0 && d.answer != told.Value {
		w.wrong("update %s was answered %q first and %q later", d.Request, d.answer, told.Value)
	}
	if d.refused == errRunClosed.Error() {
		w.wrong("update %s was said to remain without an answer, and now it is %q", d.Request, told.Value)
	}
	d.answer = told.Value
}

// closedUnanswered reports whether an update may have been refused because its run ended without an answer.
func (w *witness) closedUnanswered(d *demand, told line) bool {
	return told.Error == errRunClosed.Error() && d.agreed > 0 && d.done == 0 && len(d.of.ends) > 0
}

// askAgain asks once more for every update that was accepted, now that all have ended.
func (w *witness) askAgain(l *life) {
	var again []*demand
	for _, d := range w.demands {
		if (d.What == update || d.What == startUpdate) && d.agreed > 0 {
			again = append(again, d)
		}
	}
	for _, d := range again {
		w.put(l, d)
	}
	w.drive(l, func(*life) {}, func() bool { return len(w.waiting) == 0 }, time.Minute)
	for _, d := range w.waiting {
		w.wrong("update %s of an execution that has ended is not answered", d.Request)
	}
}
