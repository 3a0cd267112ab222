package runtime_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

// TestDeathBetweenThePiecesOfATurnThatContinues: the tail of each piece says where the run begins that is open after it.
func TestDeathBetweenThePiecesOfATurnThatContinues(t *testing.T) {
	big := activity.Declare[[]byte, int]("big")
	bound := big.Bind(func(context.Context, []byte) (int, error) { return 1, nil })
	w := workflow.Define("pieces", func(ctx workflow.Context, run int) (int, error) {
		if run > 0 {
			return run, nil
		}
		for range 3 {
			workflow.Begin(ctx, big, make([]byte, 5<<20))
		}
		return run, workflow.ContinueAsNew(ctx, run+1)
	})
	for n := range 3 {
		synctest.Test(t, func(t *testing.T) {
			wo := newWorld(t, runtime.Config{Drain: time.Millisecond})
			wo.idle(func(rt *runtime.Runtime) {
				_, err := runtime.Start(wo.ctx(), rt, "p", w, 0)
				require.NoError(t, err)
			}, w, bound)
			disk := wo.disk.Open()
			log := &dyingLog{mortal: mortal{Log: disk, Tails: disk, dead: make(chan struct{})}, at: n}
			wo.c.Log = log
			rt, err := runtime.Open(t.Context(), wo.c, w, bound)
			require.NoError(t, err)
			ctx, stop := context.WithCancel(t.Context())
			ran := make(chan error, 1)
			go func() { ran <- rt.Run(ctx) }()
			select {
			case <-log.dead:
			case <-time.After(hour):
			}
			stop()
			<-ran
			require.NoError(t, rt.Close())

			wo.open(w, bound)
			ctx, cancel := context.WithTimeout(t.Context(), hour)
			defer cancel()
			out, err := runtime.Result(ctx, wo.rt, "p", w)
			assert.NoError(t, err, "death at append %d", n)
			assert.Equal(t, 1, out)
			wo.close()
		})
	}
}
