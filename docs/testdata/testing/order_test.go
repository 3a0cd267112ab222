// Package testing_test is the tests on the page docs/testing.md that stand in no example.
package testing_test

import (
	"errors"
	"testing"
	"time"

	"github.com/clewflow/clew/examples/order/order"
	"github.com/clewflow/clew/workflowtest"
)

const day = 24 * time.Hour

var lamp = order.Order{Customer: "ann", Item: "lamp", Cents: 4200, Card: "visa 1"}

func TestAnApprovedOrderIsShipped(t *testing.T) {
	run := workflowtest.Run(t, order.Process, lamp,
		workflowtest.Stub(order.Charge).Returns(order.Receipt{Charge: "c1"}),
		workflowtest.Stub(order.Ship).Returns(order.Parcel{Tracking: "p1"}),
		workflowtest.At(1*day, workflowtest.Send(order.Approve.With(order.Approval{By: "bob", Granted: true}))),
	)
	got, err := run.Result()
	if want := (order.Done{Status: "shipped", Tracking: "p1"}); got != want || err != nil {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

func TestShippingIsTriedUntilItSucceeds(t *testing.T) {
	ship := workflowtest.Stub(order.Ship).
		Fails(errors.New("no van")).                   // an error; the policy has it tried again
		Beats(1).Takes(time.Hour).Beats(2).TimesOut(). // two checkpoints, an hour apart, then silence
		Panics("index out of range").
		Takes(3 * time.Hour).Returns(order.Parcel{Tracking: "p1"})
	run := workflowtest.Run(t, order.Process, lamp,
		ship,
		workflowtest.Stub(order.Charge).Returns(order.Receipt{Charge: "c1"}),
		workflowtest.At(1*day, workflowtest.Send(order.Approve.With(order.Approval{By: "bob", Granted: true}))),
	)
	if got, err := run.Result(); got.Status != "shipped" || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	if n := len(ship.Inputs()); n != 4 {
		t.Errorf("%d attempts, want 4", n)
	}
}

func TestADearLampIsDeclined(t *testing.T) {
	dear := lamp
	dear.Cents = 420_000
	run := workflowtest.Run(t, order.Process, dear,
		workflowtest.Stub(order.Charge).Always(order.Receipt{Charge: "c1"}).
			When(func(p order.Payment) bool { return p.Cents > 100_000 }).Fails(order.ErrDeclined))
	if got, err := run.Result(); got.Status != "declined" || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
}
