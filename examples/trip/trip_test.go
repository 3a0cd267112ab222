package trip_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/examples/trip"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
	"github.com/clewflow/clew/workflowtest"
)

var rome = trip.Trip{Traveller: "ann", To: "Rome", Nights: 3}

func TestATripIsBooked(t *testing.T) {
	agency := &trip.Agency{}
	run := workflowtest.Run(t, trip.Book, rome, workflowtest.Use(agency.Definitions()...))
	got, err := run.Result()
	if want := (trip.Booking{Flight: "flight-1", Hotel: "hotel-2", Car: "car-3"}); got != want || err != nil {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if got, want := agency.Booked(), []string{"car in Rome", "flight to Rome", "hotel in Rome"}; !slices.Equal(got, want) {
		t.Errorf("booked %q, want %q", got, want)
	}
	run.Golden("testdata/booked.json")
}

func TestSoldOutHotelGivesTheFlightBack(t *testing.T) {
	agency := &trip.Agency{SoldOut: map[string]bool{"hotel in Rome": true}}
	cancelled := workflowtest.Stub(trip.CancelFlight).Fails(errors.New("try later")).Returns(activity.None{})
	run := workflowtest.Run(t, trip.Book, rome, workflowtest.Use(agency.Definitions()...), cancelled)
	if _, err := run.Result(); !errors.Is(err, trip.ErrSoldOut) {
		t.Errorf("err = %v, want %v", err, trip.ErrSoldOut)
	}
	if n := len(cancelled.Inputs()); n != 2 {
		t.Errorf("%d attempts to give the flight back, want 2", n)
	}
	run.Golden("testdata/sold-out.json")
}

// The last that was booked is given back first, and what cannot be given back does not keep the rest.
func TestNoCarGivesBothBackAlsoAfterAFailure(t *testing.T) {
	errShut := errors.New("the hotel is shut")
	var order []string
	cancelled := func(what string, err error) func(context.Context, string) (activity.None, error) {
		return func(context.Context, string) (activity.None, error) {
			order = append(order, what)
			return activity.None{}, err
		}
	}
	run := workflowtest.Run(t, trip.Book, rome,
		workflowtest.Use((&trip.Agency{}).Definitions()...),
		workflowtest.Stub(trip.BookCar).Fails(errors.New("no answer")).TimesOut().Fails(errors.New("no answer")),
		workflowtest.Stub(trip.CancelHotel).Calls(cancelled("hotel", activity.NonRetryable(errShut))),
		workflowtest.Stub(trip.CancelFlight).Calls(cancelled("flight", nil)),
	)
	_, err := run.Result()
	var failed *workflow.Error
	if !errors.As(err, &failed) || failed.Status != query.Failed {
		t.Fatalf("err = %v, want that of a failed trip", err)
	}
	if !slices.Equal(order, []string{"hotel", "flight"}) {
		t.Errorf("given back %q", order)
	}
	run.Golden("testdata/no-car.json")
}

func TestCancelledTripIsUndone(t *testing.T) {
	agency := &trip.Agency{}
	run := workflowtest.Run(t, trip.Book, rome,
		workflowtest.Use(agency.Definitions()...),
		workflowtest.Stub(trip.BookHotel).Takes(time.Hour).Returns("H1"),
		workflowtest.At(time.Minute, workflowtest.Cancel),
	)
	if _, err := run.Result(); !errors.Is(err, workflow.ErrCancelled) {
		t.Errorf("err = %v, want %v", err, workflow.ErrCancelled)
	}
	if got := agency.Booked(); len(got) > 0 {
		t.Errorf("still booked: %q", got)
	}
	run.Golden("testdata/cancelled.json")
}

// The hotel does not look whether somebody still wants it to go on. When it comes to its booking, that was given back before.
func TestABookingOnItsWayIsUndoneToo(t *testing.T) {
	agency := &trip.Agency{}
	run := workflowtest.Run(t, trip.Book, rome,
		workflowtest.Use(agency.Definitions()...),
		workflowtest.Stub(trip.BookHotel).Calls(func(ctx context.Context, r trip.Request) (string, error) {
			time.Sleep(2 * time.Minute) // on the virtual clock
			return agency.BookHotel(ctx, r)
		}),
		workflowtest.At(time.Minute, workflowtest.Cancel),
	)
	if _, err := run.Result(); !errors.Is(err, workflow.ErrCancelled) {
		t.Errorf("err = %v, want %v", err, workflow.ErrCancelled)
	}
	if got := agency.Booked(); len(got) > 0 {
		t.Errorf("still booked: %q", got)
	}
	run.Golden("testdata/on-its-way.json")
}

// The process dies after the effect and before the record: the same reference finds the same booking.
func TestACrashBooksNothingTwice(t *testing.T) {
	agency := &trip.Agency{}
	run := workflowtest.Run(t, trip.Book, rome,
		workflowtest.Use(agency.Definitions()...),
		workflowtest.Stub(trip.BookFlight).Calls(func(ctx context.Context, r trip.Request) (string, error) {
			number, err := agency.BookFlight(ctx, r)
			time.Sleep(time.Minute) // on the virtual clock
			return number, err
		}),
		workflowtest.At(30*time.Second, workflowtest.Crash),
		workflowtest.At(75*time.Second, workflowtest.Crash),
	)
	if got, err := run.Result(); got.Flight != "flight-1" || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	if got := agency.Booked(); len(got) != 3 {
		t.Errorf("booked %q, want three things", got)
	}
}

func TestTripsOfThePastStillReplay(t *testing.T) {
	workflowtest.Replay(t, trip.Book, "testdata/*.json")
}

func Example() {
	ctx := context.Background()
	agency := &trip.Agency{SoldOut: map[string]bool{"car in Capri": true}}
	rt, err := runtime.Open(ctx, runtime.Config{Store: "memory:", Logger: slog.New(slog.DiscardHandler)}, agency.Definitions()...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer rt.Close()
	go rt.Run(ctx)

	fmt.Println(runtime.Do(ctx, rt, "ann-1", trip.Book, trip.Trip{Traveller: "ann", To: "Rome", Nights: 3}))
	_, err = runtime.Do(ctx, rt, "bob-1", trip.Book, trip.Trip{Traveller: "bob", To: "Capri", Nights: 1})
	fmt.Println(errors.Is(err, trip.ErrSoldOut))
	fmt.Println(agency.Booked())
	// Output:
	// {flight-1 hotel-2 car-3} <nil>
	// true
	// [car in Rome flight to Rome hotel in Rome]
}
