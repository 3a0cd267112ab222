package testing_test

import (
	"errors"
	"testing"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/examples/change"
	"github.com/clewflow/clew/examples/order/order"
	"github.com/clewflow/clew/examples/trip"
	"github.com/clewflow/clew/workflow"
	"github.com/clewflow/clew/workflowtest"
)

// All tests of this file fail, and the page shows how.

func TestSomethingIsForgotten(t *testing.T) {
	workflowtest.Run(t, order.Process, lamp,
		workflowtest.Stub(order.Charge).Fails(errors.New("network down")).Returns(order.Receipt{Charge: "c1"}))
}

func TestTheHistoryIsAnother(t *testing.T) {
	run := workflowtest.Run(t, trip.Book, trip.Trip{Traveller: "ann", To: "Rome", Nights: 3},
		workflowtest.Stub(trip.BookFlight).Fails(errors.New("network down")).Returns("flight-1"),
		workflowtest.Stub(trip.BookHotel).Returns("hotel-2"),
		workflowtest.Stub(trip.BookCar).Returns("car-3"))
	run.Golden("../../../examples/trip/testdata/booked.json")
}

// naive weighs what is delivered, and does not ask which deliveries that is for.
var naive = workflow.Define("delivery", func(ctx workflow.Context, item string) (string, error) {
	if _, err := workflow.Do(ctx, change.Pack, item); err != nil {
		return "", err
	}
	grams, err := workflow.Do(ctx, change.Weigh, item) // new
	if err != nil {
		return "", err
	}
	if _, err := change.Courier.Receive(ctx); err != nil {
		return "", err
	}
	return workflow.Do(ctx, change.Ship, change.Parcel{Item: item, Grams: grams})
})

func TestDeliveriesOfThePastStillReplay(t *testing.T) {
	workflowtest.Replay(t, naive, "../../../examples/change/testdata/before.json")
}

// hasty adds what undoes a booking when it has heard of the booking.
var hasty = workflow.Define("trip", func(ctx workflow.Context, to trip.Trip) (string, error) {
	r := trip.Request{Reference: "R1", Trip: to}
	return workflow.Saga(ctx, func(undo *workflow.Undo) (string, error) {
		room, err := workflow.Do(ctx, trip.BookHotel, r)
		if err != nil {
			return "", err
		}
		undo.Add(workflow.Call(trip.CancelHotel, r.Reference))
		_, err = workflow.Do(ctx, trip.BookFlight, r)
		return room, err
	})
})

func TestARoomIsBookedOrGivenBack(t *testing.T) {
	workflowtest.Explore(t, hasty, trip.Trip{To: "Rome"},
		workflowtest.Stub(trip.BookHotel).Returns("room 12"),
		workflowtest.Stub(trip.BookFlight).Returns("LH 1"),
		workflowtest.Stub(trip.CancelHotel).Returns(activity.None{}),
		workflowtest.At(time.Minute, workflowtest.Cancel),
		workflowtest.Undoes(trip.CancelHotel, trip.BookHotel),
	)
}
