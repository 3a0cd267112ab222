package runtime_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

func TestOperatorsChangeTheMemoOfWhatIsOpen(t *testing.T) {
	more := workflow.NewSignal[int]("more")
	code := workflow.Define("order", func(ctx workflow.Context, n int) (int, error) {
		v, err := more.Receive(ctx)
		if err == nil && v == 0 {
			return 0, workflow.ContinueAsNew(ctx, n)
		}
		return v, err
	})
	inWorld(t, func(world *world) {
		t, w, ctx := world.t, world.rt, world.ctx()
		_, err := runtime.Start(ctx, w, "o", code, 0, workflow.Memo("shelf", 3), workflow.Memo("note", "fragile"))
		require.NoError(t, err)
		memo := func() map[string]any {
			d, err := w.Describe(ctx, "o")
			require.NoError(t, err)
			for row, err := range w.Find(ctx, query.Query{Status: query.Open}) {
				require.NoError(t, err)
				require.Equal(t, d.Memo, row.Memo, "the index has it, too")
			}
			return d.Memo
		}
		change := map[string]any{"shelf": nil, "box": "b7"}
		for range 2 {
			require.NoError(t, w.ChangeMemo(ctx, "o", change, runtime.Operator("ann"), runtime.Reason("moved"), runtime.RequestID("once")))
		}
		require.Equal(t, map[string]any{"box": "b7", "note": "fragile"}, memo())
		all := world.entries("o")
		require.Len(t, all, 2)
		require.Equal(t, history.Actor("operator:ann"), all[1].By)
		require.Equal(t, "moved", all[1].Event.(*history.MemoChanged).Reason)
		n, err := w.Count(ctx, query.Query{Where: "memo.box = 'b7'"})
		require.NoError(t, err)
		require.Equal(t, 1, n)

		require.NoError(t, w.Signal(ctx, "o", more.With(0)))
		require.Equal(t, map[string]any{"box": "b7", "note": "fragile"}, memo(), "the next run has it")
		_, err = w.Operate(ctx, "o", runtime.Operation{Do: "set-memo", Memo: map[string]json.RawMessage{"box": []byte("null"), "note": []byte("null")}})
		require.NoError(t, err)
		require.Empty(t, memo())
		require.ErrorIs(t, w.ChangeMemo(ctx, "o", nil), runtime.ErrInvalid)
		require.ErrorIs(t, w.ChangeMemo(ctx, "o", map[string]any{"long": strings.Repeat("x", 17<<10)}), runtime.ErrInvalid)
		require.NoError(t, w.Signal(ctx, "o", more.With(1)))
		_, err = runtime.Result(ctx, w, "o", code)
		require.NoError(t, err)
		require.ErrorIs(t, w.ChangeMemo(ctx, "o", change), runtime.ErrNotRunning)
	}, code)
}
