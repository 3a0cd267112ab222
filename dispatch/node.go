package dispatch

import (
	"slices"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
)

// What is only of use where several nodes share the work.

// Yield forgets what is known of an execution that another node works on now. What is in hand here goes on, and so do claims.
func (q *Queue) Yield(id history.ID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for w := q.of[id]; w != nil; {
		next := w.sibling
		if w.state != inHand && !w.Claim {
			q.remove(w, errTakenOver)
		}
		w = next
	}
}

// Away notes that the attempt in hand of an activity is one of an execution that another node works on: that one knows of signs of
// life only what is recorded.
func (q *Queue) Away(k Key) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if w := q.work[k]; w != nil && w.state == inHand {
		w.away = true
	}
}

// ResumeAt has an attempt that nobody makes yet go on at a checkpoint that came after it was offered: one that was interrupted has left it.
func (q *Queue) ResumeAt(k Key, checkpoint history.Payload) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if w := q.work[k]; w != nil && w.state != inHand && w.state != outside && !checkpoint.Absent() {
		w.Checkpoint, w.checkpoint = checkpoint, checkpoint
	}
}

// Taken is what is known of the attempts of an execution that are in hand here and were not interrupted.
func (q *Queue) Taken(id history.ID) (all []commands.Attempt) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for w := q.of[id]; w != nil; w = w.sibling {
		if w.state == inHand && !w.interrupted {
			all = append(all, w.facts())
		}
	}
	return all
}

// HeldBy are executions with attempts that a node is known to have in hand.
func (q *Queue) HeldBy(node string) (ids []history.ID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for k, w := range q.work {
		if w.state == outside && w.Node == node && !slices.Contains(ids, k.ID) {
			ids = append(ids, k.ID)
		}
	}
	slices.SortFunc(ids, byName)
	return ids
}

// IDs are the executions that something is known of.
func (q *Queue) IDs() []history.ID {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := make([]history.ID, 0, len(q.of))
	for id := range q.of {
		all = append(all, id)
	}
	slices.SortFunc(all, byName)
	return all
}

func byName(a, b history.ID) int {
	switch {
	case a.String() < b.String():
		return -1
	case a.String() > b.String():
		return 1
	}
	return 0
}

// Interrupt ends the contexts of all attempts in hand with cause, and forgets what is not in hand: this process may not go on.
func (q *Queue) Interrupt(cause error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, w := range q.work {
		if w.state == inHand {
			w.interrupted = true
			w.cancel(cause)
			continue
		}
		q.remove(w, cause)
	}
}

// Knows reports whether something is known of an execution.
func (q *Queue) Knows(id history.ID) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.of[id] != nil
}

// Recorded reports whether others may know that the attempt is in hand here, though the execution is theirs.
func (h *Hand) Recorded() bool {
	h.queue.mu.Lock()
	defer h.queue.mu.Unlock()
	return h.work.away
}

// SettleOtherRuns takes all activities of an execution off that are of another run than the one given.
func (q *Queue) SettleOtherRuns(id history.ID, run string, cause error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for w := q.of[id]; w != nil; {
		next := w.sibling
		if w.Run != run {
			q.remove(w, cause)
		}
		w = next
	}
}
