package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

func TestLocalStepsAreRecordedAndTriedAgain(t *testing.T) {
	var made atomic.Int64
	w := workflow.Define("steps", func(ctx workflow.Context, n int) (string, error) {
		all := ""
		for i := range n {
			s, err := workflow.Step(ctx, "look", func(ctx context.Context) (string, error) {
				made.Add(1)
				info := activity.Info(ctx)
				if info.Number < 3 {
					return "", errors.New("not yet")
				}
				return fmt.Sprint(i, info.Activity, info.Headers["tenant"], " "), nil
			}, activity.Retry{Initial: time.Second})
			if err != nil {
				return "", err
			}
			all += s
		}
		_, err := workflow.Step(ctx, "slow", func(ctx context.Context) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		}, activity.StartToClose(time.Second), activity.MaxAttempts(2))
		return fmt.Sprint(all, errors.Is(err, activity.ErrTimeout)), nil
	})
	inWorld(t, func(wo *world) {
		made.Store(0)
		h, err := runtime.Start(wo.ctx(), wo.rt, "s", w, 3, workflow.Header("tenant", "acme"))
		require.NoError(t, err)
		out, err := h.Result(wo.ctx())
		require.NoError(t, err)
		assert.Equal(t, "0lookacme 1lookacme 2lookacme true", out)
		assert.Equal(t, int64(9), made.Load(), "each was made as often as it had to be, and not when the code was remembered")
		scheduled := 0
		for _, e := range wo.entries("s") {
			if a, ok := e.Event.(*history.ActivityScheduled); ok {
				assert.True(t, a.Local)
				scheduled++
			}
		}
		assert.Equal(t, 4, scheduled)
	}, w)
}

// TestLocalStepsOutliveTheirProcess: after each death the code is run along its history, and the step is made again.
func TestLocalStepsOutliveTheirProcess(t *testing.T) {
	var made atomic.Int64
	w := workflow.Define("steps", func(ctx workflow.Context, _ workflow.None) (int, error) {
		sum := 0
		for i := range 4 {
			n, err := workflow.Step(ctx, "add", func(context.Context) (int, error) { made.Add(1); return i, nil })
			if err != nil {
				return 0, err
			}
			sum += n
		}
		return sum, nil
	})
	most := 0
	for n := 0; n <= most; n++ {
		for _, stored := range []bool{false, true} {
			made.Store(0)
			inFaulty(t, n, stored, func(wo *world, appends func() int) {
				out, err := runtime.Result(wo.ctx(), wo.rt, "s", w)
				require.NoError(t, err)
				assert.Equal(t, 6, out, "death at append %d", n)
				assert.LessOrEqual(t, made.Load(), int64(5), "death at append %d: only the step that was under way is made again", n)
				most = max(most, appends())
			}, func(wo *world) {
				_, _ = runtime.Start(context.WithoutCancel(wo.ctx()), wo.rt, "s", w, workflow.None{}, runtime.RequestID("once"))
			}, w)
		}
	}
	assert.Equal(t, 5, most, "n steps in a row cost n+1 appends")
}

func TestAwaitExternalHandsATokenOut(t *testing.T) {
	answer := activity.External[string]("answer", activity.ScheduleToClose(day))
	var tokens chan string // of the bubble
	w := workflow.Define("asks", func(ctx workflow.Context, fail int) (string, error) {
		return workflow.AwaitExternal(ctx, answer, func(ctx context.Context, token string) error {
			if activity.Info(ctx).Number <= fail {
				return errors.New("the mail server is down")
			}
			tokens <- token
			return nil
		})
	})
	inWorld(t, func(wo *world) {
		tokens = make(chan string, 10)
		h, err := runtime.Start(wo.ctx(), wo.rt, "a", w, 2)
		require.NoError(t, err)
		token := <-tokens
		time.Sleep(hour)
		require.NoError(t, runtime.Complete(wo.ctx(), wo.rt, answer, token, "yes"))
		out, err := h.Result(wo.ctx())
		require.NoError(t, err)
		assert.Equal(t, "yes", out)
		assert.ErrorIs(t, runtime.Complete(wo.ctx(), wo.rt, answer, token, "no"), runtime.ErrSettled)

		h, err = runtime.Start(wo.ctx(), wo.rt, "b", w, 0)
		require.NoError(t, err)
		<-tokens
		_, err = h.Result(wo.ctx())
		assert.ErrorIs(t, err, activity.ErrTimeout, "nobody answered within a day")
	}, w, answer)
}

func TestTheCodeIsToldTheProgressOfWhatItWatches(t *testing.T) {
	load := activity.Define("load", func(ctx context.Context, n int) (int, error) {
		at, _ := activity.Checkpoint[int](ctx)
		for ; at < n; at++ {
			if at == 3 && activity.Info(ctx).Number == 1 {
				return 0, errors.New("the line broke")
			}
			if err := activity.Heartbeat(ctx, at+1); err != nil {
				return 0, err
			}
			time.Sleep(20 * time.Second)
		}
		return at, nil
	}, activity.HeartbeatWithin(30*time.Second))
	w := workflow.Define("watches", func(ctx workflow.Context, n int) ([]int, error) {
		done, progress := workflow.BeginWatched[int](ctx, load, n)
		var seen []int
		for {
			at, ok, err := progress.Receive(ctx)
			if err != nil {
				return nil, err
			}
			if !ok {
				break
			}
			seen = append(seen, at)
		}
		_, err := done.Get(ctx)
		return seen, err
	})
	inWorld(t, func(wo *world) {
		h, err := runtime.Start(wo.ctx(), wo.rt, "w", w, 6)
		require.NoError(t, err)
		out, err := h.Result(wo.ctx())
		require.NoError(t, err)
		assert.IsIncreasing(t, out)
		assert.GreaterOrEqual(t, len(out), 4)
		assert.Contains(t, wo.kinds("w"), "activity-progressed")
	}, w, load)
}

func TestLatestIsKeptWhenItHasChanged(t *testing.T) {
	var setting atomic.Int64
	w := workflow.Define("latest", func(ctx workflow.Context, n int) ([]int64, error) {
		var seen []int64
		for range n {
			seen = append(seen, workflow.Latest(ctx, "setting", setting.Load)) //clew:allow it is what the test is about
			if err := workflow.Sleep(ctx, time.Minute); err != nil {
				return nil, err
			}
		}
		return seen, nil
	})
	inWorld(t, func(wo *world) {
		setting.Store(1)
		h, err := runtime.Start(wo.ctx(), wo.rt, "l", w, 6)
		require.NoError(t, err)
		time.Sleep(150 * time.Second)
		setting.Store(2)
		out, err := h.Result(wo.ctx())
		require.NoError(t, err)
		assert.Equal(t, []int64{1, 1, 1, 2, 2, 2}, out)
		assert.Equal(t, 2, count(wo.kinds("l"), "kept"))
		setting.Store(3) // what it is when the history is held against the code does not matter
	}, w)
}

func TestMessagesToOthersAreDelivered(t *testing.T) {
	sends := workflow.Define("sends", func(ctx workflow.Context, to string) (string, error) {
		err := workflow.Send(ctx, to, number.With(7))
		ended := workflow.SendCancel(ctx, to)
		return fmt.Sprint(errors.Is(err, workflow.ErrNotFound), errors.Is(err, workflow.ErrNotRunning), err == nil, ended == nil), nil
	})
	inWorld(t, func(w *world) {
		_, err := runtime.Start(w.ctx(), w.rt, "to", parcel, "wait")
		require.NoError(t, err)
		out, err := runtime.Do(w.ctx(), w.rt, "s1", sends, "to")
		require.NoError(t, err)
		assert.Equal(t, "false false true false", out)
		got, err := runtime.Result(w.ctx(), w.rt, "to", parcel)
		require.NoError(t, err, "it had its signal, and ended before it could be asked to")
		assert.Equal(t, "did wait", got)
		out, err = runtime.Do(w.ctx(), w.rt, "s2", sends, "to")
		require.NoError(t, err)
		assert.Equal(t, "false true false false", out)
		out, err = runtime.Do(w.ctx(), w.rt, "s3", sends, "nobody")
		require.NoError(t, err)
		assert.Equal(t, "true false false false", out)
		rows := w.rows(query.Query{Type: "sends", Status: query.Completed})
		assert.Len(t, rows, 3)
	}, sends, parcel)
}
