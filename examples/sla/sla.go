// Package sla looks after runs: those that are late or have failed, and those that should have begun and did not. One alert tells of all,
// each late run is followed up by a child, and a nightly report tells what was done.
package sla

import (
	"fmt"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/workflow"
)

// Promise is what was promised of the runs of a workflow.
type Promise struct {
	Type   string        // of the workflow
	Within time.Duration // a run takes no longer
	Every  time.Duration // at least one run begins as often as that; the check looks back as far
}

// Alarm is what somebody has to know: ids of executions.
type Alarm struct {
	Late, Failed []string `json:",omitempty"`
	Missing      string   `json:",omitempty"` // of which workflow no run began
}

// Finding is what a check has come to.
type Finding struct {
	Alarm
	Asked []string `json:",omitempty"` // whom follow-ups have asked, or why they could not
}

// Alert tells the people on duty. [Desk] has the bodies of activities.
var Alert = activity.Declare[Alarm, activity.None]("sla.alert")

// Ask asks the owner of an execution what it waits for, and returns who that is.
var Ask = activity.Declare[Question, string]("sla.ask")

// Question is about a run that is late.
type Question struct{ ID, Waiting string }

// Check is started once for each day and promise, with an id such as "sla-order-2026-01-05": to start it again asks nobody twice.
var Check = workflow.Define("sla.check", check)

// FollowUp sees to one run that is late.
var FollowUp = workflow.Define("sla.follow-up", followUp)

func check(ctx workflow.Context, p Promise) (Finding, error) {
	begun, err := workflow.Count(ctx, query.Query{Type: p.Type, Last: p.Every})
	if err != nil {
		return Finding{}, err
	}
	failed, err := workflow.Find(ctx, query.Query{Type: p.Type, Status: query.Failed, Last: p.Every, Order: "id"})
	if err != nil {
		return Finding{}, err
	}
	late, err := workflow.Find(ctx, query.Where(query.Query{Type: p.Type, Status: query.Open, Order: "id"}, query.Runs.Duration.Above(p.Within)))
	if err != nil {
		return Finding{}, err
	}
	found := Finding{Alarm: Alarm{Late: ids(late), Failed: ids(failed)}}
	if begun == 0 {
		found.Missing = p.Type // zero is an answer, and here it is the alarming one
	}
	if begun > 0 && len(late)+len(failed) == 0 {
		return found, nil
	}
	if _, err := workflow.Do(ctx, Alert, found.Alarm); err != nil {
		return found, err
	}
	outcomes, err := workflow.ForEach(ctx, late, FollowUp, workflow.Limit(4))
	for i, o := range outcomes {
		if o.Err != nil {
			o.Value = fmt.Sprintf("%s: %v", late[i].ID, o.Err)
		}
		found.Asked = append(found.Asked, o.Value)
	}
	return found, err
}

func followUp(ctx workflow.Context, late query.Row) (string, error) {
	return workflow.Do(ctx, Ask, Question{late.ID, late.Waiting})
}

func ids(rows []query.Row) (all []string) {
	for _, r := range rows {
		all = append(all, r.ID)
	}
	return all
}
