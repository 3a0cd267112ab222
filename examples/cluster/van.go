package main

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/clewflow/clew/activity"
)

// vans is how many parcels may be on the road at once, whichever nodes ship them.
const vans = 10

var ship = activity.Define("ship", activity.NoResult(drive), activity.Limit{AtOnce: vans})

// drive is what "ship" does: it takes a while, and leaves a line at its end too.
func drive(ctx context.Context, order string) error {
	if err := made(ctx, order); err != nil {
		return err
	}
	time.Sleep(20 * time.Millisecond)
	return leave(ctx, order, "shipped")
}

// onTheRoad is how many vans were on the road at once, by the marks of when they went and came back. What nodes did that were in trouble does
// not count: by then what they had may have been given to others.
func onTheRoad(marks map[string][]mark, troubles []trouble, lease time.Duration) (most int) {
	type move struct {
		at time.Time
		by int
	}
	var moves []move
	for what, back := range marks {
		order, is := strings.CutSuffix(what, " shipped")
		if !is {
			continue
		}
		for _, end := range back {
			i := slices.IndexFunc(marks[order+" ship"], func(m mark) bool { return m.serial == end.serial })
			excused := func(t trouble) bool { return t.excuses(end.node, end.at, lease) }
			if i >= 0 && !slices.ContainsFunc(troubles, excused) {
				moves = append(moves, move{marks[order+" ship"][i].at, 1}, move{end.at, -1})
			}
		}
	}
	slices.SortFunc(moves, func(a, b move) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.by, b.by)) })
	n := 0
	for _, m := range moves {
		n += m.by
		most = max(most, n)
	}
	return most
}
