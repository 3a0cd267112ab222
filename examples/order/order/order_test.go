package order_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/examples/order/order"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
	"github.com/clewflow/clew/workflowtest"
)

const day = 24 * time.Hour

var lamp = order.Order{Customer: "ann", Item: "lamp", Cents: 4200, Card: "visa 1"}

func TestApprovedOrderSurvivesACrash(t *testing.T) {
	charge := workflowtest.Stub(order.Charge).Fails(errors.New("network down")).TimesOut().Returns(order.Receipt{Charge: "c1"})

	run := workflowtest.Run(t, order.Process, lamp,
		charge,
		workflowtest.Stub(order.Refund).Never(),
		workflowtest.Stub(order.Ship).Takes(3*time.Hour).Returns(order.Parcel{Tracking: "p1"}),
		workflowtest.At(1*day, workflowtest.Send(order.Approve.With(order.Approval{By: "bob", Granted: true}))),
		workflowtest.At(1*day+time.Hour, workflowtest.Crash, func(w *workflowtest.World) {
			if got := workflowtest.Query(w, order.Status); got != "shipping" {
				t.Errorf("status = %q", got)
			}
		}),
	)

	got, err := run.Result()
	if want := (order.Done{Status: "shipped", Tracking: "p1"}); got != want || err != nil {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if n := len(charge.Inputs()); n != 3 {
		t.Errorf("charged in %d attempts, want 3", n)
	}
	run.Golden("testdata/approved.json")
}

func TestNobodyApproves(t *testing.T) {
	run := workflowtest.Run(t, order.Process, lamp,
		workflowtest.Stub(order.Charge).Returns(order.Receipt{Charge: "c1"}),
		workflowtest.Stub(order.Refund).Returns(activity.None{}),
	)
	if got, err := run.Result(); got.Status != "refused" || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	if run.Elapsed != 2*day {
		t.Errorf("took %v", run.Elapsed)
	}
}

func TestARefusalIsRefunded(t *testing.T) {
	charge := workflowtest.Stub(order.Charge).Returns(order.Receipt{Charge: "c1"})
	refund := workflowtest.Stub(order.Refund).Fails(errors.New("network down")).Returns(activity.None{})
	run := workflowtest.Run(t, order.Process, lamp,
		charge,
		refund,
		workflowtest.At(time.Hour, workflowtest.Send(order.Approve.With(order.Approval{By: "bob"}))),
	)
	if got, err := run.Result(); got.Status != "refused" || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	if got, paid := refund.Inputs(), charge.Inputs()[0].Reference; !slices.Equal(got, []string{paid, paid}) {
		t.Errorf("refunded %v, want %s twice", got, paid)
	}
}

func TestACancelledOrderIsRefunded(t *testing.T) {
	run := workflowtest.Run(t, order.Process, lamp,
		workflowtest.Stub(order.Charge).Returns(order.Receipt{Charge: "c1"}),
		workflowtest.Stub(order.Refund).Returns(activity.None{}),
		workflowtest.Stub(order.Ship).Never(),
		workflowtest.At(1*day, workflowtest.Cancel),
	)
	if _, err := run.Result(); !errors.Is(err, workflow.ErrCancelled) || run.Elapsed != 1*day {
		t.Errorf("err = %v after %v", err, run.Elapsed)
	}
}

func TestADeclinedCardIsNotTriedAgain(t *testing.T) {
	run := workflowtest.Run(t, order.Process, lamp,
		workflowtest.Stub(order.Refund).Never(),
		workflowtest.Stub(order.Charge).Fails(fmt.Errorf("visa: %w", order.ErrDeclined)))
	if got, err := run.Result(); got.Status != "declined" || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestOrdersOfThePastStillReplay(t *testing.T) {
	workflowtest.Replay(t, order.Process, "testdata/*.json")
}

// world is a card service that loses its first answer, and a carrier that has an accident.
type world struct {
	charges map[string]string
	moves   []string
	lost    bool
}

func (w *world) Charge(_ context.Context, key, _ string, _ int) (string, error) {
	if w.charges[key] == "" {
		w.charges[key] = fmt.Sprintf("c%d", len(w.charges)+1)
		return "", errors.New("the answer was lost")
	}
	return w.charges[key], nil
}

func (w *world) Refund(context.Context, string) error { return nil }

func (w *world) Move(_ context.Context, _, place string) error {
	if place == "Ulm" && !w.lost {
		w.lost = true
		return errors.New("flat tyre")
	}
	w.moves = append(w.moves, place)
	return nil
}

func TestNothingIsDoneTwiceByTheService(t *testing.T) {
	w := &world{charges: map[string]string{}}
	far := lamp
	far.Route = []string{"Bonn", "Mainz", "Ulm", "Linz"}
	run := workflowtest.Run(t, order.Process, far,
		workflowtest.Use((&order.Service{Cards: w, Carrier: w}).Definitions()...),
		workflowtest.At(time.Minute, workflowtest.Send(order.Approve.With(order.Approval{By: "bob", Granted: true}))),
	)
	if got, err := run.Result(); got.Status != "shipped" || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	if len(w.charges) != 1 {
		t.Errorf("charged %v", w.charges)
	}
	if !slices.Equal(w.moves, far.Route) {
		t.Errorf("moved along %v", w.moves)
	}
}

func Example() {
	ctx := context.Background()
	w := &world{charges: map[string]string{}}
	service := &order.Service{Cards: w, Carrier: w}
	rt, err := runtime.Open(ctx, runtime.Config{Store: "memory:", Logger: slog.New(slog.DiscardHandler)}, service.Definitions()...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer rt.Close()
	go rt.Run(ctx)

	h, err := runtime.Start(ctx, rt, "order-42", order.Process, lamp)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := rt.Signal(ctx, "order-42", order.Approve.With(order.Approval{By: "bob", Granted: true})); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(h.Result(ctx))
	// Output: {shipped parcel of order-42} <nil>
}
