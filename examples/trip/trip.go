// Package trip books a flight, a hotel and a car, or nothing: what was booked before something failed is given back.
package trip

import (
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/workflow"
)

// Trip is what somebody wants.
type Trip struct {
	Traveller, To string
	Nights        int
}

// Booking is the numbers of what was booked.
type Booking struct{ Flight, Hotel, Car string }

// What an agency does for a trip. [Agency] has the bodies. A booking that is on its way when the trip is cancelled is
// waited for: only then is it known whether there is something to give back.
var (
	BookFlight = activity.Declare[Trip, string]("trip.book-flight", patient, activity.NeverRetry(ErrSoldOut))
	BookHotel  = activity.Declare[Trip, string]("trip.book-hotel", patient, activity.NeverRetry(ErrSoldOut))
	BookCar    = activity.Declare[Trip, string]("trip.book-car", patient, activity.NeverRetry(ErrSoldOut), activity.MaxAttempts(3))

	CancelFlight = activity.Declare[string, activity.None]("trip.cancel-flight", activity.ScheduleToClose(week))
	CancelHotel  = activity.Declare[string, activity.None]("trip.cancel-hotel", activity.ScheduleToClose(week))
)

const week = 7 * 24 * time.Hour

var patient = activity.OnCancel(activity.WaitCancelled)

// ErrSoldOut is found by errors.Is on both sides of the log.
var ErrSoldOut = activity.NewError("trip.sold-out", "sold out")

// Book is a trip from its first booking to its last.
var Book = workflow.Define("trip", book)

func book(ctx workflow.Context, t Trip) (Booking, error) {
	return workflow.Saga(ctx, func(undo *workflow.Undo) (b Booking, err error) {
		if b.Flight, err = workflow.Do(ctx, BookFlight, t); err != nil {
			return b, err
		}
		undo.Add(workflow.Call(CancelFlight, b.Flight))

		if b.Hotel, err = workflow.Do(ctx, BookHotel, t); err != nil {
			return b, err
		}
		undo.Add(workflow.Call(CancelHotel, b.Hotel))

		b.Car, err = workflow.Do(ctx, BookCar, t) // the last: nothing follows that could fail
		return b, err
	})
}
