package trip

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/workflow"
)

// Agency books trips, in memory. Its zero value has everything, and as much of it as is wanted.
type Agency struct {
	// SoldOut says what cannot be had: "hotel in Rome".
	SoldOut map[string]bool

	mu     sync.Mutex
	orders map[order]*booking
	made   int
}

// order names what is booked. It comes with the request, so the agency knows a request that is repeated, and one that was given
// back before it was made.
type order struct{ kind, reference string }

type booking struct {
	number, what string
	givenBack    bool
}

// Definitions are what a runtime needs to book trips.
func (a *Agency) Definitions() []workflow.Definition {
	return []workflow.Definition{
		Book,
		BookFlight.Bind(a.BookFlight), CancelFlight.Bind(activity.NoResult(a.CancelFlight)),
		BookHotel.Bind(a.BookHotel), CancelHotel.Bind(activity.NoResult(a.CancelHotel)),
		BookCar.Bind(a.BookCar), CancelCar.Bind(activity.NoResult(a.CancelCar)),
	}
}

// BookFlight is safe to repeat, as are all bookings: the reference is the same.
func (a *Agency) BookFlight(_ context.Context, r Request) (string, error) {
	return a.book(order{"flight", r.Reference}, "flight to "+r.Trip.To)
}

// BookHotel books a room.
func (a *Agency) BookHotel(_ context.Context, r Request) (string, error) {
	return a.book(order{"hotel", r.Reference}, "hotel in "+r.Trip.To)
}

// BookCar books a car.
func (a *Agency) BookCar(_ context.Context, r Request) (string, error) {
	return a.book(order{"car", r.Reference}, "car in "+r.Trip.To)
}

// CancelFlight gives back the flight of a reference, and sees to it that it is not booked any more if it has not been yet.
func (a *Agency) CancelFlight(_ context.Context, reference string) error {
	return a.giveBack(order{"flight", reference})
}

// CancelHotel gives back the room.
func (a *Agency) CancelHotel(_ context.Context, reference string) error {
	return a.giveBack(order{"hotel", reference})
}

// CancelCar gives back the car.
func (a *Agency) CancelCar(_ context.Context, reference string) error {
	return a.giveBack(order{"car", reference})
}

// Booked lists what is booked.
func (a *Agency) Booked() (all []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, b := range a.orders {
		if !b.givenBack {
			all = append(all, b.what)
		}
	}
	slices.Sort(all)
	return all
}

// book returns the number of a booking: the one that was made before, if the request is repeated.
func (a *Agency) book(o order, what string) (number string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch b := a.orders[o]; {
	case b != nil && b.givenBack:
		return "", activity.NonRetryable(fmt.Errorf("the %s of %s was given back", o.kind, o.reference))
	case b != nil:
		return b.number, nil
	case a.SoldOut[what]:
		return "", fmt.Errorf("%s: %w", what, ErrSoldOut)
	}
	a.made++
	number = fmt.Sprintf("%s-%d", o.kind, a.made)
	a.keep(o, &booking{number: number, what: what})
	return number, nil
}

func (a *Agency) giveBack(o order) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keep(o, &booking{givenBack: true})
	return nil
}

func (a *Agency) keep(o order, b *booking) {
	if a.orders == nil {
		a.orders = map[order]*booking{}
	}
	a.orders[o] = b
}
