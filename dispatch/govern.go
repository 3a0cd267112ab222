package dispatch

import (
	"time"

	"github.com/clewflow/clew/history"
)

// Govern puts an activity under another policy, and says for how long its limits were held, if something is known of it: what is in hand goes on under its new limits, what waits for its
// time waits until at, and what waits for its turn gets that which is due to it now. Under the policy that it has nothing changes.
func (q *Queue) Govern(k Key, p *history.Policy, held time.Duration, at, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	w := q.work[k]
	if w == nil {
		return
	}
	if w.Held = held; w.Policy == p || w.Policy.Same(p) {
		return
	}
	switch w.state {
	case inHand:
		w.Policy = p
		if due := w.limit(); due.IsZero() {
			q.limits.Drop(k)
		} else {
			q.limits.Set(k, due)
		}
	case waiting:
		w.Policy = p
		q.later.Set(k, at) // if that has passed, it is taken at the next look
	case ready:
		q.unlink(w)
		w.Policy = p
		q.push(w)
	default:
		w.Policy = p
	}
}
