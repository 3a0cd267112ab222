package history

import (
	"cmp"
	"slices"
)

// Admission says when an attempt of an activity has its turn among others that wait: which limits it counts under, and what share it
// has. It is recorded with the policy, so that it outlives whoever worked it out.
type Admission struct {
	Limits   []string // names of limits that it shares with other activities
	Key      string   // of whoever it is done for, such as a customer; empty: nobody in particular
	Priority int      // 1, which goes first, to 5; 0: as 3
	Weight   int      // of the key among those that wait; 0: as 1
	WhenFull Full     // empty: Queued
}

// Full says what becomes of an activity whose limit allows no attempt now, or of a run whose limit allows no further one.
type Full string

// What becomes of an activity whose limit allows no attempt now.
const (
	Queued  Full = "queued"  // it waits
	Refused Full = "refused" // it fails, unless an attempt of it was made already

	// Of runs alone: another open one is terminated, and the new one begins when there is room.
	ReplaceOldest Full = "replace-oldest"
	ReplaceNewest Full = "replace-newest"
)

// MiddlePriority is that of an activity which names none.
const MiddlePriority = 3

// Rank is the priority, 1 to 5.
func (a *Admission) Rank() int { return cmp.Or(a.Priority, MiddlePriority) }

// Share is the weight, 1 or more.
func (a *Admission) Share() int { return cmp.Or(a.Weight, 1) }

func (a *Admission) equal(b *Admission) bool {
	return slices.Equal(a.Limits, b.Limits) && a.Key == b.Key && a.Priority == b.Priority && a.Weight == b.Weight && a.WhenFull == b.WhenFull
}

func (a *Admission) put(w *writer) {
	w.texts("limits", a.Limits)
	w.text("key", a.Key)
	w.int("priority", a.Priority)
	w.int("weight", a.Weight)
	w.text("when_full", string(a.WhenFull))
}

func (a *Admission) take(r *reader, key string) bool {
	switch key {
	case "limits":
		a.Limits = r.texts()
	case "key":
		a.Key = r.text()
	case "priority":
		a.Priority = r.int()
	case "weight":
		a.Weight = r.int()
	case "when_full":
		a.WhenFull = Full(r.text())
	default:
		return false
	}
	return true
}
