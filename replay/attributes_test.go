package replay_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/workflow"
)

func attr(i int) workflow.Setting { return workflow.NewAttribute[int](fmt.Sprint("a", i)).Set(i) }

func attrs(from, to int) (all []workflow.Setting) {
	for i := from; i < to; i++ {
		all = append(all, attr(i))
	}
	return all
}

func TestAttributesAndViewsAreRecordedInTheOrderAsked(t *testing.T) {
	region, size := workflow.NewAttribute[string]("region"), workflow.NewAttribute[int]("size")
	w := run(t, func(ctx workflow.Context) error {
		workflow.SetAttributes(ctx)
		workflow.SetAttributes(ctx, region.Set("eu"), size.Set(1), size.Set(3))
		workflow.Publish(ctx, map[string]string{"phase": "packing"})
		workflow.SetAttributes(ctx, size.Unset())
		workflow.Publish(ctx, "done")
		return nil
	})
	assert.Equal(t, []string{"started", "attributes-set", "published", "attributes-set", "published", "completed"}, w.kinds())
	assert.JSONEq(t, `{"region":"eu","size":3}`, string(w.entries[1].Event.(*history.AttributesSet).Attributes.Data))
	assert.JSONEq(t, `{"size":null}`, string(w.entries[3].Event.(*history.AttributesSet).Attributes.Data))
	assert.JSONEq(t, `{"region":"eu"}`, string(w.state.Attributes.Payload().Data), "they outlast the end")
	assert.Equal(t, `"done"`, string(w.state.View.Data))
}

func TestTooManyOrTooLargeAttributesStall(t *testing.T) {
	text := func(name string, n int) workflow.Setting {
		return workflow.NewAttribute[string](name).Set(strings.Repeat("x", n-2)) // and two quotes
	}
	for what, c := range map[string]struct {
		first, fine, bad []workflow.Setting
		want             string
	}{
		"65 at once":    {fine: attrs(0, 64), bad: attrs(64, 65), want: `the attributes of a run is invalid: "65", want at most 64`},
		"65 in all":     {first: attrs(0, 40), fine: attrs(10, 64), bad: attrs(70, 71), want: `want at most 64`},
		"a long name":   {fine: []workflow.Setting{text(strings.Repeat("n", 64), 9)}, bad: []workflow.Setting{text(strings.Repeat("n", 65), 9)}, want: "the name of an attribute is invalid"},
		"an odd name":   {bad: []workflow.Setting{text("a b", 9)}, want: "want 1 to 200 letters, digits"},
		"a large value": {fine: []workflow.Setting{text("a", 2048)}, bad: []workflow.Setting{text("a", 2049)}, want: "attribute a is invalid"},
	} {
		t.Run(what, func(t *testing.T) {
			w := run(t, func(ctx workflow.Context) error {
				workflow.SetAttributes(ctx, c.first...)
				workflow.SetAttributes(ctx, c.fine...)
				if _, err := poke.Receive(ctx); err != nil {
					return err
				}
				workflow.SetAttributes(ctx, c.bad...)
				return nil
			})
			require.NoError(t, w.err)
			w.record(&history.Signaled{Name: "poke", Value: history.JSON([]byte("1"))})
			var stalled *replay.Stalled
			require.ErrorAs(t, w.err, &stalled)
			assert.Contains(t, stalled.Reason, "SetAttributes: clew: ")
			assert.Contains(t, stalled.Reason, c.want)
		})
	}
}

func TestAttributesTakenAwayMakeRoom(t *testing.T) {
	w := untold(t, replay.Config{Code: codeOf(func(ctx workflow.Context, _ int) (int, error) {
		workflow.SetAttributes(ctx, attrs(10, 64)...)
		workflow.SetAttributes(ctx, workflow.NewAttribute[int]("a0").Unset(), attr(64))
		workflow.SetAttributes(ctx, workflow.NewAttribute[int]("none").Unset(), attr(64))
		return 0, nil
	})})
	s := start(t, 1)
	s.Attributes = history.JSON([]byte(`{"a0":1,"a1":1,"a2":1,"a3":1,"a4":1,"a5":1,"a6":1,"a7":1,"a8":1,"a9":1}`))
	w.give(s)
	require.NoError(t, w.err)
	assert.Len(t, w.state.Attributes, 64)
	w.replays()
}

func TestAttributesOfTheRunBeforeCount(t *testing.T) {
	w := begin(t, func(ctx workflow.Context, n int) (int, error) {
		if n == 1 {
			workflow.SetAttributes(ctx, attrs(0, 64)...)
			return 0, workflow.ContinueAsNew(ctx, 2)
		}
		if _, err := poke.Receive(ctx); err != nil {
			return 0, err
		}
		workflow.SetAttributes(ctx, attr(64))
		return 0, nil
	}, 1)
	require.NoError(t, w.err)
	w.record(&history.Signaled{Name: "poke", Value: history.JSON([]byte("1"))})
	assert.ErrorContains(t, w.err, "want at most 64")
}

func TestAViewThatIsTooLargeStalls(t *testing.T) {
	w := run(t, func(ctx workflow.Context) error {
		workflow.Publish(ctx, strings.Repeat("x", 16<<10-2))
		if _, err := poke.Receive(ctx); err != nil {
			return err
		}
		workflow.Publish(ctx, strings.Repeat("x", 16<<10-1))
		return nil
	})
	require.NoError(t, w.err)
	w.record(&history.Signaled{Name: "poke", Value: history.JSON([]byte("1"))})
	assert.EqualError(t, w.err, `Publish: clew: the published view is invalid: "16385 bytes", want at most 16 KiB`)
	w = run(t, func(ctx workflow.Context) error { workflow.Publish(ctx, func() {}); return nil })
	assert.ErrorContains(t, w.err, "Publish: ")
}

func TestAttributesAndViewsAreHeld(t *testing.T) {
	code := func(set func(workflow.Context)) shopFn {
		return func(ctx workflow.Context, n int) (int, error) { set(ctx); return n, nil }
	}
	setting := func(i int) shopFn { return code(func(ctx workflow.Context) { workflow.SetAttributes(ctx, attr(i)) }) }
	showing := func(v any) shopFn { return code(func(ctx workflow.Context) { workflow.Publish(ctx, v) }) }
	w, v := begin(t, setting(1), 1), begin(t, showing(1), 1)
	assert.Nil(t, held(w, replay.Names, setting(2)))
	assert.Nil(t, held(v, replay.Names, showing(2)))
	got := held(w, replay.Strict, setting(2))
	require.NotNil(t, got)
	assert.Equal(t, []string{"the code sets other attributes: they differ at $.a1, recorded is 1, asked nothing", `attributes {"a1":1}`, `attributes {"a2":2}`}, []string{got.Why, got.Recorded, got.Asked})
	got = held(v, replay.Strict, showing(2))
	require.NotNil(t, got)
	assert.Equal(t, []string{"the code publishes another view: recorded is 1, asked 2", "view 1", "view 2"}, []string{got.Why, got.Recorded, got.Asked})
	for _, got := range []*replay.Mismatch{held(w, replay.Names, showing(1)), held(v, replay.Names, setting(1))} {
		require.NotNil(t, got)
		assert.Equal(t, replay.Replaced, got.Change)
	}
}
