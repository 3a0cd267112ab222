package change_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/clewflow/clew/examples/change"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/workflow"
	"github.com/clewflow/clew/workflowtest"
)

// weighedOrNot is what holds of a delivery, whichever releases have worked on it.
func weighedOrNot() workflowtest.Option {
	return workflowtest.Invariant("what was weighed is shipped as weighed", func(ran *workflowtest.Ran[string]) error {
		shipped := workflowtest.Effects(ran, change.Ship)
		weighed := len(workflowtest.Effects(ran, change.Weigh)) > 0
		for _, s := range shipped {
			if weighed != (s.Input.Grams > 0) {
				return fmt.Errorf("weighed: %t, shipped as %+v", weighed, s.Input)
			}
		}
		if _, err := ran.Result(); err == nil && len(shipped) == 0 {
			return errors.New("it was not shipped")
		}
		return nil
	})
}

// Today's release takes over from the one before, whatever that was at.
func TestTheNewReleaseTakesOverAtAnyTime(t *testing.T) {
	workflowtest.Explore(t, before, "lamp",
		workflowtest.Use(new(change.Warehouse).Activities()...),
		workflowtest.At(30*time.Minute, workflowtest.Deploy(change.Deliver)),
		workflowtest.At(time.Hour, workflowtest.Send(courier)),
		workflowtest.Schedules(100),
		workflowtest.Once(change.Ship),
		weighedOrNot(),
	)
}

// With a release in between there is a way back from each: at any append one takes over from the other.
func TestReleasesOneStepApartTakeTurns(t *testing.T) {
	for name, pair := range map[string][2]workflow.Type[string, string]{
		"before and ready": {before, ready},
		"ready and today":  {ready, change.Deliver},
	} {
		t.Run(name, func(t *testing.T) {
			workflowtest.Explore(t, pair[0], "lamp",
				workflowtest.Or(pair[1]),
				workflowtest.Use(new(change.Warehouse).Activities()...),
				workflowtest.At(time.Hour, workflowtest.Send(courier)),
				workflowtest.Schedules(100),
				workflowtest.Once(change.Ship),
				weighedOrNot(),
			)
		})
	}
}

// What was returned arrives in the last moment, or twice, or after it: it is refunded, and billed only if it did not arrive.
func TestAReturnIsBilledOnlyIfItDidNotArrive(t *testing.T) {
	workflowtest.Explore(t, change.Return2, "lamp",
		workflowtest.Use(new(change.Warehouse).Activities()...),
		workflowtest.At(14*24*time.Hour, workflowtest.Send(arrived)),
		workflowtest.Schedules(100),
		workflowtest.Once(change.Refund),
		workflowtest.Once(change.Bill),
		workflowtest.Invariant("it is billed if it did not arrive in two weeks", func(ran *workflowtest.Ran[string]) error {
			refunded, billed := workflowtest.Effects(ran, change.Refund), workflowtest.Effects(ran, change.Bill)
			if len(billed) > 0 && (len(refunded) == 0 || ended(ran.Entries) == "signaled") {
				return errors.New("it was billed, and had arrived or was never refunded")
			}
			if _, err := ran.Result(); err == nil && len(billed) == 0 && ended(ran.Entries) != "signaled" {
				return errors.New("it did not arrive, and was not billed")
			}
			return nil
		}),
	)
}

// ended is what ended the two weeks.
func ended(entries []history.Entry) string {
	for _, e := range entries {
		if kind := e.Event.Kind(); kind == "signaled" || kind == "timer-fired" {
			return kind
		}
	}
	return ""
}
