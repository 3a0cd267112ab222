package replay_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/workflow"
)

// finds answers a lookup.
func (w *world) finds(step history.Step, rows ...query.Row) bool {
	w.t.Helper()
	p, err := history.Encode(append([]query.Row{}, rows...))
	require.NoError(w.t, err)
	return w.give(commands.AnswerFind{Run: w.state.Run.ID, Step: step, Found: uint64(len(rows)), Position: 7, Rows: p})
}

func (w *world) counts(step history.Step, n uint64) bool {
	w.t.Helper()
	return w.give(commands.AnswerFind{Run: w.state.Run.ID, Step: step, Found: n, Position: 7})
}

func (w *world) refusesFind(step history.Step, reason string) bool {
	w.t.Helper()
	return w.give(commands.AnswerFind{Run: w.state.Run.ID, Step: step, Refused: reason, Message: "because"})
}

var orders = query.Query{Type: "order", Last: 24 * time.Hour}

func TestTheCodeIsGivenWhatWasFound(t *testing.T) {
	row := query.Row{Namespace: "ns", ID: "order-1", Run: "r-1", Type: "order", Number: 1, Status: query.Failed, Started: dawn, Attributes: map[string]any{"total": int64(7)}}
	var rows, none []query.Row
	n := 0
	w := run(t, func(ctx workflow.Context) (err error) {
		if rows, err = workflow.Find(ctx, orders); err != nil {
			return err
		}
		if none, err = workflow.Find(ctx, query.Query{Type: "daily"}); err != nil {
			return err
		}
		n, err = workflow.Count(ctx, query.Query{})
		return err
	})
	assert.NoError(t, w.machine.Deadlock())
	assert.Equal(t, &history.FindAsked{Step: 1, Query: history.JSON([]byte(`{"type":"order","last":"24h0m0s"}`))}, w.entries[1].Event)
	w.finds(1, row)
	assert.Equal(t, []query.Row{row}, rows)
	w.finds(2)
	assert.Equal(t, []query.Row{}, none, "no rows is an answer")
	assert.Equal(t, &history.FindAsked{Step: 3, Query: history.JSON([]byte(`{}`)), Count: true}, w.entries[5].Event)
	w.counts(3, 12)
	assert.Equal(t, 12, n)
	assert.False(t, w.counts(3, 13), "an answer that comes second changes nothing")
	assert.Equal(t, history.StatusCompleted, w.state.Status)
}

func TestACountOfNoneIsAnAnswer(t *testing.T) {
	w := yields(t, func(ctx workflow.Context) (int, error) { return workflow.Count(ctx, orders) })
	w.counts(1, 0)
	assert.Zero(t, result[int](w))
}

func TestWhyALookupHasNoAnswerReachesTheCode(t *testing.T) {
	for reason, is := range map[string]error{
		history.RefusedTooMany: workflow.ErrTooManyRows, history.RefusedTooLarge: commands.ErrTooLarge, history.RefusedTooLong: query.ErrTooLong,
		history.RefusedInvalid: commands.ErrInvalid,
	} {
		var find, count error
		w := run(t, func(ctx workflow.Context) error {
			_, find = workflow.Find(ctx, orders)
			_, count = workflow.Count(ctx, orders)
			return nil
		})
		w.refusesFind(1, reason)
		w.refusesFind(2, reason)
		assert.ErrorIs(t, find, is)
		assert.ErrorIs(t, count, is)
		assert.ErrorContains(t, find, "the lookup has no answer")
		assert.ErrorContains(t, find, "because")
	}
}

func TestAWrongQuestionIsAnErrorAtOnce(t *testing.T) {
	var errs []error
	w := untold(t, replay.Config{MaxPayload: 100, Code: codeOf(func(ctx workflow.Context, _ int) (int, error) {
		ended, cancel := workflow.WithCancel(ctx)
		cancel()
		for _, q := range []query.Query{{Where: "statsu = failed"}, {Limit: -1}, {After: "x"}, {Order: "colour"}} {
			_, err := workflow.Find(ctx, q)
			errs = append(errs, err)
			_, err = workflow.Count(ctx, q)
			errs = append(errs, err)
		}
		_, large := workflow.Find(ctx, query.Query{ID: strings.Repeat("x", 100)})
		_, late := workflow.Find(ended, orders)
		errs = append(errs, large, late)
		return 0, nil
	})})
	w.give(start(t, 1))
	for i, err := range errs[:8] {
		assert.ErrorIs(t, err, commands.ErrInvalid, i)
		assert.ErrorIs(t, err, query.ErrInvalid, i)
	}
	assert.ErrorContains(t, errs[0], "did you mean status?")
	assert.ErrorIs(t, errs[8], commands.ErrTooLarge)
	assert.ErrorIs(t, errs[9], workflow.ErrCancelled)
	assert.Equal(t, []string{"started", "completed"}, w.kinds(), "nothing is asked that has no answer")
}

func TestALookupEndsWithItsScope(t *testing.T) {
	w := yields(t, func(ctx workflow.Context) (string, error) {
		_, err := workflow.Find(ctx, orders)
		_, again := workflow.Do(workflow.WithoutCancel(ctx), work, 1)
		return fmt.Sprint(err, again), nil
	})
	w.cancel()
	assert.Equal(t, []string{"started", "find-asked 1", "cancel-requested", "activity-scheduled 2"}, w.kinds())
	w.finds(1) // nobody waits for it
	w.complete(2, 0)
	assert.Equal(t, "cancelled <nil>", result[string](w))
}

func TestLookupsAreHeld(t *testing.T) {
	find := func(q query.Query) shopFn {
		return func(ctx workflow.Context, _ int) (int, error) {
			_, err := workflow.Find(ctx, q)
			return 0, err
		}
	}
	w := begin(t, find(query.Query{Type: "order"}), 0)
	for what, c := range map[string]struct {
		code   shopFn
		strict bool // only then
		want   string
		asked  string
	}{
		"another question": {find(query.Query{Type: "trip"}), true, `the lookup of step 1 asks for something else: they differ at $.type, recorded is "order", asked "trip"`, `lookup, step 1, query {"type":"trip"}`},
		"a count": {func(ctx workflow.Context, _ int) (int, error) { return workflow.Count(ctx, query.Query{Type: "order"}) }, false,
			"the code now asks for a count (step 1), where the history asks for a lookup", `count, step 1, query {"type":"order"}`},
	} {
		t.Run(what, func(t *testing.T) {
			got := held(w, replay.Strict, c.code)
			require.NotNil(t, got)
			assert.Equal(t, []string{`lookup, step 1, query {"type":"order"}`, c.asked}, []string{got.Recorded, got.Asked})
			assert.Equal(t, c.want, got.Why)
			assert.Equal(t, c.strict, held(w, replay.Names, c.code) == nil)
		})
	}
	w.finds(1)
}

// TestLookupsInAnotherOrderNeverPass: the rows of one would reach whoever asked for the other.
func TestLookupsInAnotherOrderNeverPass(t *testing.T) {
	both := func(a, b string) shopFn {
		return func(ctx workflow.Context, _ int) (int, error) {
			var g workflow.WaitGroup
			for _, name := range []string{a, b} {
				g.Go(ctx, func(ctx workflow.Context) { _, _ = workflow.Find(ctx, query.Query{Type: name}) })
			}
			return 0, g.Wait(ctx)
		}
	}
	w := begin(t, both("east", "west"), 0)
	w.finds(2)
	got := held(w, replay.Names, both("west", "east"))
	require.NotNil(t, got)
	assert.Equal(t, "the lookup of step 2 asks what step 1 is recorded to ask, so the order has changed", got.Why)
	assert.Nil(t, held(w, replay.Names, both("east", "north")), "a question that is nobody else's has only changed")
	w.finds(1)
}

// sweep follows each row up with a child.
func sweep(rows []query.Row, fails *[]error) func(workflow.Context) error {
	follow := workflow.Declare[query.Row, int]("follow")
	return func(ctx workflow.Context) error {
		outcomes, err := workflow.ForEach(ctx, rows, follow, workflow.Limit(2))
		for _, o := range outcomes {
			*fails = append(*fails, o.Err)
		}
		return err
	}
}

func TestForEachRowAChild(t *testing.T) {
	rows := []query.Row{{ID: "order-1", Run: "r1"}, {ID: "order-2", Run: "r2"}, {ID: "order-2", Run: "r3"}, {ID: strings.Repeat("o", 200), Run: "r4"}}
	var fails []error
	w := run(t, sweep(rows, &fails))
	var asked []*history.ChildAsked
	look := func() {
		asked = nil
		for _, e := range w.entries {
			if c, ok := e.Event.(*history.ChildAsked); ok {
				asked = append(asked, c)
			}
		}
	}
	look()
	require.Len(t, asked, 2, "as many at once as the limit says")
	w.give(commands.RefuseChild{Run: w.state.Run.ID, Step: 1, Reason: history.RefusedExists})
	for step := history.Step(2); step <= 4; step++ {
		w.give(commands.CloseChild{Run: w.state.Run.ID, Step: step, Status: history.StatusCompleted, Outcome: history.Outcome{Result: history.JSON([]byte("1"))}})
	}
	look()
	require.Len(t, asked, 4)
	ids := map[string]bool{}
	for i, c := range asked {
		var row query.Row
		require.NoError(t, c.Input.Decode(&row))
		assert.Equal(t, rows[i], row)
		assert.True(t, c.Once, "only if its id was never used")
		assert.NoError(t, commands.CheckID("child", c.ID))
		ids[c.ID] = true
	}
	assert.Len(t, ids, 4)
	assert.Equal(t, "w1~order-1.6ab2512178d8", asked[0].ID, "ids are promises: a later release must not do a sweep again")
	assert.ErrorIs(t, fails[0], workflow.ErrAlreadyExists)
	assert.Equal(t, []error{nil, nil, nil}, fails[1:], "one that fails stops no other")
}
