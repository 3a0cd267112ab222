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

// Request is for a part of a trip. The reference is made here and not by the agency: so what was booked can be given back
// though nobody has heard whether it was.
type Request struct {
	Reference string
	Trip      Trip
}

// What an agency does for a trip. [Agency] has the bodies. Bookings are cancelled by their reference, also those that were never
// made, or are on their way.
var (
	BookFlight = activity.Declare[Request, string]("trip.book-flight", activity.NeverRetry(ErrSoldOut))
	BookHotel  = activity.Declare[Request, string]("trip.book-hotel", activity.NeverRetry(ErrSoldOut))
	BookCar    = activity.Declare[Request, string]("trip.book-car", activity.NeverRetry(ErrSoldOut), activity.MaxAttempts(3))

	CancelFlight = activity.Declare[string, activity.None]("trip.cancel-flight", activity.ScheduleToClose(week))
	CancelHotel  = activity.Declare[string, activity.None]("trip.cancel-hotel", activity.ScheduleToClose(week))
	CancelCar    = activity.Declare[string, activity.None]("trip.cancel-car", activity.ScheduleToClose(week))
)

const week = 7 * 24 * time.Hour

// ErrSoldOut is found by errors.Is on both sides of the log.
var ErrSoldOut = activity.NewError("trip.sold-out", "sold out")

// Book is a trip from its first booking to its last.
var Book = workflow.Define("trip", book)

func book(ctx workflow.Context, t Trip) (Booking, error) {
	r := Request{Reference: workflow.NewUUID(ctx), Trip: t}
	return workflow.Saga(ctx, func(undo *workflow.Undo) (b Booking, err error) {
		// What undoes a booking is added before it is made: one that times out or is cancelled may have been made all the same.
		undo.Add(workflow.Call(CancelFlight, r.Reference))
		if b.Flight, err = workflow.Do(ctx, BookFlight, r); err != nil {
			return b, err
		}
		undo.Add(workflow.Call(CancelHotel, r.Reference))
		if b.Hotel, err = workflow.Do(ctx, BookHotel, r); err != nil {
			return b, err
		}
		undo.Add(workflow.Call(CancelCar, r.Reference))
		b.Car, err = workflow.Do(ctx, BookCar, r)
		return b, err
	})
}
