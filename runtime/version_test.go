package runtime_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

// versions are two of one workflow, which wait for a signal and say which they are.
func version(n int) workflow.Type[int, string] {
	return workflow.Define("versioned", func(ctx workflow.Context, again int) (string, error) {
		if _, err := number.Receive(ctx); err != nil {
			return "", err
		}
		if again > 10 {
			return "", workflow.ContinueAsNew(ctx, again-11, workflow.Version(1))
		}
		if again > 0 {
			return "", workflow.ContinueAsNew(ctx, again-1)
		}
		return fmt.Sprintf("v%d/%d", n, workflow.Info(ctx).Version), nil
	}, workflow.Version(n))
}

func TestVersionsSideBySide(t *testing.T) {
	v1, v2, v3 := version(1), version(2), version(3)
	newWorldOf(t, runtime.Config{}, func(w *world) {
		result := func(id string) string {
			require.NoError(t, w.rt.Signal(w.ctx(), id, number.With(1)))
			out, err := runtime.Result(w.ctx(), w.rt, id, v1)
			require.NoError(t, err)
			return out
		}
		begin := func(id string, opts ...workflow.Option) error {
			_, err := runtime.Start(w.ctx(), w.rt, id, v1, 0, opts...)
			return err
		}
		require.NoError(t, begin("newest"))
		require.NoError(t, begin("pinned", workflow.Version(1)))
		err := begin("unknown", workflow.Version(3))
		assert.ErrorIs(t, err, runtime.ErrUnknownType)
		assert.ErrorContains(t, err, "its versions are 1, 2")
		assert.ErrorIs(t, begin("negative", workflow.Version(-1)), runtime.ErrInvalid)

		require.NoError(t, w.rt.Disable("versioned", 2))
		require.NoError(t, begin("rolled-back"))
		assert.ErrorContains(t, begin("off", workflow.Version(2)), "2 (disabled)")
		require.NoError(t, w.rt.Disable("versioned", 1))
		assert.ErrorContains(t, begin("none"), "all versions of workflow \"versioned\" are disabled")
		require.NoError(t, w.rt.Enable("versioned", 1))
		require.NoError(t, w.rt.Enable("versioned", 2))
		assert.ErrorIs(t, w.rt.Disable("versioned", 7), runtime.ErrUnknownType)

		for id, want := range map[string]string{"newest": "v2/2", "pinned": "v1/1", "rolled-back": "v1/1"} {
			assert.Equal(t, want, result(id), id)
		}
		w.close() // the next release

		w.open(v2, v3)
		require.NoError(t, begin("next"))
		assert.Equal(t, "v3/3", result("next"))
		require.NoError(t, begin("still", workflow.Version(2)))
		assert.Equal(t, "v2/2", result("still"))
	}, v1, v2)
}

func TestStartsAreRouted(t *testing.T) {
	v1, v2 := version(1), version(2)
	newWorldOf(t, runtime.Config{}, func(w *world) {
		assert.ErrorIs(t, w.rt.Route("versioned", runtime.Route{Version: 9}), runtime.ErrUnknownType)
		assert.ErrorIs(t, w.rt.Route("versioned", runtime.Route{Version: 1, Percent: 101}), runtime.ErrInvalid)
		assert.ErrorIs(t, w.rt.Route("versioned", runtime.Route{Version: 1, Percent: 60}, runtime.Route{Version: 2, Percent: 60}), runtime.ErrInvalid)
		require.NoError(t, w.rt.Route("versioned", runtime.Route{Version: 1, Percent: 75}, runtime.Route{Version: 2, Label: "beta"}))
		old := 0
		for i := range 400 {
			id := fmt.Sprint("r", i)
			_, err := runtime.Start(w.ctx(), w.rt, id, v1, 0)
			require.NoError(t, err)
			d, err := w.rt.Describe(w.ctx(), id)
			require.NoError(t, err)
			if d.Version == 1 {
				old++
				assert.Equal(t, "75 percent", d.Route)
			}
			require.NoError(t, w.rt.Terminate(w.ctx(), id))
		}
		assert.InDelta(t, 300, old, 40)
		_, err := runtime.Start(w.ctx(), w.rt, "labelled", v1, 0, runtime.Label("beta"))
		require.NoError(t, err)
		d, err := w.rt.Describe(w.ctx(), "labelled")
		require.NoError(t, err)
		assert.Equal(t, 2, d.Version)
		assert.Equal(t, "label beta", d.Route)
		require.NoError(t, w.rt.Terminate(w.ctx(), "labelled"))
	}, v1, v2)
}

// TestTheNextRunIsOfTheNewestVersion unless the run was pinned at its start.
func TestTheNextRunIsOfTheNewestVersion(t *testing.T) {
	v1, v2 := version(1), version(2)
	newWorldOf(t, runtime.Config{}, func(w *world) {
		for _, id := range []string{"free", "pinned"} {
			var opts []workflow.Option
			if id == "pinned" {
				opts = append(opts, workflow.Version(1))
			}
			_, err := runtime.Start(w.ctx(), w.rt, id, v1, 1, opts...)
			require.NoError(t, err)
		}
		_, err := runtime.Start(w.ctx(), w.rt, "pins", v1, 11) // it pins its next run
		require.NoError(t, err)
		w.close()
		w.open(v1, v2)
		for id, want := range map[string]string{"free": "v2/2", "pinned": "v1/1", "pins": "v1/1"} {
			for range 2 {
				require.NoError(t, w.rt.Signal(w.ctx(), id, number.With(1)))
			}
			out, err := runtime.Result(w.ctx(), w.rt, id, v1)
			require.NoError(t, err)
			assert.Equal(t, want, out)
		}
	}, v1)
}

// TestARunWhoseVersionIsNotHereWaitsVisibly and goes on by itself when it comes.
func TestARunWhoseVersionIsNotHereWaitsVisibly(t *testing.T) {
	v1, v2 := version(1), version(2)
	parent := workflow.Define("parent", func(ctx workflow.Context, _ workflow.None) (string, error) {
		return workflow.Child(ctx, v1, 0, workflow.Version(1), workflow.ID("child"))
	})
	newWorldOf(t, runtime.Config{}, func(w *world) {
		_, err := runtime.Start(w.ctx(), w.rt, "p", parent, workflow.None{})
		require.NoError(t, err)
		time.Sleep(time.Second)
		d, err := w.rt.Describe(w.ctx(), "child")
		require.NoError(t, err)
		assert.Contains(t, d.Stalled, "no code for workflow versioned version 1")
		assert.Len(t, w.rows(query.Query{Status: query.Stalled}), 1)
		w.close()
		w.open(parent, v1, v2)
		require.NoError(t, w.rt.Signal(w.ctx(), "child", number.With(1)))
		out, err := runtime.Result(w.ctx(), w.rt, "p", parent)
		require.NoError(t, err)
		assert.Equal(t, "v1/1", out)
	}, parent, v2)
}

// TestAChildOfAnUnknownTypeIsStartedWhenItsCodeComes: only then is it known which version it is of.
func TestAChildOfAnUnknownTypeIsStartedWhenItsCodeComes(t *testing.T) {
	v1, v2 := version(1), version(2)
	parent := workflow.Define("parent", func(ctx workflow.Context, _ workflow.None) (string, error) {
		return workflow.Child(ctx, v1, 0, workflow.ID("child"))
	})
	newWorldOf(t, runtime.Config{}, func(w *world) {
		_, err := runtime.Start(w.ctx(), w.rt, "p", parent, workflow.None{})
		require.NoError(t, err)
		time.Sleep(10 * time.Minute)
		d, err := w.rt.Describe(w.ctx(), "p")
		require.NoError(t, err)
		assert.Contains(t, fmt.Sprint(d.Waiting), "the start of child child (versioned)")
		w.close()
		w.open(parent, v1, v2)
		time.Sleep(time.Second)
		require.NoError(t, w.rt.Signal(w.ctx(), "child", number.With(1)))
		out, err := runtime.Result(w.ctx(), w.rt, "p", parent)
		require.NoError(t, err)
		assert.Equal(t, "v2/2", out)
	}, parent)
}
