package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

// TestInterceptorsSeeWhatHappens and their headers travel from the caller to activities and to children's activities.
func TestInterceptorsSeeWhatHappens(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	note := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, fmt.Sprintf(format, args...))
	}
	who := activity.Define("who", func(ctx context.Context, _ workflow.None) (string, error) {
		return activity.Info(ctx).Headers["user"], nil
	})
	child := workflow.Define("child", func(ctx workflow.Context, _ workflow.None) (string, error) {
		return workflow.Do(ctx, who, workflow.None{})
	})
	parent := workflow.Define("parent", func(ctx workflow.Context, _ workflow.None) (string, error) {
		if _, err := number.Receive(ctx); err != nil {
			return "", err
		}
		mine, err := workflow.Do(ctx, who, workflow.None{})
		if err != nil {
			return "", err
		}
		its, err := workflow.Child(ctx, child, workflow.None{})
		return mine + its, err
	})
	errNo := errors.New("no right to that")
	spy := runtime.Interceptor{
		Start: func(_ context.Context, s *runtime.Starting) error {
			if s.ID == "forbidden" {
				return errNo
			}
			s.Headers["user"] = "ann"
			return nil
		},
		Message: func(_ context.Context, m runtime.Messaging) error {
			if m.Name == "forbidden" {
				return errNo
			}
			return nil
		},
		Turn: func(t runtime.Turn) func() {
			note("%s %s", t.Workflow, t.Kind)
			return func() { note("%s waits", t.Workflow) }
		},
		Activity: func(next activity.Handler) activity.Handler {
			return func(ctx context.Context, in history.Payload) (history.Payload, error) {
				note("%s of %s", activity.Info(ctx).Activity, activity.Info(ctx).Workflow)
				return next(ctx, in)
			}
		},
	}
	newWorldOf(t, runtime.Config{Interceptors: []runtime.Interceptor{spy, {}}}, func(w *world) {
		_, err := runtime.Start(w.ctx(), w.rt, "forbidden", parent, workflow.None{})
		assert.ErrorIs(t, err, errNo)
		h, err := runtime.Start(w.ctx(), w.rt, "p", parent, workflow.None{})
		require.NoError(t, err)
		assert.ErrorIs(t, w.rt.Signal(w.ctx(), "p", workflow.NewSignal[int]("forbidden").With(1)), errNo)
		require.NoError(t, w.rt.Signal(w.ctx(), "p", number.With(1)))
		out, err := h.Result(w.ctx())
		require.NoError(t, err)
		assert.Equal(t, "annann", out)
	}, parent, child, who)
	for _, want := range []string{"parent started", "parent waits", "parent signaled", "who of parent", "who of child", "parent child-closed"} {
		assert.Contains(t, seen, want)
	}
}
