package dispatch

import "slices"

// A heap keeps the least item first. Each item knows its place, from 1, so that it can be taken out of the middle; 0 is outside.
type heap[T any] struct {
	items []T
	less  func(a, b T) bool
	place func(T) *int
}

func (h *heap[T]) len() int { return len(h.items) }

func (h *heap[T]) top() T { return h.items[0] }

// all are the items, in no order.
func (h *heap[T]) all() []T { return slices.Clone(h.items) }

func (h *heap[T]) push(v T) {
	h.items = append(h.items, v)
	*h.place(v) = len(h.items)
	h.up(len(h.items) - 1)
}

func (h *heap[T]) remove(v T) {
	i, last := *h.place(v)-1, len(h.items)-1
	h.swap(i, last)
	var none T
	h.items[last] = none
	h.items = h.items[:last]
	*h.place(v) = 0
	if i < last && !h.up(i) {
		h.down(i)
	}
}

// fix puts an item into its place whose rank has changed.
func (h *heap[T]) fix(v T) {
	if i := *h.place(v) - 1; !h.up(i) {
		h.down(i)
	}
}

func (h *heap[T]) swap(i, j int) {
	h.items[i], h.items[j] = h.items[j], h.items[i]
	*h.place(h.items[i]), *h.place(h.items[j]) = i+1, j+1
}

func (h *heap[T]) up(i int) (moved bool) {
	for i > 0 {
		parent := (i - 1) / 2
		if !h.less(h.items[i], h.items[parent]) {
			break
		}
		h.swap(i, parent)
		i, moved = parent, true
	}
	return moved
}

func (h *heap[T]) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(h.items) {
			return
		}
		if right := child + 1; right < len(h.items) && h.less(h.items[right], h.items[child]) {
			child = right
		}
		if !h.less(h.items[child], h.items[i]) {
			return
		}
		h.swap(i, child)
		i = child
	}
}
