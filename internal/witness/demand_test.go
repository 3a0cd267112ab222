package witness

import (
	"fmt"

	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/store"
)

// A demand is a request and what is known of its effect. It may be put again after a process has died.
type demand struct {
	request
	of      *execution
	token   *token
	first   uint64 // when it was put first
	done    uint64 // when it was acknowledged; 0: it was not
	unknown bool   // one of the tries was never answered
	agreed  uint64 // when an update was acknowledged as accepted
	answer  string // to an update
	refused string // the last answer, if it was no
	run     string
	tries   int
}

// What may be answered instead of yes.
var (
	errNotRunning = runtime.ErrNotRunning
	errNotFound   = runtime.ErrNotFound
	errSettled    = runtime.ErrSettled
	errStale      = runtime.ErrStale
	errRunClosed  = runtime.ErrRunClosed
	errNobody     = runtime.ErrUnavailable // an update before the process has begun to run code
	errsOfClosing = []error{runtime.ErrClosed, store.ErrClosed}
)

var kinds = []string{
	sequenceKind, sequenceKind, collectKind, collectKind, gateKind, chainKind, fanKind, beatsKind, beatsKind, onceKind, onceKind,
	outsideKind, outsideKind, cleanupKind, tripKind, tripKind, relayKind, relayKind, familyKind,
}

// load thinks up the next demand, unless too many wait.
func (w *witness) load(l *life) {
	if w.pressing() >= atOnce || l.killed {
		return
	}
	if d := w.next(); d != nil {
		w.put(l, d)
	}
}

// pressing is how many demands wait for something that is not for others to bring about, as an accepted update may.
func (w *witness) pressing() (n int) {
	for _, d := range w.waiting {
		if d.agreed == 0 {
			n++
		}
	}
	return n
}

func (w *witness) next() *demand {
	switch dice := w.rand.IntN(100); {
	case dice < 30:
		return w.beginningOf(kinds[w.rand.IntN(len(kinds))])
	case dice < 33:
		return w.beginAgain()
	case dice < 58:
		if w.busy == nil || w.rand.IntN(5) == 0 {
			w.busy = w.lately(60, gateKind, collectKind, relayKind, relayKind)
		}
		if x := w.busy; x != nil {
			return w.sending(x, fmt.Sprintf("%s/%d", x.id, len(x.notes)))
		}
	case dice < 63:
		return w.updating()
	case dice < 65:
		return w.startingWithSignal()
	case dice < 67:
		return w.carrying()
	case dice < 74:
		if x := w.lately(60, cleanupKind, chainKind, sequenceKind, fanKind, outsideKind, gateKind, tripKind, familyKind, courierKind, kinKind); x != nil {
			return w.cancelling(x)
		}
	case dice < 78:
		if x := w.lately(30); x != nil {
			d := &demand{of: x, request: request{What: terminate, ID: x.id, Request: fmt.Sprintf("%s/end/%d", x.id, len(x.ends))}}
			x.ends = append(x.ends, d)
			return d
		}
	case dice < 88:
		if len(w.tokens) > 0 {
			k := w.tokens[max(0, len(w.tokens)-1-w.rand.IntN(8))]
			if k.demand == nil || k.demand.again() && w.idle(k.demand) {
				return w.completing(k)
			}
		}
	case dice < 92:
		if x := w.lately(60, gateKind); x != nil {
			return &demand{of: x, request: request{What: ask, ID: x.id}}
		}
	default: // once more what was acknowledged already
		if n := len(w.demands); n > 0 {
			d := w.demands[max(0, n-1-w.rand.IntN(200))]
			if d.done > 0 && d.again() && w.idle(d) {
				return d
			}
		}
	}
	return nil
}

func (w *witness) sizeOf(kind string) int {
	switch kind {
	case sequenceKind:
		return w.rand.IntN(4)
	case collectKind:
		return 1 + w.rand.IntN(6)
	case tripKind:
		return w.rand.IntN(4)
	case familyKind:
		return w.rand.IntN(2)
	case relayKind:
		return w.weight(6)
	case beatsKind:
		return 5 + w.rand.IntN(30)
	case chainKind:
		return 1 + w.rand.IntN(8)
	}
	return 0
}

// idle reports whether nobody is busy with a demand.
func (w *witness) idle(d *demand) bool { return w.waiting[d.Number] != d }

// lately returns one of the newest executions of some kinds, or of all but those that say when a process is ready.
func (w *witness) lately(most int, kinds ...string) *execution {
	var found []*execution
	for i := len(w.order) - 1; i >= 0 && len(found) < most && i >= len(w.order)-400; i-- {
		x := w.order[i]
		if len(x.starts) > 0 && x.starts[0].What == await {
			continue
		}
		if len(kinds) == 0 {
			found = append(found, x)
		}
		for _, k := range kinds {
			if x.kind == k {
				found = append(found, x)
			}
		}
	}
	if len(found) == 0 {
		return nil
	}
	return found[w.rand.IntN(len(found))]
}

func (w *witness) beginningOf(kind string) *demand {
	return w.beginning(fmt.Sprintf("%s-%d", kind, len(w.order)), start, kind, w.sizeOf(kind))
}

func (w *witness) beginning(id, what, kind string, size int) *demand {
	x := &execution{id: id, kind: kind}
	d := &demand{of: x, request: request{What: what, ID: id, Kind: kind, Request: id + "/start", Size: size}}
	x.starts = append(x.starts, d)
	w.executions[id] = x
	w.order = append(w.order, x)
	return d
}

// beginAgain starts another run of an execution, in place of the one that may be open.
func (w *witness) beginAgain() *demand {
	x := w.lately(30, sequenceKind, fanKind, chainKind, beatsKind, tripKind, familyKind)
	if x == nil || len(x.starts) == 0 || x.starts[0].done == 0 {
		return nil
	}
	for _, d := range w.waiting {
		if d.of == x {
			return nil
		}
	}
	d := &demand{of: x, request: request{
		What: start, ID: x.id, Kind: x.kind, Request: fmt.Sprintf("%s/start/%d", x.id, len(x.starts)), Size: w.sizeOf(x.kind), Replace: true,
	}}
	x.starts = append(x.starts, d)
	return d
}

func (w *witness) sending(x *execution, value string) *demand {
	d := &demand{of: x, request: request{What: send, ID: x.id, Request: x.id + "/" + value, Value: value}}
	if value != last {
		d.Weight = w.weight(20)
	}
	x.notes = append(x.notes, d)
	return d
}

func (w *witness) cancelling(x *execution) *demand {
	d := &demand{of: x, request: request{What: cancel, ID: x.id, Request: fmt.Sprintf("%s/cancel/%d", x.id, len(x.cancels))}}
	x.cancels = append(x.cancels, d)
	return d
}

// completing completes an attempt from outside. The same token is always given the same value.
func (w *witness) completing(k *token) *demand {
	if k.demand == nil {
		k.demand = &demand{token: k, of: w.executions[k.id], request: request{
			What: complete, ID: k.id, Token: k.text, Request: fmt.Sprintf("%s#%d", k.key, k.number), Value: fmt.Sprintf("%s#%d", k.key, k.number),
		}}
	}
	return k.demand
}
