package replay_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/workflow"
)

var (
	charge = activity.Define("charge", func(context.Context, int) (int, error) { return 0, nil })
	debit  = activity.Define("debit", func(context.Context, int) (int, error) { return 0, nil })
	ship   = activity.Define("ship", func(context.Context, int) (int, error) { return 0, nil })
	poke   = workflow.NewSignal[int]("poke")
	halt   = workflow.NewSignal[int]("halt")
)

// shop charges, waits an hour, ships.
func shop(ctx workflow.Context, n int) (int, error) {
	if _, err := workflow.Do(ctx, charge, n); err != nil {
		return 0, err
	}
	if err := workflow.Sleep(ctx, time.Hour); err != nil {
		return 0, err
	}
	return workflow.Do(ctx, ship, n)
}

func shopped(t *testing.T) *world {
	w := begin(t, shop, 7)
	w.complete(1, 1)
	w.pass(time.Hour)
	w.complete(3, 3)
	require.Equal(t, 3, result[int](w))
	return w
}

type shopFn = func(workflow.Context, int) (int, error)

// core is what of a mismatch is neither prose nor a place.
func core(m *replay.Mismatch) replay.Mismatch {
	return replay.Mismatch{Seq: m.Seq, Change: m.Change, Recorded: m.Recorded, Asked: m.Asked, Agreed: m.Agreed}
}

// changes are what may be done to the code of shop, by name, and what is said of each.
var changes = map[string]struct {
	code  shopFn
	level replay.Level
	want  replay.Mismatch
}{
	"another-kind": {
		code: func(ctx workflow.Context, n int) (int, error) { return 0, workflow.Sleep(ctx, time.Minute) },
		want: replay.Mismatch{Seq: 2, Change: replay.Removed, Recorded: "activity charge, step 1, input 7", Asked: "timer of 1m0s, step 1", Agreed: 1},
	},
	"another-name": {
		code: func(ctx workflow.Context, n int) (int, error) {
			_, _ = workflow.Do(ctx, debit, n)
			_ = workflow.Sleep(ctx, time.Hour)
			return workflow.Do(ctx, ship, n)
		},
		want: replay.Mismatch{Seq: 2, Change: replay.Replaced, Recorded: "activity charge, step 1, input 7", Asked: "activity debit, step 1, input 7", Agreed: 1},
	},
	"another-input": {
		code: func(ctx workflow.Context, n int) (int, error) {
			_, _ = workflow.Do(ctx, charge, n+1)
			_ = workflow.Sleep(ctx, time.Hour)
			return workflow.Do(ctx, ship, n)
		},
		level: replay.Strict,
		want:  replay.Mismatch{Seq: 2, Change: replay.Changed, Recorded: "activity charge, step 1, input 7", Asked: "activity charge, step 1, input 8", Agreed: 1},
	},
	"another-duration": {
		code: func(ctx workflow.Context, n int) (int, error) {
			_, _ = workflow.Do(ctx, charge, n)
			_ = workflow.Sleep(ctx, time.Minute)
			return workflow.Do(ctx, ship, n)
		},
		level: replay.Strict,
		want:  replay.Mismatch{Seq: 4, Change: replay.Changed, Recorded: "timer of 1h0m0s, step 2", Asked: "timer of 1m0s, step 2", Agreed: 3},
	},
	"another-result": {
		code: func(ctx workflow.Context, n int) (int, error) {
			v, err := shop(ctx, n)
			return v + 1, err
		},
		level: replay.Strict,
		want:  replay.Mismatch{Seq: 8, Change: replay.Changed, Recorded: "complete with 3", Asked: "complete with 4", Agreed: 7},
	},
	"failing-instead": {
		code: func(ctx workflow.Context, n int) (int, error) {
			_, _ = shop(ctx, n)
			return 0, errors.New("oh")
		},
		want: replay.Mismatch{Seq: 8, Change: replay.Replaced, Recorded: "complete with 3", Asked: "fail with oh", Agreed: 7},
	},
	"added": {
		code: func(ctx workflow.Context, n int) (int, error) {
			_, _ = workflow.Do(ctx, charge, n)
			_, _ = workflow.Do(ctx, debit, n)
			_ = workflow.Sleep(ctx, time.Hour)
			return workflow.Do(ctx, ship, n)
		},
		want: replay.Mismatch{Seq: 4, Change: replay.Added, Recorded: "timer of 1h0m0s, step 2", Asked: "activity debit, step 2, input 7", Agreed: 3},
	},
	"added-in-the-same-turn": {
		code: func(ctx workflow.Context, n int) (int, error) {
			workflow.Begin(ctx, debit, n)
			return shop(ctx, n)
		},
		want: replay.Mismatch{Seq: 2, Change: replay.Added, Recorded: "activity charge, step 1, input 7", Asked: "activity debit, step 1, input 7", Agreed: 1},
	},
	"added-behind-all-of-a-turn": {
		code: func(ctx workflow.Context, n int) (int, error) {
			f := workflow.Begin(ctx, charge, n)
			workflow.Begin(ctx, debit, n)
			_, _ = f.Get(ctx)
			_ = workflow.Sleep(ctx, time.Hour)
			return workflow.Do(ctx, ship, n)
		},
		want: replay.Mismatch{Seq: 2, Change: replay.Added, Asked: "activity debit, step 2, input 7", Agreed: 1},
	},
	"added-before-the-end": {
		code: func(ctx workflow.Context, n int) (int, error) {
			v, err := shop(ctx, n)
			workflow.Begin(ctx, debit, n)
			return v, err
		},
		want: replay.Mismatch{Seq: 8, Change: replay.Added, Recorded: "complete with 3", Asked: "activity debit, step 4, input 7", Agreed: 7},
	},
	"removed": {
		code: func(ctx workflow.Context, n int) (int, error) {
			_, _ = workflow.Do(ctx, charge, n)
			return workflow.Do(ctx, ship, n)
		},
		want: replay.Mismatch{Seq: 4, Change: replay.Removed, Recorded: "timer of 1h0m0s, step 2", Asked: "activity ship, step 2, input 7", Agreed: 3},
	},
	"removed-and-waiting": {
		code: func(ctx workflow.Context, n int) (int, error) {
			_, err := workflow.Do(ctx, charge, n)
			_, _ = poke.Receive(ctx)
			return 0, err
		},
		want: replay.Mismatch{Seq: 4, Change: replay.Removed, Recorded: "timer of 1h0m0s, step 2", Agreed: 3},
	},
	"not-ending": {
		code: func(ctx workflow.Context, n int) (int, error) {
			v, _ := shop(ctx, n)
			return v, workflow.Await(ctx, func() bool { return false })
		},
		want: replay.Mismatch{Seq: 8, Change: replay.Removed, Recorded: "complete with 3", Agreed: 7},
	},
	"ending-early": {
		code: func(ctx workflow.Context, n int) (int, error) { return 9, nil },
		want: replay.Mismatch{Seq: 2, Change: replay.Removed, Recorded: "activity charge, step 1, input 7", Asked: "complete with 9", Agreed: 1},
	},
	"moved": {
		code: func(ctx workflow.Context, n int) (int, error) {
			_ = workflow.Sleep(ctx, time.Hour)
			_, _ = workflow.Do(ctx, charge, n)
			return workflow.Do(ctx, ship, n)
		},
		want: replay.Mismatch{Seq: 2, Change: replay.Moved, Recorded: "activity charge, step 1, input 7", Asked: "timer of 1h0m0s, step 1", Agreed: 1},
	},
	"moved-far": {
		code: func(ctx workflow.Context, n int) (int, error) {
			_, _ = workflow.Do(ctx, ship, n)
			_, _ = workflow.Do(ctx, charge, n)
			return n, workflow.Sleep(ctx, time.Hour)
		},
		want: replay.Mismatch{Seq: 2, Change: replay.Moved, Recorded: "activity charge, step 1, input 7", Asked: "activity ship, step 1, input 7", Agreed: 1},
	},
}

func TestCodeThatPartsFromACompletedHistoryIsFound(t *testing.T) {
	w := shopped(t)
	for name, c := range changes {
		t.Run(name, func(t *testing.T) {
			got := held(w, c.level, c.code)
			require.NotNil(t, got)
			assert.Equal(t, c.want, core(got))
			if strings.HasPrefix(got.Asked, "activity") || strings.HasPrefix(got.Asked, "timer") {
				assert.Regexp(t, `mismatch_test\.go:\d+ \(github\.com/clewflow/clew/replay_test\.`, got.Place)
			}
			golden(t, "testdata/mismatch/"+name+".txt", wherever.ReplaceAllString(got.Error(), "in code   shop.go:7"))
			assert.Nil(t, held(w, replay.Strict, func(ctx workflow.Context, n int) (int, error) {
				if workflow.Patched(ctx, got.Gate) {
					return c.code(ctx, n)
				}
				return shop(ctx, n)
			}), "the gate helps")
		})
	}
}

func TestAChangedChildIsExplained(t *testing.T) {
	sending := func(n int, opts ...workflow.ChildOption) shopFn {
		return func(ctx workflow.Context, _ int) (int, error) { return workflow.Child(ctx, parcel, n, opts...) }
	}
	w := begin(t, sending(1), 0)
	w.childStarts(1)
	w.childCompletes(1, 2)
	for name, code := range map[string]shopFn{"another-child-input": sending(3), "another-child-id": sending(1, workflow.ID("x"))} {
		got := held(w, replay.Strict, code)
		require.NotNil(t, got)
		assert.Equal(t, replay.Changed, got.Change)
		golden(t, "testdata/mismatch/"+name+".txt", wherever.ReplaceAllString(got.Error(), "in code   shop.go:7"))
	}
}

var wherever = regexp.MustCompile(`in code   .*`)

var update = flag.Bool("update", false, "write golden files instead of comparing with them")

// golden holds a text against that in a file.
func golden(t *testing.T, file, text string) {
	t.Helper()
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(text+"\n"), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, strings.ReplaceAll(string(want), "\r\n", "\n"), text+"\n")
}

func TestStepsInAnotherOrderAreAMismatch(t *testing.T) {
	w := run(t, func(ctx workflow.Context) error {
		timer := workflow.NewTimer(ctx, time.Hour)
		other := workflow.NewTimer(ctx, 2*time.Hour)
		if _, err := poke.Receive(ctx); err != nil {
			return err
		}
		timer.Stop()
		return other.Wait(ctx)
	})
	w.signal(poke.With(1))
	got := held(w, replay.Names, workflow.NoResult(func(ctx workflow.Context, _ workflow.None) error {
		timer := workflow.NewTimer(ctx, time.Hour)
		other := workflow.NewTimer(ctx, 2*time.Hour)
		if _, err := poke.Receive(ctx); err != nil {
			return err
		}
		other.Stop()
		return timer.Wait(ctx)
	}))
	require.NotNil(t, got)
	assert.Equal(t, "the code now stops the timer of step 2, where the history stops the timer of step 1", got.Why)
	assert.Equal(t, "stop timer of step 1", got.Recorded)
	assert.Equal(t, "stop timer of step 2", got.Asked)
}

// TestMismatchIsJSON: the names of the fields are a promise.
func TestMismatchIsJSON(t *testing.T) {
	got := held(shopped(t), changes["added"].level, changes["added"].code)
	require.NotNil(t, got)
	got.Place = "shop.go:7"
	data, err := json.MarshalIndent(got, "", "  ")
	require.NoError(t, err)
	golden(t, "testdata/mismatch/added.json", string(data))
}

func TestChangedValuesPassWithAWarning(t *testing.T) {
	w := shopped(t)
	code := codeOf(func(ctx workflow.Context, n int) (int, error) {
		_, _ = workflow.Do(ctx, charge, n+1)
		_ = workflow.Sleep(ctx, time.Minute)
		v, err := workflow.Do(ctx, ship, n)
		return v + 1, err
	})
	m, err := replay.Remember(replay.Config{Code: code}, w.entries)
	require.NoError(t, err)
	defer m.Stop()
	assert.Equal(t, []string{
		"activity charge (step 1) is called with another input",
		"the code asks for a timer of 1m0s, recorded is one of 1h0m0s (step 2)",
		"the code returns another result",
	}, m.Warnings())
}

func TestInputOfAnotherOpenStepNeverPasses(t *testing.T) {
	both := func(a, b int) func(workflow.Context, int) (int, error) {
		return func(ctx workflow.Context, _ int) (int, error) {
			fa, fb := workflow.Begin(ctx, charge, a), workflow.Begin(ctx, charge, b)
			_, _ = fa.Get(ctx)
			return fb.Get(ctx)
		}
	}
	w := begin(t, both(1, 2), 0)
	w.complete(2, 0)
	got := held(w, replay.Names, both(2, 1))
	require.NotNil(t, got)
	assert.Equal(t, "activity charge (step 1) is called with the input of step 2, so the order has changed", got.Why)
	assert.Nil(t, held(w, replay.Names, both(1, 3)), "an input that is nobody else's has only changed")
}

func TestAskingMoreIsFoundOnlyBelowTheMark(t *testing.T) {
	w := begin(t, shop, 7)
	w.foreign(&history.CancelRequested{}, &history.Signaled{Name: "poke"})
	got := held(w, replay.Strict, func(ctx workflow.Context, n int) (int, error) {
		workflow.Begin(ctx, charge, n)
		_, _ = poke.Receive(workflow.WithoutCancel(ctx))
		return shop(workflow.WithoutCancel(ctx), n)
	})
	assert.Nil(t, got, "nobody has recorded yet what the code answers to those inputs")
	w.recall()
}

func TestVerifyNamesAWorkflowWithoutCode(t *testing.T) {
	w := shopped(t)
	err := replay.Verify(func(string, int) workflow.Code { return nil }, replay.Names, w.entries)
	assert.EqualError(t, err, "replay: no code for workflow test")
	err = replay.Verify(w.codes, replay.Names, w.entries[1:])
	assert.EqualError(t, err, "replay: entry 2 is activity-scheduled, a run begins with started")
}

func TestVerifyHoldsEachRunOfAHistory(t *testing.T) {
	w := shopped(t)
	w.machine = replay.New(w.config)
	again := start(t, 7)
	again.Run = "run2"
	w.give(again)
	w.complete(1, 1)
	require.NoError(t, replay.Verify(w.codes, replay.Strict, w.entries))
	w.push(w.entry(&history.TimerStarted{Step: 9, After: time.Hour}))
	var m *replay.Mismatch
	require.ErrorAs(t, replay.Verify(w.codes, replay.Strict, w.entries), &m)
	assert.EqualValues(t, 13, m.Seq)
	w.err = m // this history is wrong on purpose
}

func TestCancelsAndFailuresAreHeldToo(t *testing.T) {
	w := run(t, func(ctx workflow.Context) error {
		f := workflow.Begin(ctx, charge, 1)
		if _, err := f.Get(ctx); err != nil {
			return err
		}
		return nil
	})
	w.cancel()
	assert.Equal(t, history.StatusCancelled, w.state.Status)
	leave := workflow.NoResult(func(ctx workflow.Context, _ workflow.None) error {
		_, err := workflow.Do(ctx, charge, 1, activity.OnCancel(activity.LeaveRunning))
		return err
	})
	got := held(w, replay.Names, leave)
	require.NotNil(t, got)
	assert.Equal(t, "cancel activity of step 1", got.Recorded)
	assert.Equal(t, "end as cancelled", got.Asked)
	failing := workflow.NoResult(func(ctx workflow.Context, _ workflow.None) error {
		_, _ = workflow.Do(ctx, charge, 1)
		return errors.New("oh")
	})
	got = held(w, replay.Names, failing)
	require.NotNil(t, got)
	assert.Equal(t, "end as cancelled", got.Recorded)
	assert.Equal(t, "fail with oh", got.Asked)
}
