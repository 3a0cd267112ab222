package main

import "time"

// margin is how long it may take, on a machine that is busy with other things, until what an activity has made is recorded, and until
// the clock of a trouble shows what has happened.
const margin = time.Second

// trouble is a time in which a node had come to grief, or looked like it to the others.
type trouble struct {
	node     string // everybody's, if it is empty
	from, to time.Time
}

// excuses reports whether somebody else may have made again what a node made at a moment: what it had just made was not recorded
// when the trouble began, and what it made in the trouble, or until it knew that it had been taken for dead, may have been too late.
func (t trouble) excuses(node string, at time.Time, lease time.Duration) bool {
	return (t.node == "" || t.node == node) && !at.Before(t.from.Add(-margin)) && !at.After(t.to.Add(lease+margin))
}

// excused reports whether all marks of an activity but the last were left by nodes that had trouble around that time. A hand-out
// that has left two marks is never excused.
func excused(marks []mark, troubles []trouble, lease time.Duration) bool {
	serials := map[uint64]bool{}
	for i, m := range marks {
		if serials[m.serial] {
			return false
		}
		serials[m.serial] = true
		some := i == len(marks)-1
		for _, t := range troubles {
			some = some || t.excuses(m.node, m.at, lease)
		}
		if !some {
			return false
		}
	}
	return true
}
