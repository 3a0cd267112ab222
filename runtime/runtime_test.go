package runtime_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

func TestOrderFromStartToEnd(t *testing.T) {
	approve := workflow.NewSignal[string]("approve")
	status := workflow.NewQuery[string]("status")
	tries := 0
	charge := activity.Define("charge", func(ctx context.Context, cents int) (string, error) {
		if tries++; tries < 3 {
			return "", errors.New("card network down")
		}
		return "receipt", nil
	})
	order := workflow.Define("order", func(ctx workflow.Context, cents int) (string, error) {
		at := "charging"
		status.Handle(ctx, func() string { return at })
		receipt, err := workflow.Do(ctx, charge, cents)
		if err != nil {
			return "", err
		}
		at = "waiting"
		by, ok, err := approve.ReceiveWithin(ctx, 48*time.Hour)
		if err != nil || !ok {
			return "refused", err
		}
		if err := workflow.Sleep(ctx, 30*24*time.Hour); err != nil {
			return "", err
		}
		return receipt + " by " + by, nil
	})
	for _, memory := range []int{0, runtime.Forget} {
		tries = 0
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			rt, err := runtime.Open(ctx, runtime.Config{Store: "memory:", Memory: memory}, order, charge)
			require.NoError(t, err)
			go rt.Run(ctx)
			h, err := runtime.Start(ctx, rt, "o1", order, 4200)
			require.NoError(t, err)
			time.Sleep(24 * time.Hour)
			got, err := runtime.Query(ctx, rt, "o1", status)
			require.NoError(t, err)
			assert.Equal(t, "waiting", got)
			d, err := rt.Describe(ctx, "o1")
			require.NoError(t, err)
			assert.Len(t, d.Timers, 1)
			require.NoError(t, rt.Signal(ctx, "o1", approve.With("ann")))
			out, err := h.Result(ctx)
			require.NoError(t, err)
			assert.Equal(t, "receipt by ann", out)
			for e, err := range rt.History(ctx, "o1") {
				require.NoError(t, err)
				t.Log(e.Seq, e.At, e.Event.Kind(), e.Told)
			}
			require.NoError(t, rt.Close())
		})
	}
}
