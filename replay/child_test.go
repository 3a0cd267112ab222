package replay_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/workflow"
)

var parcel = workflow.Declare[int, int]("parcel")

// childStarts says that a child exists.
func (w *world) childStarts(step history.Step) bool {
	w.t.Helper()
	return w.give(commands.NoteChildStarted{Run: w.state.Run.ID, Step: step, Chain: fmt.Sprint("chain", step)})
}

// childEnds says how a child has ended.
func (w *world) childEnds(step history.Step, status history.Status, o history.Outcome) bool {
	w.t.Helper()
	return w.give(commands.CloseChild{Run: w.state.Run.ID, Step: step, Last: "last", Status: status, Outcome: o})
}

func (w *world) childCompletes(step history.Step, result any) bool {
	w.t.Helper()
	p, err := history.Encode(result)
	require.NoError(w.t, err)
	return w.childEnds(step, history.StatusCompleted, history.Outcome{Result: p})
}

// childTold says that a child was asked to end.
func (w *world) childTold(step history.Step) bool {
	w.t.Helper()
	return w.give(commands.NoteChildCancelled{Run: w.state.Run.ID, Step: step})
}

func (w *world) childRefused(step history.Step, reason, message string) bool {
	w.t.Helper()
	return w.give(commands.RefuseChild{Run: w.state.Run.ID, Step: step, Reason: reason, Message: message})
}

func TestAChildIsAskedForStartedAndAwaited(t *testing.T) {
	w := yields(t, func(ctx workflow.Context) (all []string, err error) {
		f := workflow.BeginChild(ctx, parcel, 7)
		all = append(all, f.ID, fmt.Sprint(f.Ready()))
		if err := f.Started(ctx); err != nil {
			return nil, err
		}
		all = append(all, fmt.Sprint("started ", f.Ready()))
		v, err := f.Get(ctx)
		return append(all, fmt.Sprint(v, f.Started(ctx))), err
	})
	w.childStarts(1)
	w.childCompletes(1, 9)
	assert.Equal(t, []string{"w1~1.1", "false", "started false", "9 <nil>"}, result[[]string](w))
	assert.Equal(t, []string{"started", "child-asked 1", "child-started", "child-closed", "completed"}, w.kinds())
	asked := w.entries[1].Event.(*history.ChildAsked)
	assert.Equal(t, "parcel", asked.Type)
	assert.Equal(t, "7", string(asked.Input.Data))
	assert.Equal(t, history.CancelChild, asked.OnParentClose)
	assert.Equal(t, history.TryCancel, asked.OnCancel)
}

func TestAChildThatEndsBeforeItsStartIsNotedHasStarted(t *testing.T) {
	w := yields(t, func(ctx workflow.Context) (string, error) {
		f := workflow.BeginChild(ctx, parcel, 7)
		err := f.Started(ctx)
		return fmt.Sprint(err, f.Ready()), nil
	})
	w.childCompletes(1, 9)
	assert.Equal(t, "<nil> true", result[string](w))
}

func TestOptionsOfAChildAreRecorded(t *testing.T) {
	defined := workflow.Declare[int, int]("parcel", workflow.RunTimeout(time.Minute), workflow.Version(4), workflow.CorrelationID("c-1"))
	region := workflow.NewAttribute[string]("region")
	w := run(t, func(ctx workflow.Context) error {
		_, err := workflow.Child(ctx, defined, 7, workflow.ID("parcel-7"), workflow.OnParentClose(workflow.AbandonChild),
			workflow.OnCancel(activity.WaitCancelled), workflow.ExecutionTimeout(time.Hour), workflow.CorrelationID("c-9"),
			workflow.Memo("m", 1), region.Set("eu"), workflow.LimitKey("ann"), workflow.WhenFull(workflow.RefuseWhenFull))
		return err
	})
	want := &history.ChildAsked{
		Step: 1, ID: "parcel-7", Type: "parcel", Input: history.JSON([]byte("7")), OnParentClose: history.AbandonChild, OnCancel: history.WaitCancelled,
		RunTimeout: time.Minute, ExecutionTimeout: time.Hour, CorrelationID: "c-9", Memo: history.JSON([]byte(`{"m":1}`)),
		Attributes: history.JSON([]byte(`{"region":"eu"}`)), LimitKey: "ann", WhenFull: history.Refused,
	}
	assert.Equal(t, want, w.entries[1].Event, "the version of a definition is not that of the child")
	w = run(t, func(ctx workflow.Context) error {
		_, err := workflow.Child(ctx, defined, 7, workflow.Version(3))
		return err
	})
	assert.Equal(t, 3, w.entries[1].Event.(*history.ChildAsked).Version)
}

// sized is an input with a default.
type sized struct{ Size int }

func (s *sized) Defaults() {
	if s.Size == 0 {
		s.Size = 3
	}
}

func TestDefaultsOfAChildsInputAreFilledIn(t *testing.T) {
	w := run(t, func(ctx workflow.Context) error {
		_, err := workflow.Child(ctx, workflow.Declare[sized, int]("sized"), sized{})
		return err
	})
	assert.JSONEq(t, `{"Size":3}`, string(w.entries[1].Event.(*history.ChildAsked).Input.Data))
}

func TestWhatNoChildCanBeIsNotBegun(t *testing.T) {
	long := strings.Repeat("x", 201)
	for what, c := range map[string]struct {
		opts []workflow.ChildOption
		want string
	}{
		"id":                {[]workflow.ChildOption{workflow.ID(long)}, "the workflow id of a child is invalid"},
		"control character": {[]workflow.ChildOption{workflow.ID("a\nb")}, "want no control characters"},
		"correlation id":    {[]workflow.ChildOption{workflow.CorrelationID(long)}, "CorrelationID is invalid"},
		"parent close":      {[]workflow.ChildOption{workflow.OnParentClose("explode")}, `OnParentClose is invalid: "explode", want CancelChild, TerminateChild or AbandonChild`},
		"cancel":            {[]workflow.ChildOption{workflow.OnCancel("explode")}, `OnCancel is invalid: "explode", want TryCancel, WaitCancelled or LeaveRunning`},
		"run timeout":       {[]workflow.ChildOption{workflow.RunTimeout(-1)}, "RunTimeout is invalid"},
		"execution timeout": {[]workflow.ChildOption{workflow.ExecutionTimeout(-1)}, "ExecutionTimeout is invalid"},
		"version":           {[]workflow.ChildOption{workflow.Version(0)}, `Version is invalid: "0", want 1 or more`},
		"memo":              {[]workflow.ChildOption{workflow.Memo("m", func() {})}, "Memo is invalid"},
		"large memo":        {[]workflow.ChildOption{workflow.Memo("m", strings.Repeat("x", 17<<10))}, "want at most 16 KiB"},
		"headers":           {[]workflow.ChildOption{workflow.Header("h", strings.Repeat("x", 9<<10))}, "the headers is invalid"},
		"attribute":         {[]workflow.ChildOption{workflow.NewAttribute[string](strings.Repeat("a", 65)).Set("x")}, "want at most 64 bytes"},
	} {
		t.Run(what, func(t *testing.T) {
			var got error
			w := run(t, func(ctx workflow.Context) error {
				f := workflow.BeginChild(ctx, parcel, 1, c.opts...)
				_, got = f.Get(ctx)
				if started := f.Started(ctx); started == nil || started.Error() != got.Error() || f.ID != "" {
					return fmt.Errorf("%v, %q", started, f.ID)
				}
				return nil
			})
			assert.ErrorIs(t, got, commands.ErrInvalid)
			assert.ErrorContains(t, got, "child parcel was not begun")
			assert.ErrorContains(t, got, c.want)
			assert.Equal(t, []string{"started", "completed"}, w.kinds())
		})
	}
	w := run(t, func(ctx workflow.Context) error {
		_, err := workflow.Child(ctx, workflow.Type[int, int]{}, 1)
		return err
	})
	assert.ErrorContains(t, w.err, "workflow.Define")
	w = run(t, func(ctx workflow.Context) error {
		_, err := workflow.Child(ctx, workflow.Declare[chan int, int]("odd"), nil)
		return err
	})
	assert.ErrorContains(t, w.failure(), "child odd was not begun")
}

func TestNoChildIsBegunInAScopeThatHasEnded(t *testing.T) {
	w := run(t, func(ctx workflow.Context) error {
		ended, cancel := workflow.WithCancel(ctx)
		cancel()
		f := workflow.BeginChild(ended, parcel, 1)
		return errors.Join(f.Started(ctx), ctx.Err())
	})
	assert.ErrorIs(t, w.failure(), workflow.ErrCancelled)
	assert.Equal(t, []string{"started", "failed"}, w.kinds())
}

func TestHowAChildEndedReachesTheWorkflow(t *testing.T) {
	gone := activity.NewError("gone", "gone for good")
	for what, c := range map[string]struct {
		status history.Status
		o      history.Outcome
		is     error
		want   string
	}{
		"failed":     {history.StatusFailed, history.Outcome{Failure: activity.Record(fmt.Errorf("looking: %w", gone)).Payload()}, gone, "workflow w1~1.1 (parcel) failed: looking: gone for good"},
		"cancelled":  {history.StatusCancelled, history.Outcome{Failure: activity.Record(errors.New("oh")).Payload()}, workflow.ErrCancelled, "workflow w1~1.1 (parcel) cancelled: oh"},
		"terminated": {history.StatusTerminated, history.Outcome{Reason: "by hand"}, nil, "workflow w1~1.1 (parcel) terminated: by hand"},
		"timed out":  {history.StatusTimedOut, history.Outcome{Reason: "run"}, workflow.ErrTimeout, "workflow w1~1.1 (parcel) timed-out: the limit is run"},
	} {
		t.Run(what, func(t *testing.T) {
			var got error
			w := run(t, func(ctx workflow.Context) error {
				_, got = workflow.Child(ctx, parcel, 1)
				return nil
			})
			w.childStarts(1)
			w.childEnds(1, c.status, c.o)
			var e *workflow.Error
			require.ErrorAs(t, got, &e)
			assert.EqualError(t, got, c.want)
			assert.Equal(t, query.Status(c.status), e.Status)
			assert.Equal(t, []string{"w1~1.1", "last", "parcel"}, []string{e.ID, e.Run, e.Type})
			if c.is != nil {
				assert.ErrorIs(t, got, c.is)
			}
		})
	}
}

func TestARefusedChildIsAnErrorAndNotAStall(t *testing.T) {
	for reason, is := range map[string]error{
		history.RefusedRunning: workflow.ErrAlreadyRunning, history.RefusedExists: workflow.ErrAlreadyExists, history.RefusedInvalid: commands.ErrInvalid,
	} {
		var got, started error
		w := run(t, func(ctx workflow.Context) error {
			f := workflow.BeginChild(ctx, parcel, 1, workflow.ID("taken"))
			started = f.Started(ctx)
			_, got = f.Get(ctx)
			return nil
		})
		w.childRefused(1, reason, "as run x")
		assert.ErrorIs(t, got, is)
		assert.ErrorIs(t, started, is)
		assert.ErrorContains(t, got, "child taken: ")
		assert.ErrorContains(t, got, "as run x")
		assert.Equal(t, history.StatusCompleted, w.state.Status)
	}
}

func TestCancelOfABegunChildIsByItsOption(t *testing.T) {
	code := func(how activity.Cancel) func(workflow.Context) (string, error) {
		return func(ctx workflow.Context) (string, error) {
			v, err := workflow.Child(ctx, parcel, 1, workflow.OnCancel(how))
			if _, err := workflow.Do(workflow.WithoutCancel(ctx), work, 2); err != nil { // cleaning up
				return "", err
			}
			return fmt.Sprint(v, err), nil
		}
	}
	t.Run("TryCancel", func(t *testing.T) {
		w := yields(t, code(activity.TryCancel))
		w.childStarts(1)
		w.cancel()
		w.childTold(1)
		assert.False(t, w.childCompletes(1, 7), "the code waits for it no more")
		w.complete(2, 0)
		assert.Equal(t, "0 cancelled", result[string](w))
		assert.Equal(t, []string{
			"started", "child-asked 1", "child-started", "cancel-requested", "child-cancel-requested 1", "activity-scheduled 2", "child-cancel-delivered",
			"activity-completed 2", "completed",
		}, w.kinds())
	})
	t.Run("LeaveRunning", func(t *testing.T) {
		w := yields(t, code(activity.LeaveRunning))
		w.childStarts(1)
		w.cancel()
		w.childCompletes(1, 7)
		w.complete(2, 0)
		assert.Equal(t, "0 cancelled", result[string](w))
	})
	t.Run("WaitCancelled and it ends", func(t *testing.T) {
		w := yields(t, code(activity.WaitCancelled))
		w.childStarts(1)
		w.cancel()
		w.childTold(1)
		w.childEnds(1, history.StatusCancelled, history.Outcome{Failure: activity.Record(workflow.ErrCancelled).Payload()})
		w.complete(2, 0)
		assert.Equal(t, "0 workflow w1~1.1 (parcel) cancelled: cancelled", result[string](w))
	})
	t.Run("WaitCancelled and it completes", func(t *testing.T) {
		w := yields(t, code(activity.WaitCancelled))
		w.cancel()
		w.childCompletes(1, 7)
		w.complete(2, 0)
		assert.Equal(t, "7 <nil>", result[string](w))
	})
	t.Run("WaitCancelled and it cannot be started", func(t *testing.T) {
		w := yields(t, code(activity.WaitCancelled))
		w.cancel()
		w.childRefused(1, history.RefusedRunning, "")
		w.complete(2, 0)
		assert.Equal(t, "0 workflow taken", strings.ReplaceAll(result[string](w), "w1~1.1 (parcel) : child w1~1.1: clew: the execution is already running", "taken"))
	})
}

func TestCancelOfAChildThatHasEndedLeavesNoEntry(t *testing.T) {
	w := run(t, func(ctx workflow.Context) error {
		within, cancel := workflow.WithCancel(ctx)
		workflow.BeginChild(within, parcel, 1)
		if _, err := poke.Receive(ctx); err != nil {
			return err
		}
		cancel()
		_, err := halt.Receive(ctx)
		return err
	})
	w.foreign(&history.Signaled{Name: "poke", Value: history.JSON([]byte("1"))}, &history.ChildClosed{Step: 1, Status: history.StatusCompleted})
	w.recall()
	assert.Equal(t, []string{"started", "child-asked 1", "signaled", "child-closed", "told"}, w.kinds())
	w.signal(halt.With(1))
	assert.Equal(t, history.StatusCompleted, w.state.Status)
}

func TestARunAwaitsTheStartOfWhatItAbandons(t *testing.T) {
	abandon := workflow.OnParentClose(workflow.AbandonChild)
	t.Run("not started", func(t *testing.T) {
		w := run(t, func(ctx workflow.Context) error {
			workflow.BeginChild(ctx, parcel, 1, abandon)
			workflow.BeginChild(ctx, parcel, 2) // its end is the parent's to decide
			workflow.BeginChild(ctx, parcel, 3, abandon)
			return nil
		})
		require.True(t, w.state.Open())
		assert.NoError(t, w.machine.Deadlock())
		w.childStarts(3)
		require.True(t, w.state.Open())
		w.childStarts(1)
		assert.Equal(t, []string{"started", "child-asked 1", "child-asked 2", "child-asked 3", "child-started", "child-started", "completed"}, w.kinds())
	})
	t.Run("refused", func(t *testing.T) {
		w := run(t, func(ctx workflow.Context) error {
			workflow.BeginChild(ctx, parcel, 1, abandon)
			return errors.New("oh")
		})
		require.True(t, w.state.Open(), "a run that fails awaits them too")
		w.childRefused(1, history.RefusedExists, "")
		assert.EqualError(t, w.failure(), "oh")
	})
	t.Run("nothing else runs meanwhile", func(t *testing.T) {
		w := run(t, func(ctx workflow.Context) error {
			within, cancel := workflow.WithCancel(ctx)
			workflow.Go(ctx, func(ctx workflow.Context) {
				_, _ = poke.Receive(ctx)
				workflow.BeginChild(ctx, parcel, 3, abandon)
				cancel()
			})
			workflow.BeginChild(within, parcel, 1, abandon)
			workflow.BeginChild(ctx, parcel, 2, abandon)
			return nil
		})
		w.childStarts(1)
		w.signal(poke.With(1))
		w.childStarts(2)
		require.Equal(t, []string{"started", "child-asked 1", "child-asked 2", "child-started", "signaled", "child-started", "completed"}, w.kinds())
		assert.Equal(t, []uint64{5}, w.entries[6].Event.(*history.Completed).Unread, "what came after the code had returned was received by nobody")
	})
	t.Run("a wish to end that comes too late is not told", func(t *testing.T) {
		w := run(t, func(ctx workflow.Context) error {
			workflow.BeginChild(ctx, parcel, 1, abandon)
			return nil
		})
		w.cancel()
		assert.NotNil(t, w.machine.Late())
		w.childStarts(1)
		assert.Equal(t, []string{"started", "child-asked 1", "cancel-requested", "child-started", "completed"}, w.kinds())
	})
	t.Run("given up before it started", func(t *testing.T) {
		w := run(t, func(ctx workflow.Context) error {
			within, cancel := workflow.WithCancel(ctx)
			workflow.BeginChild(within, parcel, 1, abandon)
			cancel()
			return nil
		})
		require.True(t, w.state.Open(), "nobody would end it")
		assert.NoError(t, w.machine.Deadlock())
		w.childStarts(1)
		require.True(t, w.state.Open())
		w.childTold(1)
		assert.Equal(t, []string{"started", "child-asked 1", "child-cancel-requested 1", "child-started", "child-cancel-delivered", "completed"}, w.kinds())
	})
	t.Run("given up and refused", func(t *testing.T) {
		w := run(t, func(ctx workflow.Context) error {
			within, cancel := workflow.WithCancel(ctx)
			workflow.BeginChild(within, parcel, 1, abandon)
			cancel()
			return nil
		})
		w.childRefused(1, history.RefusedExists, "")
		assert.Equal(t, []string{"started", "child-asked 1", "child-cancel-requested 1", "child-cancel-delivered", "completed"}, w.kinds())
	})
	t.Run("given up and ended", func(t *testing.T) {
		w := run(t, func(ctx workflow.Context) error {
			_, err := workflow.Child(ctx, parcel, 1, abandon, workflow.OnCancel(activity.WaitCancelled))
			return err
		})
		w.childStarts(1)
		w.cancel()
		w.childCompletes(1, 3)
		assert.Equal(t, history.StatusCompleted, w.state.Status)
	})
	t.Run("the run is cancelled", func(t *testing.T) {
		w := run(t, func(ctx workflow.Context) error {
			_, err := workflow.Child(ctx, parcel, 1, abandon, workflow.OnCancel(activity.LeaveRunning))
			return err
		})
		w.cancel()
		require.True(t, w.state.Open(), "what is left running has to be started")
		w.childStarts(1)
		assert.Equal(t, history.StatusCancelled, w.state.Status)
	})
}

func TestAChildThatIsAwaitedIsNoDeadlock(t *testing.T) {
	w := run(t, func(ctx workflow.Context) error {
		f := workflow.BeginChild(ctx, parcel, 1)
		if err := f.Started(ctx); err != nil {
			return err
		}
		_, err := f.Get(ctx)
		return err
	})
	assert.NoError(t, w.machine.Deadlock())
	w.childStarts(1)
	assert.NoError(t, w.machine.Deadlock())
	w.childCompletes(1, 1)
	assert.NoError(t, w.machine.Deadlock())
}

func TestAChildIsACase(t *testing.T) {
	w := yields(t, func(ctx workflow.Context) (string, error) {
		a, b := workflow.BeginChild(ctx, parcel, 1), workflow.BeginChild(ctx, parcel, 2)
		got, err := workflow.Select(ctx, a, b)
		return name(got, map[workflow.Case]string{a: "a", b: "b"}), err
	})
	w.childStarts(1)
	w.childCompletes(2, 1)
	assert.Equal(t, "b", result[string](w))
}

func TestAChildsGateAndInputAreHeld(t *testing.T) {
	two := func(a, b int, opts ...workflow.ChildOption) shopFn {
		return func(ctx workflow.Context, _ int) (int, error) {
			fa := workflow.BeginChild(ctx, parcel, a, opts...)
			fb := workflow.BeginChild(ctx, parcel, b)
			_, _ = fa.Get(ctx)
			return fb.Get(ctx)
		}
	}
	w := begin(t, two(1, 2), 0)
	w.childCompletes(2, 0)
	got := held(w, replay.Names, two(2, 1))
	require.NotNil(t, got)
	assert.Equal(t, "child parcel (step 1) is called with the input of step 2, so the order has changed", got.Why)
	assert.Nil(t, held(w, replay.Names, two(1, 3)))
	got = held(w, replay.Strict, two(1, 3))
	require.NotNil(t, got)
	assert.Equal(t, "child parcel (step 2) is called with another input: recorded is 2, asked 3", got.Why)
	assert.Equal(t, "child w1~1.2 (parcel), step 2, input 2", got.Recorded)
	assert.Equal(t, "child w1~1.2 (parcel), step 2, input 3", got.Asked)
	assert.Nil(t, held(w, replay.Names, two(1, 2, workflow.ID("x"))), "another id passes with a warning")
	got = held(w, replay.Strict, two(1, 2, workflow.ID("x")))
	require.NotNil(t, got)
	assert.Equal(t, "the code asks for a child parcel with the id x, recorded is w1~1.1 (step 1)", got.Why)
}

func TestChildrenInAnotherOrderNeverPass(t *testing.T) {
	for _, in := range []map[string]int{{"east": 1, "west": 2}, {"east": 1, "west": 1}} {
		two := func(a, b string) shopFn {
			return func(ctx workflow.Context, _ int) (int, error) {
				fa := workflow.BeginChild(ctx, parcel, in[a], workflow.ID(a))
				fb := workflow.BeginChild(ctx, parcel, in[b], workflow.ID(b))
				_, _ = fa.Get(ctx)
				return fb.Get(ctx)
			}
		}
		w := begin(t, two("east", "west"), 0)
		w.childCompletes(2, 0)
		got := held(w, replay.Names, two("west", "east"))
		require.NotNil(t, got, "the result of one child would reach the asker of the other")
		assert.Equal(t, "the code asks for a child parcel with the id west, recorded is east (step 1): it is the id of step 2, so the order has changed", got.Why)
	}
}
