package sla

import (
	"cmp"
	"slices"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/workflow"
)

// Night is a report of the runs that closed on a day.
type Night struct {
	Runs  int // that there are in all, of whatever age
	Lines []Line
}

// Line tells of the runs of a workflow that ended in one way.
type Line struct {
	Type, Status string
	Runs         int
	Longest      time.Duration
}

// Publish puts a report where people read it.
var Publish = activity.Declare[Night, activity.None]("sla.publish")

// Nightly reports on the day before its start.
var Nightly = workflow.Define("sla.nightly", nightly)

func nightly(ctx workflow.Context, _ workflow.None) (Night, error) {
	all, err := workflow.Count(ctx, query.Query{})
	if err != nil {
		return Night{}, err
	}
	closed, err := workflow.Find(ctx, query.Query{Where: "closed > now-24h", Order: "closed"})
	if err != nil {
		return Night{}, err
	}
	night := Night{Runs: all, Lines: lines(closed)}
	_, err = workflow.Do(ctx, Publish, night)
	return night, err
}

// lines groups rows by type and status. Maps have no order, and what workflow code does must have one.
func lines(rows []query.Row) (all []Line) {
	groups := map[string]*Line{}
	for _, r := range rows {
		key := r.Type + " " + r.Status.String()
		if groups[key] == nil {
			groups[key] = &Line{Type: r.Type, Status: r.Status.String()}
		}
		groups[key].Runs++
		groups[key].Longest = max(groups[key].Longest, r.Closed.Sub(r.Started))
	}
	for _, l := range groups {
		all = append(all, *l)
	}
	slices.SortFunc(all, func(a, b Line) int { return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Status, b.Status)) })
	return all
}
