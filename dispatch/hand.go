package dispatch

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
)

var errTakenOver = errors.New("dispatch: a newer attempt has taken over")

// Hand is an attempt in hand.
type Hand struct {
	Attempt
	Started time.Time
	queue   *Queue
	work    *work
}

// Take hands out the next attempt that is to be made at now, if one is and another may be in hand. Else it says when the
// next one is due; zero if none is. cancel ends the attempt's context.
func (q *Queue) Take(now time.Time, cancel context.CancelCauseFunc) (h *Hand, next time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.see(now)
	keys, next := q.later.Due(now, 256) // under the lock: a key that is offered again meanwhile is not due
	for _, k := range keys {
		if w := q.work[k]; w != nil && w.state == waiting {
			q.push(w)
		}
	}
	if q.free == 0 {
		return nil, next // a place that is released is told
	}
	if at := q.refill(); !at.IsZero() && (next.IsZero() || at.Before(next)) {
		next = at
	}
	l := q.choose()
	if l == nil {
		if at, ok := q.refills.First(); ok && (next.IsZero() || at.Before(next)) {
			next = at
		}
		return nil, next
	}
	w := l.first
	q.hold(w, l.buckets, true)
	if b := l.woken; b != nil {
		l.woken, b.woke = nil, nil
	}
	q.moveOn(l.flow, w.admission().Share())
	q.unlink(w)
	q.free--
	q.hand++
	w.making = true
	for _, b := range w.held {
		q.stir(b)
	}
	w.state, w.cancel = inHand, cancel
	w.Serial = max(w.Serial+1, history.Serial(now.UnixMicro()))
	w.started, w.beat, w.recorded, w.away = now, now, now, w.Claim
	if due := w.limit(); !due.IsZero() {
		q.limits.Set(w.Key, due)
	}
	return &Hand{Attempt: w.Attempt, Started: now, queue: q, work: w}, next
}

// limit is when the nearest limit of the attempt in hand passes; zero: none.
func (w *work) limit() time.Time {
	var due time.Time
	if p := w.Policy; p.StartToClose > 0 {
		due = w.started.Add(p.StartToClose)
	}
	if p := w.Policy; p.Heartbeat > 0 {
		if t := w.beat.Add(p.Heartbeat); due.IsZero() || t.Before(due) {
			due = t
		}
	}
	return due
}

// Overdue returns executions with attempts in hand whose limits have passed at now, and says when the next limit passes.
// Signs of life that came meanwhile are taken into account. An execution that is returned is to be woken; it is returned
// again after a second if nothing came of it.
func (q *Queue) Overdue(now time.Time) (ids []history.ID, next time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	keys, next := q.limits.Due(now, 256) // under the lock: a limit that is lifted meanwhile stays so
	for _, k := range keys {
		w := q.work[k]
		if w == nil || w.state != inHand {
			continue
		}
		due := w.limit()
		if !due.After(now) {
			ids = append(ids, k.ID)
			due = now.Add(time.Second)
		}
		q.limits.Set(k, due)
		if next.IsZero() || due.Before(next) {
			next = due
		}
	}
	return ids, next
}

// Release gives the place of the attempt to another. If the activity was not settled meanwhile and the attempt does not go
// on outside, it is forgotten: what is to follow is offered again.
func (h *Hand) Release() {
	q := h.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	q.free++
	q.hand--
	w := h.work
	w.making = false
	if !w.abandoned && w.state == inHand {
		w.cancel = func(error) {}
		q.remove(w, nil)
	} else if w.gone {
		q.giveBack(w)
	}
	q.signal()
}

// Beat notes a sign of life and, unless it is absent, a checkpoint. record says that it is time to record it.
func (h *Hand) Beat(checkpoint history.Payload, now time.Time) (record bool) {
	h.queue.mu.Lock()
	defer h.queue.mu.Unlock()
	return h.work.note(checkpoint, now)
}

// Checkpoint is the last one of this or an earlier attempt.
func (h *Hand) Checkpoint() history.Payload {
	h.queue.mu.Lock()
	defer h.queue.mu.Unlock()
	return h.work.checkpoint
}

// Facts is what is known of the attempt.
func (h *Hand) Facts() commands.Attempt {
	h.queue.mu.Lock()
	defer h.queue.mu.Unlock()
	return h.work.facts()
}

// BeatOutside is [Hand.Beat] for an attempt that goes on outside, or that is in hand and was asked for by its token. known
// is false if nothing is known here of such an attempt.
func (q *Queue) BeatOutside(k Key, serial history.Serial, checkpoint history.Payload, now time.Time) (facts commands.Attempt, record, known bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	w := q.work[k]
	if w == nil || w.Serial != serial || w.state != inHand && w.state != outside {
		return facts, false, false
	}
	record = w.note(checkpoint, now)
	return w.facts(), record, true
}

// unlimitedBeat is how often the checkpoints of attempts without a heartbeat limit are recorded.
const unlimitedBeat = 30 * time.Second

// note keeps a sign of life. It is to be recorded when the checkpoint has changed, or others count on it, and half the heartbeat limit
// has passed.
func (w *work) note(checkpoint history.Payload, now time.Time) (record bool) {
	w.beat = now
	if !checkpoint.Absent() && !bytes.Equal(checkpoint.Sum[:], w.checkpoint.Sum[:]) {
		w.checkpoint, w.fresh = checkpoint, true
	}
	half := w.Policy.Heartbeat / 2
	if half == 0 {
		half = unlimitedBeat
	}
	if !w.fresh && !w.away || now.Sub(w.recorded) < half {
		return false
	}
	w.recorded, w.fresh = now, false
	return true
}

// Deadline is when the attempt is to have ended, however often it beats, as far as was known when it was taken: a pause that holds limits
// meanwhile leaves it more time.
func (h *Hand) Deadline() time.Time {
	due := h.Scheduled.Add(h.Policy.ScheduleToClose).Add(h.Held)
	if p := h.Policy; p.StartToClose > 0 {
		if t := h.Started.Add(p.StartToClose); t.Before(due) {
			due = t
		}
	}
	return due
}
