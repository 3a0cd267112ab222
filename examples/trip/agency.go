package trip

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/workflow"
)

// Agency books trips, in memory. Its zero value has everything, and as much of it as is wanted.
type Agency struct {
	// SoldOut says what cannot be had: "hotel in Rome".
	SoldOut map[string]bool

	mu     sync.Mutex
	byKey  map[string]string // numbers of bookings, by the idempotency key with which they were made
	booked map[string]string // what was booked and not given back, by number
}

// Definitions are what a runtime needs to book trips.
func (a *Agency) Definitions() []workflow.Definition {
	return []workflow.Definition{
		Book,
		BookFlight.Bind(a.BookFlight), CancelFlight.Bind(activity.NoResult(a.Cancel)),
		BookHotel.Bind(a.BookHotel), CancelHotel.Bind(activity.NoResult(a.Cancel)),
		BookCar.Bind(a.BookCar),
	}
}

// BookFlight is safe to repeat, as are all bookings: attempts of one activity have one key.
func (a *Agency) BookFlight(ctx context.Context, t Trip) (string, error) {
	return a.book(activity.Info(ctx).IdempotencyKey, "flight to "+t.To)
}

// BookHotel books a room.
func (a *Agency) BookHotel(ctx context.Context, t Trip) (string, error) {
	return a.book(activity.Info(ctx).IdempotencyKey, "hotel in "+t.To)
}

// BookCar books a car.
func (a *Agency) BookCar(ctx context.Context, t Trip) (string, error) {
	return a.book(activity.Info(ctx).IdempotencyKey, "car in "+t.To)
}

// Cancel gives back what was booked. A number that is not booked any more was given back before.
func (a *Agency) Cancel(_ context.Context, number string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.booked, number)
	return nil
}

// Booked lists what is booked.
func (a *Agency) Booked() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Sorted(maps.Values(a.booked))
}

// book returns the number of a booking: that of an earlier attempt, if there was one with this key.
func (a *Agency) book(key, what string) (number string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if number, ok := a.byKey[key]; ok {
		return number, nil
	}
	if a.SoldOut[what] {
		return "", fmt.Errorf("%s: %w", what, ErrSoldOut)
	}
	if a.byKey == nil {
		a.byKey, a.booked = map[string]string{}, map[string]string{}
	}
	number = fmt.Sprintf("%s-%d", strings.Fields(what)[0], len(a.byKey)+1)
	a.byKey[key], a.booked[number] = number, what
	return number, nil
}
