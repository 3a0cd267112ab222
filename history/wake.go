package history

import "time"

// wakes is a heap of the moments at which something is due, at most one for each step; step 0 is the run's own.
type wakes struct {
	heap  []wake
	place map[Step]int
}

type wake struct {
	due  time.Time
	step Step
}

func (h *wakes) first() (wake, bool) {
	if len(h.heap) == 0 {
		return wake{}, false
	}
	return h.heap[0], true
}

func (h *wakes) set(step Step, due time.Time) {
	i, ok := h.place[step]
	if !ok {
		if h.place == nil {
			h.place = map[Step]int{}
		}
		i = len(h.heap)
		h.heap = append(h.heap, wake{due, step})
		h.place[step] = i
		h.up(i)
		return
	}
	h.heap[i].due = due
	if !h.up(i) {
		h.down(i)
	}
}

// setOrDrop is set, or drop if nothing is due.
func (h *wakes) setOrDrop(step Step, due time.Time) {
	if due.IsZero() {
		h.drop(step)
		return
	}
	h.set(step, due)
}

func (h *wakes) drop(step Step) {
	i, ok := h.place[step]
	if !ok {
		return
	}
	last := len(h.heap) - 1
	h.swap(i, last)
	h.heap = h.heap[:last]
	delete(h.place, step)
	if i < last && !h.up(i) {
		h.down(i)
	}
}

// less orders what is due at the same moment by step, so that the order never depends on the heap's past.
func (h *wakes) less(i, j int) bool {
	a, b := h.heap[i], h.heap[j]
	if !a.due.Equal(b.due) {
		return a.due.Before(b.due)
	}
	return a.step < b.step
}

func (h *wakes) swap(i, j int) {
	h.heap[i], h.heap[j] = h.heap[j], h.heap[i]
	h.place[h.heap[i].step], h.place[h.heap[j].step] = i, j
}

func (h *wakes) up(i int) (moved bool) {
	for i > 0 {
		parent := (i - 1) / 2
		if !h.less(i, parent) {
			break
		}
		h.swap(i, parent)
		i, moved = parent, true
	}
	return moved
}

func (h *wakes) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(h.heap) {
			return
		}
		if right := child + 1; right < len(h.heap) && h.less(right, child) {
			child = right
		}
		if !h.less(child, i) {
			return
		}
		h.swap(i, child)
		i = child
	}
}
