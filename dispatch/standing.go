package dispatch

import (
	"container/list"
	"time"

	"github.com/clewflow/clew/history"
)

type slotState int

const (
	waits    slotState = iota // for a slot
	apart                     // so it does, but it could not be given one, and is tried again later
	reserved                  // it is about to be recorded
	given                     // so is that it has its slot
	begun                     // and that is recorded
)

// standing is how an open run stands.
type standing struct {
	id         history.ID
	run, chain string
	key        *slotKey
	state      slotState
	first      bool // somebody makes room for it
	since      time.Time
	number     uint64
	place      int // among those of its key that wait

	leaving        bool // it is to make room
	inAll, inOfKey *list.Element
}

// leave notes that a run makes room for another.
func (r *standing) leave() {
	r.leaving = true
	r.unlist()
}

func (r *standing) unlist() {
	if r.inAll != nil {
		r.key.of.able.Remove(r.inAll)
		r.key.able.Remove(r.inOfKey)
		r.inAll, r.inOfKey = nil, nil
	}
}

// list puts a run among those that can make room, in their order. Most belong at the end.
func (r *standing) list() {
	if r.leaving || r.inAll != nil {
		return
	}
	into := func(l *list.List) *list.Element {
		at := l.Back()
		for at != nil && r.older(at.Value.(*standing)) {
			at = at.Prev()
		}
		if at == nil {
			return l.PushFront(r)
		}
		return l.InsertAfter(r, at)
	}
	r.inAll, r.inOfKey = into(r.key.of.able), into(r.key.able)
}

func (r *standing) older(other *standing) bool {
	if c := r.since.Compare(other.since); c != 0 {
		return c < 0
	}
	return r.number < other.number
}

// before reports whether it is a run's turn before another's.
func (r *standing) before(other *standing) bool {
	if r.first != other.first {
		return r.first
	}
	return r.older(other)
}

func (c *counted) key(name string) *slotKey {
	k := c.keys[name]
	if k == nil {
		k = &slotKey{of: c, name: name, able: list.New(), waits: heap[*standing]{
			less: func(a, b *standing) bool { return a.before(b) }, place: func(r *standing) *int { return &r.place },
		}}
		c.keys[name] = k
	}
	return k
}

// drop forgets a key of which there is no run.
func (c *counted) drop(k *slotKey) {
	for _, one := range []int{k.n, k.waits.len(), k.able.Len(), k.place} {
		if one > 0 {
			return
		}
	}
	delete(c.keys, k.name)
}

// rank puts a key where it belongs among those whose runs wait for nothing of the key's own.
func (k *slotKey) rank() {
	ready := &k.of.ready
	if k.place > 0 {
		if k.waits.len() > 0 && k.room() {
			ready.fix(k)
			return
		}
		ready.remove(k)
		return
	}
	if k.waits.len() > 0 && k.room() {
		ready.push(k)
	}
}
