package trip_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/clewflow/clew/examples/trip"
	"github.com/clewflow/clew/workflowtest"
)

// Whatever goes wrong and whenever: a trip is booked whole or given back whole, and what cannot be given back is told.
func TestATripIsBookedWholeOrNotAtAll(t *testing.T) {
	workflowtest.Explore(t, trip.Book, rome,
		workflowtest.At(time.Minute, workflowtest.Cancel), // or earlier, or twice
		workflowtest.Undoes(trip.CancelFlight, trip.BookFlight),
		workflowtest.Undoes(trip.CancelHotel, trip.BookHotel),
		workflowtest.Undoes(trip.CancelCar, trip.BookCar),
		workflowtest.Within(30*24*time.Hour),
		workflowtest.Schedules(100),
		workflowtest.Each(func() []workflowtest.Option {
			agency := &trip.Agency{}
			return []workflowtest.Option{
				workflowtest.Use(agency.Definitions()...),
				workflowtest.Invariant("the agency has booked what the trip says", func(ran *workflowtest.Ran[trip.Booking]) error {
					_, err := ran.Result()
					booked := agency.Booked()
					if err == nil && len(booked) != 3 {
						return fmt.Errorf("it is booked, and the agency has %q", booked)
					}
					for _, what := range booked {
						kind, _, _ := strings.Cut(what, " ")
						if err != nil && !strings.Contains(err.Error(), "undoing: activity trip.cancel-"+kind) {
							return fmt.Errorf("the agency has a %s, and all that is told is: %w", what, err)
						}
					}
					return nil
				}),
			}
		}),
	)
}
