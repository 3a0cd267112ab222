// Package order charges a card, waits for an approval, and ships.
package order

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/workflow"
)

// Order is what somebody wants.
type Order struct {
	Customer, Item string
	Cents          int
	Card           string
	Route          []string      // of the parcel; empty: at once
	Patience       time.Duration // with whoever approves; 0: two days
}

// Approval is somebody's answer.
type Approval struct {
	By      string
	Granted bool
}

// Payment is what a card is charged with. The reference is made here and not by the card service: so a charge can be given back
// though nobody has heard whether it was made.
type Payment struct {
	Reference, Card string
	Cents           int
}

// Receipt is a charge of the card service.
type Receipt struct{ Charge string }

// Parcel is on its way.
type Parcel struct{ Tracking string }

// Done is how an order ended.
type Done struct{ Status, Tracking string }

// What the world does for an order. Service has the bodies.
var (
	Charge = activity.Declare[Payment, Receipt]("order.charge", activity.StartToClose(time.Minute), activity.NeverRetry(ErrDeclined))
	Refund = activity.Declare[string, activity.None]("order.refund") // by reference
	// Ship takes as long as it takes, while it gives a sign of life now and then.
	Ship = activity.Declare[Order, Parcel]("order.ship",
		activity.HeartbeatWithin(4*time.Second), activity.ScheduleToClose(7*24*time.Hour))
)

// How to talk to an order.
var (
	Approve = workflow.NewSignal[Approval]("approve")
	Status  = workflow.NewQuery[string]("status")
)

// ErrDeclined is found by errors.Is on both sides of the log.
var ErrDeclined = activity.NewError("order.declined", "the card was declined")

// Process is the life of an order.
var Process = workflow.Define("order", process)

const twoDays = 48 * time.Hour

func process(ctx workflow.Context, o Order) (Done, error) {
	status := "charging"
	Status.Handle(ctx, func() string { return status })

	payment := Payment{Reference: workflow.NewUUID(ctx), Card: o.Card, Cents: o.Cents}
	return workflow.Saga(ctx, func(undo *workflow.Undo) (Done, error) {
		undo.Add(workflow.Call(Refund, payment.Reference)) // if it fails or is cancelled, however far it has come
		_, err := workflow.Do(ctx, Charge, payment)
		if errors.Is(err, ErrDeclined) {
			return Done{Status: "declined"}, nil
		}
		if err != nil {
			return Done{}, err
		}

		status = "waiting for approval"
		approval, answered, err := Approve.ReceiveWithin(ctx, cmp.Or(o.Patience, twoDays))
		if err != nil {
			return Done{}, err
		}
		if !answered || !approval.Granted {
			status = "refunding"
			_, err := workflow.Do(ctx, Refund, payment.Reference)
			return Done{Status: "refused"}, err
		}

		status = "shipping"
		parcel, err := workflow.Do(ctx, Ship, o)
		return Done{Status: "shipped", Tracking: parcel.Tracking}, err
	})
}

// Service does the work of orders.
type Service struct {
	Cards   Cards
	Carrier Carrier
}

// Cards is a card service. A charge with a reference that it knows is the one that was made with it before. What a refund gives
// back is not charged any more, though the charge may only be on its way.
type Cards interface {
	Charge(ctx context.Context, reference, card string, cents int) (charge string, err error)
	Refund(ctx context.Context, reference string) error
}

// Carrier moves parcels from one place to the next.
type Carrier interface {
	Move(ctx context.Context, tracking, place string) error
}

// Charge is safe to repeat: the reference is the same for all attempts.
func (s *Service) Charge(ctx context.Context, p Payment) (Receipt, error) {
	charge, err := s.Cards.Charge(ctx, p.Reference, p.Card, p.Cents)
	return Receipt{charge}, err
}

// Refund gives back what was charged, if anything was.
func (s *Service) Refund(ctx context.Context, reference string) error {
	return s.Cards.Refund(ctx, reference)
}

// Ship moves the parcel along its route. Its checkpoint is how many places the parcel has passed, so that another attempt
// goes on where this one ended.
func (s *Service) Ship(ctx context.Context, o Order) (Parcel, error) {
	p := Parcel{Tracking: "parcel of " + activity.Info(ctx).Execution}
	passed, _ := activity.Checkpoint[int](ctx)
	for passed < len(o.Route) {
		if err := s.Carrier.Move(ctx, p.Tracking, o.Route[passed]); err != nil {
			return Parcel{}, fmt.Errorf("on the way to %s: %w", o.Route[passed], err)
		}
		passed++
		if err := activity.Heartbeat(ctx, passed); err != nil {
			return Parcel{}, err
		}
	}
	return p, nil
}

// Definitions are what a runtime needs to process orders.
func (s *Service) Definitions() []workflow.Definition {
	return []workflow.Definition{
		Process,
		Charge.Bind(s.Charge),
		Refund.Bind(activity.NoResult(s.Refund)),
		Ship.Bind(s.Ship),
	}
}
