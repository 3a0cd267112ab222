package replay_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/workflow"
)

// beats records a sign of life of an activity, with a checkpoint.
func (w *world) beats(step history.Step, checkpoint any) {
	w.t.Helper()
	w.now = w.now.Add(time.Second)
	a := w.attempt(step)
	p, err := history.Encode(checkpoint)
	require.NoError(w.t, err)
	a.Checkpoint = p
	w.give(commands.Beat{Attempt: a})
}

func TestCheckpointsOfAWatchedActivityAreToldInOrder(t *testing.T) {
	w := yields(t, func(ctx workflow.Context) (all []string, err error) {
		f, progress := workflow.BeginWatched[int](ctx, work, 1)
		for {
			c, ok, err := progress.Receive(ctx)
			if err != nil {
				return nil, err
			}
			if !ok {
				break
			}
			all = append(all, fmt.Sprint(c, " ", f.Ready()))
		}
		v, err := f.Get(ctx)
		_, ok, again := progress.Receive(ctx)
		return append(all, fmt.Sprint("done ", v, ok, again)), err
	})
	assert.True(t, w.entries[1].Event.(*history.ActivityScheduled).Watch)
	for c := range 3 {
		w.beats(1, 10*c)
	}
	w.complete(1, 7)
	assert.Equal(t, []string{"0 false", "10 false", "20 false", "done 7 false <nil>"}, result[[]string](w))
	assert.Equal(t, []string{
		"started", "activity-scheduled 1", "activity-progressed", "activity-progressed", "activity-progressed", "activity-completed 1", "completed",
	}, w.kinds())
}

func TestWhatWasToldBeforeTheEndCanBeReceivedAfterIt(t *testing.T) {
	w := yields(t, func(ctx workflow.Context) (string, error) {
		f, progress := workflow.BeginWatched[int](ctx, work, 1)
		if _, err := f.Get(ctx); err != nil {
			return "", err
		}
		a, okA, _ := progress.Receive(ctx)
		b, okB := progress.TryReceive(ctx)
		_, okC := progress.TryReceive(ctx)
		_, okD, err := progress.Receive(ctx)
		return fmt.Sprint(a, okA, b, okB, okC, okD), err
	})
	w.beats(1, 1)
	w.beats(1, 2)
	w.complete(1, 7)
	assert.Equal(t, "1 true 2 true false false", result[string](w))
}

func TestProgressEndsHoweverTheActivityEnds(t *testing.T) {
	for what, c := range map[string]struct {
		end  func(*world)
		opts []activity.Option
		want string
	}{
		"failed":    {end: func(w *world) { w.fail(1, errNo) }, want: "false <nil> activity work: no"},
		"timed out": {end: func(w *world) { w.pass(24 * time.Hour) }, want: "false <nil> activity work: schedule-to-close timed out"},
		"cancelled": {end: func(w *world) { w.cancel() }, want: "false <nil> cancelled"},
		"left running": {
			end: func(w *world) { w.cancel() }, opts: []activity.Option{activity.OnCancel(activity.LeaveRunning)},
			want: "false cancelled cancelled",
		},
	} {
		t.Run(what, func(t *testing.T) {
			w := yields(t, func(ctx workflow.Context) (string, error) {
				f, progress := workflow.BeginWatched[int](ctx, work, 1, c.opts...)
				_, ok, err := progress.Receive(ctx)
				_, end := f.Get(ctx)
				return fmt.Sprint(ok, " ", err, " ", end), nil
			})
			c.end(w)
			assert.Equal(t, c.want, result[string](w))
		})
	}
	w := yields(t, func(ctx workflow.Context) (string, error) {
		ended, cancel := workflow.WithCancel(ctx)
		cancel()
		_, progress := workflow.BeginWatched[int](ended, work, 1)
		_, ok, err := progress.Receive(ctx)
		return fmt.Sprint(ok, err), nil
	})
	assert.Equal(t, "false <nil>", result[string](w))
}

func TestProgressIsACase(t *testing.T) {
	w := yields(t, func(ctx workflow.Context) ([]string, error) {
		var all []string
		f, progress := workflow.BeginWatched[string](ctx, work, 1)
		names := map[workflow.Case]string{f: "end", progress: "progress", workflow.Timeout: "timeout"}
		for range 3 {
			got, err := workflow.SelectWithin(ctx, time.Hour, progress, f)
			if err != nil {
				return nil, err
			}
			c, _ := progress.TryReceive(ctx)
			all = append(all, name(got, names)+c)
		}
		return all, nil
	})
	w.beats(1, " half")
	w.pass(time.Hour)
	w.complete(1, 7)
	assert.Equal(t, []string{"progress half", "timeout", "end"}, result[[]string](w))
}

func TestWhatNobodyAwaitsAnyMoreIsNotToldOf(t *testing.T) {
	w := yields(t, func(ctx workflow.Context) (string, error) {
		within, cancel := workflow.WithCancel(ctx)
		_, progress := workflow.BeginWatched[int](within, work, 1, activity.OnCancel(activity.TryCancel))
		if _, err := poke.Receive(ctx); err != nil {
			return "", err
		}
		cancel()
		if _, err := halt.Receive(ctx); err != nil {
			return "", err
		}
		_, ok, err := progress.Receive(ctx)
		return fmt.Sprint(ok, err), nil
	})
	w.foreign(&history.Signaled{Name: "poke", Value: history.JSON([]byte("1"))},
		&history.ActivityProgressed{Heartbeat: history.Heartbeat{Try: history.Try{Step: 1, Serial: 1, Attempt: 1}, Checkpoint: history.JSON([]byte("1"))}})
	w.recall()
	w.signal(halt.With(1))
	assert.Equal(t, "false <nil>", result[string](w))
}

func TestACheckpointThatDoesNotDecodeStalls(t *testing.T) {
	w := run(t, func(ctx workflow.Context) error {
		_, progress := workflow.BeginWatched[int](ctx, work, 1)
		_, _, err := progress.Receive(ctx)
		return err
	})
	w.beats(1, "half")
	var stalled *replay.Stalled
	require.ErrorAs(t, w.err, &stalled)
	assert.Contains(t, stalled.Reason, "a checkpoint in entry 3 is of another type than the code receives")
}

func TestWaitingForProgressIsNoDeadlock(t *testing.T) {
	w := run(t, func(ctx workflow.Context) error {
		f, progress := workflow.BeginWatched[int](ctx, work, 1)
		if _, _, err := progress.Receive(ctx); err != nil {
			return err
		}
		_, err := f.Get(ctx)
		return err
	})
	assert.NoError(t, w.machine.Deadlock())
	w.complete(1, 1)
	w = run(t, func(ctx workflow.Context) error {
		_, progress := workflow.BeginWatched[int](ctx, work, 1)
		_, err := workflow.Select(ctx, progress)
		return err
	})
	w.complete(1, 1)
	assert.EqualError(t, w.machine.Deadlock(), "deadlock: main waits for progress of activity work", "nothing more comes")
	w.cancel()
}
