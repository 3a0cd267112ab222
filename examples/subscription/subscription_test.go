package subscription_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/examples/subscription"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
	"github.com/clewflow/clew/workflowtest"
)

const day = 24 * time.Hour

var (
	small = subscription.Plan{Name: "small", Cents: 900}
	large = subscription.Plan{Name: "large", Cents: 2900}
	// ann's subscription begins when the virtual clock does.
	ann = subscription.Subscription{Customer: "ann", Plan: small, Began: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)}
)

func TestSubscriptionOfAYear(t *testing.T) {
	charge := workflowtest.Stub(subscription.Charge).Always(activity.None{})
	run := workflowtest.Run(t, subscription.Run, ann,
		charge,
		workflowtest.Stub(subscription.Notify).Returns(activity.None{}),
		workflowtest.At(100*day, workflowtest.Crash),
		workflowtest.At(365*day, workflowtest.Send(subscription.Stop.With("too dear"))),
	)
	got, err := run.Result()
	if got.Paid != 11 || err != nil {
		t.Errorf("paid %d months of 2000 before the 31st of December, %v", got.Paid, err)
	}
	for i, invoice := range charge.Inputs() {
		if want := (subscription.Invoice{Customer: "ann", Cents: 900, Month: i + 1}); invoice != want {
			t.Errorf("charged %v, want %v", invoice, want)
		}
	}
	run.Golden("testdata/year.json")
}

func TestAnotherPlanIsChargedFromTheNextMonthOn(t *testing.T) {
	charge := workflowtest.Stub(subscription.Charge).Always(activity.None{})
	answered := 0
	run := workflowtest.Run(t, subscription.Run, ann,
		charge,
		workflowtest.Stub(subscription.Notify).Returns(activity.None{}),
		workflowtest.At(day, find("small", 1), find("large", 0)),
		workflowtest.At(40*day, workflowtest.Update(subscription.ChangePlan, large, func(from time.Time, err error) {
			answered++
			if want := time.Date(2000, 3, 1, 0, 0, 0, 0, time.UTC); !from.Equal(want) || err != nil {
				t.Errorf("it is charged from %v on, %v, want %v", from, err, want)
			}
		})),
		workflowtest.At(40*day, find("small", 0), find("large", 1)),
		workflowtest.At(70*day, workflowtest.Crash, find("large", 1), func(w *workflowtest.World) {
			if got := workflowtest.Query(w, subscription.Current); got.Plan != large || got.Paid != 2 {
				t.Errorf("it is %+v", got)
			}
		}),
		workflowtest.At(70*day, workflowtest.Send(subscription.Stop.With("enough"))),
	)
	if _, err := run.Result(); err != nil {
		t.Error(err)
	}
	if answered != 2 {
		t.Errorf("answered %d times, want once in each of the two runs of a test", answered)
	}
	var cents []int
	for _, invoice := range charge.Inputs() {
		cents = append(cents, invoice.Cents)
	}
	if want := []int{900, 2900}; !slices.Equal(cents, want) {
		t.Errorf("charged %v, want %v", cents, want)
	}
	run.Golden("testdata/larger.json")
}

// find checks how many open subscriptions have a plan.
func find(plan string, want int) workflowtest.Act {
	return func(w *workflowtest.World) {
		n := 0
		for row, err := range w.Runtime.Find(w.Context, query.Query{Type: subscription.Run.Name(), Status: query.Open}) {
			if err != nil {
				w.T.Error(err)
				return
			}
			if name, ok := subscription.PlanName.Of(row); ok && name == plan {
				n++
			}
		}
		if n != want {
			w.T.Errorf("%d subscriptions have plan %s, want %d", n, plan, want)
		}
	}
}

func TestAPlanWithoutAPriceIsRefusedAndNotRecorded(t *testing.T) {
	run := workflowtest.Run(t, subscription.Run, ann,
		workflowtest.Stub(subscription.Charge).Never(),
		workflowtest.Stub(subscription.Notify).Returns(activity.None{}),
		workflowtest.At(day, workflowtest.Update(subscription.ChangePlan, subscription.Plan{Name: "free"}, func(_ time.Time, err error) {
			if !errors.Is(err, runtime.ErrRefused) || err.Error() != `clew: the workflow refuses: plan "free" has no price` {
				t.Errorf("err = %v", err)
			}
		})),
		workflowtest.At(2*day, workflowtest.Send(subscription.Stop.With("it is not free"))),
	)
	if got, err := run.Result(); got.Plan != small || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	run.Golden("testdata/refused.json")
}

func TestWhoCannotBeChargedForThreeDaysIsNoSubscriberAnyMore(t *testing.T) {
	run := workflowtest.Run(t, subscription.Run, ann,
		workflowtest.Stub(subscription.Charge).Calls(func(context.Context, subscription.Invoice) (activity.None, error) {
			return activity.None{}, activity.RetryAfter(day, errors.New("no money"))
		}),
		workflowtest.Stub(subscription.Notify).Never(),
	)
	_, err := run.Result()
	var failed *activity.Error
	if !errors.As(err, &failed) || failed.Attempts != 3 || failed.Message != "no money" {
		t.Errorf("err = %v, want that of the third attempt, after which there was no time for a fourth", err)
	}
	run.Golden("testdata/poor.json")
}

func TestACancelledSubscriptionEndsInItsMonth(t *testing.T) {
	run := workflowtest.Run(t, subscription.Run, ann,
		workflowtest.Stub(subscription.Charge).Always(activity.None{}),
		workflowtest.Stub(subscription.Notify).Never(),
		workflowtest.At(45*day, workflowtest.Cancel),
	)
	if _, err := run.Result(); !errors.Is(err, workflow.ErrCancelled) || run.Elapsed != 45*day {
		t.Errorf("err = %v after %v", err, run.Elapsed)
	}
	run.Golden("testdata/cancelled.json")
}

func TestSubscriptionsOfThePastStillReplay(t *testing.T) {
	workflowtest.Replay(t, subscription.Run, "testdata/*.json")
}

func TestItIsPaidOnTheDayOnWhichItBegan(t *testing.T) {
	s := subscription.Subscription{Began: time.Date(2000, 1, 31, 9, 0, 0, 0, time.UTC)}
	for _, want := range []string{"02-29", "03-31", "04-30", "05-31"} {
		if got := s.Renews().Format("01-02"); got != want {
			t.Errorf("month %d is paid on %s, want %s", s.Paid+1, got, want)
		}
		s.Paid++
	}
}

// bank loses the first answer to each charge.
type bank struct{ charged map[string]int }

func (b *bank) Charge(_ context.Context, key, _ string, cents int) error {
	if b.charged[key] == 0 {
		b.charged[key] = cents
		return errors.New("the answer was lost")
	}
	return nil
}

func (b *bank) Send(context.Context, string, string) error { return nil }

func TestEachMonthIsChargedOnce(t *testing.T) {
	bank := &bank{charged: map[string]int{}}
	run := workflowtest.Run(t, subscription.Run, ann,
		workflowtest.Use((&subscription.Service{Bank: bank, Mail: bank}).Definitions()...),
		workflowtest.At(100*day, workflowtest.Crash),
		workflowtest.At(100*day, workflowtest.Send(subscription.Stop.With("enough"))),
	)
	if got, err := run.Result(); got.Paid != 3 || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	if got := slices.Collect(maps.Values(bank.charged)); !slices.Equal(got, []int{900, 900, 900}) {
		t.Errorf("charged %v", got)
	}
}

func Example() {
	ctx := context.Background()
	bank := &bank{}
	service := &subscription.Service{Bank: bank, Mail: bank}
	rt, err := runtime.Open(ctx, runtime.Config{Store: "memory:", Logger: slog.New(slog.DiscardHandler)}, service.Definitions()...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer rt.Close()
	go rt.Run(ctx)

	h, err := runtime.Start(ctx, rt, "sub-1", subscription.Run, subscription.Subscription{Customer: "bob", Plan: small, Began: time.Now()})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = runtime.Update(ctx, rt, "sub-1", subscription.ChangePlan, subscription.Plan{Name: "free"})
	fmt.Println(err)
	_, err = runtime.Update(ctx, rt, "sub-1", subscription.ChangePlan, large)
	fmt.Println(err)
	for row, err := range rt.Find(ctx, query.Query{Status: query.Open}) {
		plan, _ := subscription.PlanName.Of(row)
		fmt.Println(row.ID, plan, err)
	}
	if err := rt.Signal(ctx, "sub-1", subscription.Stop.With("too dear")); err != nil {
		fmt.Println(err)
		return
	}
	got, err := h.Result(ctx)
	fmt.Println(got.Customer, got.Plan, got.Paid, err)
	// Output:
	// clew: the workflow refuses: plan "free" has no price
	// <nil>
	// sub-1 large <nil>
	// bob {large 2900} 0 <nil>
}
