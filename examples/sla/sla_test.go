package sla_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/examples/sla"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/workflow"
	"github.com/clewflow/clew/workflowtest"
)

const hour = time.Hour

var orders = sla.Promise{Type: "order", Within: hour, Every: 24 * hour}

// found stands in for the index: begun runs, of which some are late and some have failed.
func found(begun int, late, failed []string) workflowtest.Option {
	rows := func(status query.Status, ids []string) (all []query.Row) {
		for _, id := range ids {
			all = append(all, query.Row{Namespace: "shop", ID: id, Run: "run-of-" + id, Type: "order", Number: 1, Status: status, Waiting: "1 activity"})
		}
		return all
	}
	return workflowtest.Rows(func(q query.Query) []query.Row {
		switch {
		case q.Status == query.Failed:
			return rows(query.Failed, failed)
		case q.Status == query.Open:
			return rows(query.Running, late)
		}
		return make([]query.Row, begun)
	})
}

func many(n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprintf("order-%02d", i))
	}
	return ids
}

func TestOneAlertTellsOfAll(t *testing.T) {
	alert := workflowtest.Stub(sla.Alert).Returns(activity.None{})
	ask := workflowtest.Stub(sla.Ask).Always("ann")
	run := workflowtest.Run(t, sla.Check, orders, found(40, many(12), []string{"order-77"}), alert, ask, workflowtest.Use(sla.FollowUp),
		workflowtest.ID("sla-order-2000-01-01"))
	got, err := run.Result()
	if err != nil || len(got.Asked) != 12 || slices.ContainsFunc(got.Asked, func(who string) bool { return who != "ann" }) {
		t.Errorf("asked %q, %v", got.Asked, err)
	}
	if told := alert.Inputs(); len(told) != 1 || len(told[0].Late) != 12 || len(told[0].Failed) != 1 || told[0].Missing != "" {
		t.Errorf("told %+v", told)
	}
	if n := len(ask.Inputs()); n != 12 {
		t.Errorf("asked %d times, want once for each run", n)
	}
	run.Golden("testdata/late.json")
}

// TestNoRunIsAnAlarm: zero rows are what the check is for.
func TestNoRunIsAnAlarm(t *testing.T) {
	alert := workflowtest.Stub(sla.Alert).Returns(activity.None{})
	run := workflowtest.Run(t, sla.Check, orders, found(0, nil, nil), alert, workflowtest.Stub(sla.Ask).Never())
	if got, err := run.Result(); got.Missing != "order" || err != nil {
		t.Errorf("got %+v, %v", got, err)
	}
	if told := alert.Inputs(); len(told) != 1 || told[0].Missing != "order" {
		t.Errorf("told %+v", told)
	}
	run.Golden("testdata/missing.json")
}

func TestWhereAllIsWellNobodyIsTold(t *testing.T) {
	run := workflowtest.Run(t, sla.Check, orders, found(3, nil, nil), workflowtest.Stub(sla.Alert).Never(), workflowtest.Stub(sla.Ask).Never())
	if got, err := run.Result(); err != nil || got.Missing != "" || got.Late != nil {
		t.Errorf("got %+v, %v", got, err)
	}
	run.Golden("testdata/quiet.json")
}

func TestOneThatCannotBeAskedStopsNoOther(t *testing.T) {
	ask := workflowtest.Stub(sla.Ask).When(func(q sla.Question) bool { return q.ID == "order-01" }).Fails(activity.NonRetryable(errors.New("no such owner"))).
		When(func(q sla.Question) bool { return q.ID != "order-01" }).Always("ann")
	run := workflowtest.Run(t, sla.Check, orders, found(9, many(3), nil), workflowtest.Stub(sla.Alert).Returns(activity.None{}), ask, workflowtest.Use(sla.FollowUp))
	got, err := run.Result()
	if err != nil || len(got.Asked) != 3 || got.Asked[0] != "ann" || !strings.Contains(got.Asked[1], "no such owner") || got.Asked[2] != "ann" {
		t.Errorf("got %q, %v", got.Asked, err)
	}
}

// order is a run that is looked after: it takes as long as its input says, and fails if that is no whole hour.
var order = workflow.Define("order", func(ctx workflow.Context, d time.Duration) (int, error) {
	if err := workflow.Sleep(ctx, d); err != nil {
		return 0, err
	}
	if d%hour != 0 {
		return 0, errors.New("it broke")
	}
	return 1, nil
})

// day is a day of a shop: orders come, then somebody looks after them twice, and reports.
var day = workflow.Define("day", func(ctx workflow.Context, _ workflow.None) (night sla.Night, err error) {
	for i, takes := range []time.Duration{hour, 90 * time.Minute, 10 * hour, 20 * hour} {
		workflow.BeginChild(ctx, order, takes, workflow.ID(fmt.Sprint("order-", i)))
	}
	if err := workflow.Sleep(ctx, 5*hour); err != nil {
		return night, err
	}
	for range 2 {
		if _, err := workflow.Child(ctx, sla.Check, orders, workflow.ID("sla-order-today")); err != nil {
			return night, err
		}
	}
	if _, err := workflow.Child(ctx, sla.Check, sla.Promise{Type: "invoice", Within: hour, Every: 24 * hour}); err != nil {
		return night, err
	}
	return workflow.Child(ctx, sla.Nightly, workflow.None{})
})

// TestADayOfAShop is told by the index: what is late, what has failed, what is missing.
func TestADayOfAShop(t *testing.T) {
	var said bytes.Buffer
	desk := &sla.Desk{Out: &said, Owners: map[string]string{"order": "ann"}}
	run := workflowtest.Run(t, day, workflow.None{}, workflowtest.Use(append(desk.Definitions(), order)...), workflowtest.ID("today"))
	if _, err := run.Result(); err != nil {
		t.Fatal(err)
	}
	const want = `ALERT: 2 late (order-2, order-3); 1 failed (order-1)
to ann: order-2 waits for 1 timer
to ann: order-3 waits for 1 timer
ALERT: 2 late (order-2, order-3); 1 failed (order-1)
ALERT: no run of invoice
10 runs
order    completed  1, 1h0m0s at most
order    failed     1, 1h30m0s at most
sla.check completed  3, 0s at most
sla.follow-up completed  2, 0s at most
`
	if got := said.String(); got != want {
		t.Errorf("said\n%s", got)
	}
}

func TestANightIsReportedByGroups(t *testing.T) {
	began := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	rows := []query.Row{
		{ID: "a", Type: "order", Status: query.Completed, Started: began, Closed: began.Add(hour)},
		{ID: "b", Type: "order", Status: query.Failed, Started: began, Closed: began.Add(2 * hour)},
		{ID: "c", Type: "order", Status: query.Completed, Started: began, Closed: began.Add(3 * hour)},
		{ID: "d", Type: "invoice", Status: query.Completed, Started: began, Closed: began.Add(hour)},
	}
	publish := workflowtest.Stub(sla.Publish).Returns(activity.None{})
	run := workflowtest.Run(t, sla.Nightly, workflow.None{}, publish, workflowtest.Rows(func(query.Query) []query.Row { return rows }))
	got, err := run.Result()
	want := []sla.Line{{"invoice", "completed", 1, hour}, {"order", "completed", 2, 3 * hour}, {"order", "failed", 1, 2 * hour}}
	if err != nil || got.Runs != 4 || !slices.Equal(got.Lines, want) || len(publish.Inputs()) != 1 {
		t.Errorf("got %+v, %v, published %d times", got, err, len(publish.Inputs()))
	}
	run.Golden("testdata/night.json")
}

func TestChecksOfThePastStillReplay(t *testing.T) {
	workflowtest.ReplayDir(t, "testdata", workflowtest.Use(sla.Check, sla.FollowUp, sla.Nightly))
}

// The alert is sent once for each check, and each late run is asked about once, whatever goes wrong.
func TestNobodyIsToldTwice(t *testing.T) {
	workflowtest.Explore(t, sla.Check, orders, found(4, many(2), nil), workflowtest.Stub(sla.Alert).Returns(activity.None{}),
		workflowtest.Stub(sla.Ask).Always("ann"), workflowtest.Use(sla.FollowUp), workflowtest.Schedules(60),
		workflowtest.Once(sla.Alert),
		workflowtest.Invariant("each late run is asked about by one follow-up", func(ran *workflowtest.Ran[sla.Finding]) error {
			calls := map[string]string{}
			for _, e := range workflowtest.Effects(ran, sla.Ask) {
				if other := calls[e.Input.ID]; other != "" && other != e.Key {
					return fmt.Errorf("%s was asked about by two", e.Input.ID)
				}
				calls[e.Input.ID] = e.Key
			}
			return nil
		}))
}
