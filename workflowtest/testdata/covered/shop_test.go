package covered_test

import (
	"errors"
	"testing"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/workflowtest"
	"github.com/clewflow/clew/workflowtest/testdata/covered"
)

func TestMain(m *testing.M) { workflowtest.Main(m, 70) }

func TestBought(t *testing.T) {
	t.Parallel()
	run := workflowtest.Run(t, covered.Shop, 4200,
		workflowtest.Stub(covered.Reserve).Fails(errors.New("busy")).Returns("shelf 7"),
		workflowtest.Stub(covered.Charge).Returns("r1"),
		workflowtest.StubChild(covered.Parcel).Returns("p1"),
		workflowtest.At(time.Hour, workflowtest.Send(covered.Approve.With(true)), func(w *workflowtest.World) {
			if got := workflowtest.Query(w, covered.Status); got != "begun" {
				t.Errorf("status %q", got)
			}
		}),
	)
	if got, err := run.Result(); got != "p1" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAPaymentThatFailsReleases(t *testing.T) {
	t.Parallel()
	run := workflowtest.Run(t, covered.Shop, 4200,
		workflowtest.Stub(covered.Reserve).Returns("shelf 7"),
		workflowtest.Stub(covered.Charge).TimesOut(),
		workflowtest.Stub(covered.Release).Returns(activity.None{}),
		workflowtest.At(time.Hour, workflowtest.Send(covered.Approve.With(true))),
	)
	if _, err := run.Result(); !errors.Is(err, activity.ErrTimeout) {
		t.Errorf("got %v", err)
	}
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	workflowtest.Run(t, covered.Shop, 4200, workflowtest.At(time.Hour, workflowtest.Cancel))
}
