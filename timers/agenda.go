// Package timers knows which execution is to be woken when.
//
// An [Agenda] gives out keys when they fall due; each is on it at most once. [Wakes] is the agenda of executions: one wake
// each, the earliest of all that is due in it. Wakes far in the future are left to the log, which is looked through again
// before they come, so that a million sleeping executions take no memory.
//
// The package starts no goroutine and reads no clock: whoever uses it passes the time and waits.
package timers

import (
	"sync"
	"time"
)

// Agenda gives out keys when they fall due. It may be used from many goroutines. The zero Agenda is not ready, see
// [NewAgenda].
type Agenda[K comparable] struct {
	mu      sync.Mutex
	heap    []item[K]
	place   map[K]int
	earlier chan struct{}
}

type item[K comparable] struct {
	due time.Time
	key K
}

// NewAgenda makes an empty agenda.
func NewAgenda[K comparable]() *Agenda[K] {
	return &Agenda[K]{place: map[K]int{}, earlier: make(chan struct{}, 1)}
}

// Set puts k down for a moment, whatever it was down for before.
func (a *Agenda[K]) Set(k K, due time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.set(k, due)
}

func (a *Agenda[K]) set(k K, due time.Time) {
	i, ok := a.place[k]
	if ok {
		a.heap[i].due = due
		if !a.up(i) {
			a.down(i)
		}
	} else {
		i = len(a.heap)
		a.heap = append(a.heap, item[K]{due, k})
		a.place[k] = i
		a.up(i)
	}
	if a.heap[0].key == k {
		a.tell()
	}
}

func (a *Agenda[K]) tell() {
	select {
	case a.earlier <- struct{}{}:
	default:
	}
}

// Sooner puts k down for a moment, unless it is down for an earlier one.
func (a *Agenda[K]) Sooner(k K, due time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if i, ok := a.place[k]; !ok || due.Before(a.heap[i].due) {
		a.set(k, due)
	}
}

// Drop takes k off.
func (a *Agenda[K]) Drop(k K) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if i, ok := a.place[k]; ok {
		a.remove(i)
	}
}

// Due takes off up to most keys that are due at now, the earliest first, and says when the next one is; zero if none is.
func (a *Agenda[K]) Due(now time.Time, most int) (keys []K, next time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.heap) > 0 {
		first := a.heap[0]
		if first.due.After(now) || len(keys) == most {
			return keys, first.due
		}
		keys = append(keys, first.key)
		a.remove(0)
	}
	return keys, time.Time{}
}

// First is the first moment on the agenda; ok is false if there is none.
func (a *Agenda[K]) First() (due time.Time, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.heap) == 0 {
		return due, false
	}
	return a.heap[0].due, true
}

// Earlier receives when the first moment on the agenda may have become an earlier one.
func (a *Agenda[K]) Earlier() <-chan struct{} { return a.earlier }

// Of is the moment that k is down for; ok is false if it is not.
func (a *Agenda[K]) Of(k K) (due time.Time, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	i, ok := a.place[k]
	if !ok {
		return due, false
	}
	return a.heap[i].due, true
}

// Len is the number of keys on the agenda.
func (a *Agenda[K]) Len() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.heap)
}

func (a *Agenda[K]) remove(i int) {
	last := len(a.heap) - 1
	delete(a.place, a.heap[i].key)
	if i < last {
		a.heap[i] = a.heap[last]
		a.place[a.heap[i].key] = i
	}
	a.heap[last] = item[K]{}
	a.heap = a.heap[:last]
	if i < last && !a.up(i) {
		a.down(i)
	}
}

func (a *Agenda[K]) swap(i, j int) {
	a.heap[i], a.heap[j] = a.heap[j], a.heap[i]
	a.place[a.heap[i].key], a.place[a.heap[j].key] = i, j
}

func (a *Agenda[K]) up(i int) (moved bool) {
	for i > 0 {
		parent := (i - 1) / 2
		if !a.heap[i].due.Before(a.heap[parent].due) {
			break
		}
		a.swap(i, parent)
		i, moved = parent, true
	}
	return moved
}

func (a *Agenda[K]) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(a.heap) {
			return
		}
		if right := child + 1; right < len(a.heap) && a.heap[right].due.Before(a.heap[child].due) {
			child = right
		}
		if !a.heap[child].due.Before(a.heap[i].due) {
			return
		}
		a.swap(i, child)
		i = child
	}
}
