package coro

// A Bell wakes coroutines. The zero Bell is ready.
type Bell struct {
	About   func() string // what it rings for, for people; nil: not worth telling
	Outside bool          // what it rings for comes from outside
	waiting list
}

// For is b, said to ring for what about says.
func (b *Bell) For(about func() string) *Bell {
	b.About = about
	return b
}

// Ring makes all who wait for b ready to run, in the order in which they began to wait.
func (b *Bell) Ring() {
	for b.waiting.first != nil {
		c := b.waiting.first.c
		c.unlink()
		c.group.wake(c)
	}
}

// A list links nodes that live inside what they link, so that leaving it costs the same wherever one stands.
type list struct{ first, last *node }

type node struct {
	c          *Coroutine
	bell       *Bell
	in         *list
	prev, next *node
}

func (l *list) push(n *node) {
	n.in, n.prev, n.next = l, l.last, nil
	if l.last == nil {
		l.first = n
	} else {
		l.last.next = n
	}
	l.last = n
}

func (n *node) unlink() {
	l := n.in
	if l == nil {
		return
	}
	if n.prev == nil {
		l.first = n.next
	} else {
		n.prev.next = n.next
	}
	if n.next == nil {
		l.last = n.prev
	} else {
		n.next.prev = n.prev
	}
	n.in, n.prev, n.next = nil, nil, nil
}
