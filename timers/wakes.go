package timers

import (
	"sync"
	"time"

	"github.com/clewflow/clew/history"
)

// Wakes knows for each execution when it is to be woken next.
type Wakes struct {
	*Agenda[history.ID]
	horizon time.Duration

	mu  sync.Mutex
	far time.Time // the earliest moment that was left to the log; zero: none was
}

// NewWakes makes an empty Wakes. Moments further away than horizon are left to the log; 0 keeps them all.
func NewWakes(horizon time.Duration) *Wakes {
	return &Wakes{Agenda: NewAgenda[history.ID](), horizon: horizon}
}

// Wake puts id down for a moment, whatever it was down for before; zero takes it off.
func (w *Wakes) Wake(id history.ID, due, now time.Time) {
	switch {
	case due.IsZero():
		w.Drop(id)
	case w.horizon > 0 && due.Sub(now) > w.horizon:
		w.Drop(id)
		w.leave(due)
	default:
		w.Set(id, due)
	}
}

// Look says when the log is to be looked through for what was left to it; zero if nothing was.
func (w *Wakes) Look() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.far.IsZero() {
		return time.Time{}
	}
	return w.far.Add(-w.horizon / 2)
}

// WakeBy makes sure that id is woken at a moment or before; zero is no moment. It is for those who know how things stood
// a while ago: what is down for id already may be newer and is kept if it is earlier.
func (w *Wakes) WakeBy(id history.ID, due, now time.Time) {
	switch {
	case due.IsZero():
	case w.horizon > 0 && due.Sub(now) > w.horizon:
		w.leave(due)
	default:
		w.Sooner(id, due)
	}
}

// leave leaves a moment to the log.
func (w *Wakes) leave(due time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.far.IsZero() || due.Before(w.far) {
		w.far = due
		w.tell()
	}
}

// Earlier receives when the first moment, or that of [Wakes.Look], may have become an earlier one.
func (w *Wakes) Earlier() <-chan struct{} { return w.Agenda.Earlier() }

// Looking is called when the log is about to be looked through.
func (w *Wakes) Looking() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.far = time.Time{}
}
