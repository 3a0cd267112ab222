package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/store/storetest"
	"github.com/clewflow/clew/workflow"
)

// travel is a workflow of three activities in a row, the second of which fails for good while what is down says so. Its result tells of
// all that must be the same when it goes on, and of what must not.
func travel(c *counts, down *atomic.Bool) (workflow.Type[string, string], []workflow.Definition, workflow.Signal[string]) {
	keys := map[string]string{}
	do := activity.Define("do", func(ctx context.Context, what string) (string, error) {
		if c.count(what); c.of("first")+c.of("second") == 1 {
			clear(keys) // another world
		}
		if key := activity.Info(ctx).IdempotencyKey; keys[what] != "" && what == "second" && keys[what] != key {
			return "", activity.NonRetryable(fmt.Errorf("the key was %s and is %s", keys[what], key))
		} else {
			keys[what] = key
		}
		if what == "second" && down.Load() {
			return "", activity.NonRetryable(errors.New("the bank is down"))
		}
		return what, nil
	}, activity.MaxAttempts(2))
	note := workflow.NewSignal[string]("note")
	code := workflow.Define("journey", func(ctx workflow.Context, name string) (string, error) {
		began, dice, id := workflow.Now(ctx), workflow.Rand(ctx).IntN(1000), workflow.NewUUID(ctx)
		if _, err := workflow.Do(ctx, do, "first"); err != nil {
			return "", err
		}
		run := workflow.Info(ctx).Number
		if err := workflow.Sleep(ctx, time.Hour); err != nil {
			return "", err
		}
		slept := workflow.Now(ctx).Sub(began).Round(time.Minute)
		read, _ := note.TryReceive(ctx)
		if _, err := workflow.Do(ctx, do, "second"); err != nil {
			return "", fmt.Errorf("paying: %w", err)
		}
		if _, err := workflow.Do(ctx, do, "third"); err != nil {
			return "", err
		}
		rest, _ := note.TryReceive(ctx)
		return fmt.Sprint(name, " ", dice, " ", id, " ", run, " then ", workflow.Info(ctx).Number, " ", workflow.Now(ctx).Sub(began) > time.Hour, " ", slept, " ", read, rest), nil
	})
	return code, []workflow.Definition{code, do}, note
}

func TestRetryGoesOnWhereARunFailed(t *testing.T) {
	var c counts
	var down atomic.Bool
	down.Store(true)
	code, definitions, note := travel(&c, &down)
	inWorld(t, func(world *world) {
		t, w, ctx := world.t, world.rt, world.ctx()
		c = counts{}
		down.Store(true)
		_, err := runtime.Start(ctx, w, "j", code, "ann")
		require.NoError(t, err)
		time.Sleep(time.Minute)
		require.NoError(t, w.Signal(ctx, "j", note.With("one")))
		require.NoError(t, w.Signal(ctx, "j", note.With("two")))
		_, err = runtime.Result(ctx, w, "j", code)
		require.ErrorContains(t, err, "the bank is down")
		before := world.entries("j")

		// While the reason stands it fails again, in a run of its own; what completed is not done again.
		time.Sleep(24 * time.Hour)
		second, err := w.Retry(ctx, "j", runtime.Reason("try"), runtime.Operator("ann"), runtime.RequestID("once"))
		require.NoError(t, err)
		again, err := w.Retry(ctx, "j", runtime.Reason("try"), runtime.Operator("ann"), runtime.RequestID("once"))
		require.NoError(t, err)
		require.Equal(t, second, again)
		_, err = runtime.Result(ctx, w, "j", code)
		require.ErrorContains(t, err, "the bank is down")
		require.Equal(t, []int{1, 2, 0}, []int{c.of("first"), c.of("second"), c.of("third")})

		down.Store(false)
		_, err = w.Retry(ctx, "j", runtime.Reason("it answers"), runtime.Operator("ann"))
		require.NoError(t, err)
		out, err := runtime.Result(ctx, w, "j", code)
		require.NoError(t, err)
		require.Regexp(t, `^ann \d+ \S{36} 1 then 3 true 1h0m0s onetwo$`, out)
		require.Equal(t, []int{1, 3, 1}, []int{c.of("first"), c.of("second"), c.of("third")})

		entries := world.entries("j")
		for i, e := range before {
			require.Equal(t, e.Hash, entries[i].Hash, "the run before stays as it is")
		}
		rows := 0
		for row, err := range w.Find(ctx, query.Query{ID: "j"}) {
			require.NoError(t, err)
			require.Contains(t, []query.Status{query.Failed, query.Completed}, row.Status)
			rows++
		}
		require.Equal(t, 3, rows)
		_, err = w.Retry(ctx, "j")
		require.ErrorIs(t, err, runtime.ErrInvalid)
		require.ErrorContains(t, err, "completed")
		_, err = w.Retry(ctx, "nobody")
		require.ErrorIs(t, err, runtime.ErrNotFound)
	}, definitions...)
}

func TestRerunAsksAnewFromAStep(t *testing.T) {
	var c counts
	var down atomic.Bool
	code, definitions, _ := travel(&c, &down)
	inWorld(t, func(world *world) {
		t, w, ctx := world.t, world.rt, world.ctx()
		c = counts{}
		_, err := runtime.Start(ctx, w, "j", code, "ann")
		require.NoError(t, err)
		_, err = w.Rerun(ctx, "j", runtime.AtActivity("do", 2))
		require.ErrorIs(t, err, runtime.ErrAlreadyRunning)
		first, err := runtime.Result(ctx, w, "j", code)
		require.NoError(t, err)

		_, err = w.Rerun(ctx, "j", runtime.AtActivity("do", 9))
		require.ErrorContains(t, err, "activity do, number 9")
		require.ErrorContains(t, err, "1 (do), 2 (timer), 3 (do)")
		_, err = w.Rerun(ctx, "j", runtime.AtActivity("do", 3))
		require.NoError(t, err)
		out, err := runtime.Result(ctx, w, "j", code)
		require.NoError(t, err)
		require.Equal(t, first[:len("ann ")], out[:len("ann ")])
		require.Contains(t, out, "1 then 2")
		require.Equal(t, []int{1, 1, 2}, []int{c.of("first"), c.of("second"), c.of("third")})

		_, err = w.Rerun(ctx, "j", runtime.AtStep(3), runtime.WithResult(7))
		require.ErrorContains(t, err, "its code cannot go on from there: a result: ")
		_, err = w.Rerun(ctx, "j", runtime.AtStep(3), runtime.WithResult("by hand"))
		require.NoError(t, err)
		_, err = runtime.Result(ctx, w, "j", code)
		require.NoError(t, err)
		require.Equal(t, []int{1, 1, 3}, []int{c.of("first"), c.of("second"), c.of("third")})

		_, err = w.Rerun(ctx, "j", runtime.AtStep(4), runtime.WithInput("elsewhere"))
		require.NoError(t, err)
		_, err = runtime.Result(ctx, w, "j", code)
		require.NoError(t, err)
		require.Equal(t, []int{1, 1, 3, 1}, []int{c.of("first"), c.of("second"), c.of("third"), c.of("elsewhere")})

		c = counts{}
		_, err = w.Restart(ctx, "j", runtime.WithInput("eve"))
		require.NoError(t, err)
		out, err = runtime.Result(ctx, w, "j", code)
		require.NoError(t, err)
		require.Regexp(t, "^eve .* 5 then 5", out)
		require.Equal(t, []int{1, 1, 1}, []int{c.of("first"), c.of("second"), c.of("third")})
		c = counts{}
		open, err := runtime.Start(ctx, w, "open", code, "bob")
		require.NoError(t, err)
		_, err = w.Restart(ctx, "open")
		require.ErrorIs(t, err, runtime.ErrAlreadyRunning)
		next, err := w.Restart(ctx, "open", runtime.TerminateFirst())
		require.NoError(t, err)
		require.NotEqual(t, open.Run, next)
		_, err = open.Result(ctx)
		require.ErrorContains(t, err, "terminated")
		_, err = runtime.Result(ctx, w, "open", code)
		require.NoError(t, err)
	}, definitions...)
}

func TestCodeThatDoesNotFitIsRefusedAndNothingHasHappened(t *testing.T) {
	var c counts
	var down atomic.Bool
	down.Store(true)
	code, definitions, _ := travel(&c, &down)
	newWorldOf(t, runtime.Config{}, func(world *world) {
		t, w, ctx := world.t, world.rt, world.ctx()
		_, err := runtime.Start(ctx, w, "j", code, "ann")
		require.NoError(t, err)
		_, err = runtime.Result(ctx, w, "j", code)
		require.Error(t, err)
		before := world.kinds("j")
		other := workflow.Define("journey", func(ctx workflow.Context, _ string) (string, error) {
			return "", workflow.Sleep(ctx, time.Hour)
		})
		world.close()
		world.open(other)
		_, err = world.rt.Retry(ctx, "j")
		require.ErrorIs(t, err, runtime.ErrRefused)
		require.ErrorContains(t, err, "timer")
		require.Equal(t, before, world.kinds("j"))
	}, definitions...)
}

// family is a parent with two children side by side, one of which fails while what is down says so.
func family(c *counts, down *atomic.Bool) (workflow.Type[int, string], []workflow.Definition) {
	do := activity.Define("do", func(_ context.Context, what string) (string, error) {
		c.count(what)
		if what == "bad:2" && down.Load() {
			return "", activity.NonRetryable(errors.New("no bread"))
		}
		return what, nil
	})
	child := workflow.Define("child", func(ctx workflow.Context, name string) (string, error) {
		if _, err := workflow.Do(ctx, do, name+":1"); err != nil {
			return "", err
		}
		if name == "slow" {
			if err := workflow.Sleep(ctx, time.Hour); err != nil {
				return "", err
			}
		}
		return workflow.Do(ctx, do, name+":2")
	})
	parent := workflow.Define("parent", func(ctx workflow.Context, _ int) (string, error) {
		good, bad := workflow.BeginChild(ctx, child, "good"), workflow.BeginChild(ctx, child, "bad")
		slow := workflow.BeginChild(ctx, child, "slow")
		text, err := good.Get(ctx)
		if err != nil {
			return "", err
		}
		other, err := bad.Get(ctx)
		if err != nil {
			return "", err
		}
		last, err := slow.Get(ctx)
		return text + " " + other + " " + last, err
	})
	return parent, []workflow.Definition{parent, child, do}
}

func TestChildrenOfARetriedRunBeginAnewOrGoOn(t *testing.T) {
	var c counts
	var down atomic.Bool
	down.Store(true)
	parent, definitions := family(&c, &down)
	for _, resume := range []bool{false, true} {
		inWorld(t, func(world *world) {
			t, w, ctx := world.t, world.rt, world.ctx()
			c = counts{}
			down.Store(true)
			_, err := runtime.Start(ctx, w, "p", parent, 0)
			require.NoError(t, err)
			_, err = runtime.Result(ctx, w, "p", parent)
			require.ErrorContains(t, err, "no bread")
			down.Store(false)
			opts := []runtime.CallOption{runtime.Reason("bread is there")}
			want := []int{1, 1, 2, 2}
			if resume {
				opts, want = append(opts, runtime.ResumeChildren()), []int{1, 1, 1, 2}
			}
			_, err = w.Retry(ctx, "p", opts...)
			require.NoError(t, err)
			out, err := runtime.Result(ctx, w, "p", parent)
			require.NoError(t, err)
			require.Equal(t, "good:2 bad:2 slow:2", out)
			require.Equal(t, want, []int{c.of("good:1"), c.of("good:2"), c.of("bad:1"), c.of("bad:2")})
			require.Equal(t, 1, c.of("slow:2"))
		}, definitions...)
	}
}

func TestAdoptingThatWasCutShortIsFinished(t *testing.T) {
	do := activity.Define("do", func(_ context.Context, n int) ([]byte, error) { return make([]byte, 200<<10), nil })
	var down atomic.Bool
	down.Store(true)
	pay := activity.Define("pay", func(_ context.Context, n int) (int, error) {
		if down.Load() {
			return 0, activity.NonRetryable(errors.New("down"))
		}
		return n, nil
	})
	code := workflow.Define("big", func(ctx workflow.Context, n int) (int, error) {
		for i := range n {
			if _, err := workflow.Do(ctx, do, i); err != nil {
				return 0, err
			}
		}
		return workflow.Do(ctx, pay, n)
	})
	for piece := range 4 {
		for _, dies := range []bool{false, true} {
			if testing.Short() && (piece != 1 || !dies) {
				continue
			}
			t.Run(fmt.Sprint(piece, dies), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					down.Store(true)
					appended, sick := 0, false
					faults := &storetest.Faults{Append: func(_ history.ID, entries []history.Entry) storetest.Fault {
						if entries[0].Adopted == nil || !sick {
							return storetest.None
						}
						if appended++; appended > piece {
							return storetest.Failed
						}
						return storetest.None
					}}
					world := newWorld(t, runtime.Config{})
					open := func() {
						world.c.Log = storetest.Faulty(world.disk.Open(), faults)
						world.openOn(code, do, pay)
					}
					open()
					ctx := world.ctx()
					_, err := runtime.Start(ctx, world.rt, "b", code, 70) // 14 MiB, which is more than one append holds
					require.NoError(t, err)
					_, err = runtime.Result(ctx, world.rt, "b", code)
					require.ErrorContains(t, err, "down")
					n := len(world.entries("b"))
					down.Store(false)
					sick = true
					_, err = world.rt.Retry(ctx, "b", runtime.RequestID("retry"))
					require.Equal(t, piece < 3, err != nil, "it takes three appends: %v", err)
					sick = false
					if dies {
						world.close()
						open()
					}
					if piece > 0 {
						require.Greater(t, len(world.entries("b")), n, "a part of it is there")
					}
					_, err = world.rt.Retry(ctx, "b", runtime.RequestID("retry"))
					for errors.Is(err, runtime.ErrUnavailable) {
						time.Sleep(time.Second)
						_, err = world.rt.Retry(ctx, "b", runtime.RequestID("retry"))
					}
					require.NoError(t, err)
					out, err := runtime.Result(ctx, world.rt, "b", code)
					require.NoError(t, err)
					require.Equal(t, 70, out)
					adopted := 0
					for _, e := range world.entries("b") {
						if e.Adopted != nil {
							adopted++
						}
					}
					require.Equal(t, 1+2*70+1, adopted)
					world.close()
					world.verify(code, do, pay)
				})
			})
		}
	}
}
