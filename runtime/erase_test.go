package runtime_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/audit"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/lookup"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/memory"
	"github.com/clewflow/clew/workflow"
)

type parcelOf struct{ Secret, Text string }

var (
	mirror = activity.Define("mirror", func(_ context.Context, in parcelOf) (parcelOf, error) { return in, nil })
	keeps  = workflow.Define("keeps", func(ctx workflow.Context, in parcelOf) (parcelOf, error) {
		out, err := workflow.Do(ctx, mirror, in)
		if in.Text == "wait" && err == nil {
			_, err = number.Receive(ctx)
		}
		return out, err
	})
	again = workflow.Define("again", func(ctx workflow.Context, left int) (int, error) {
		if left > 0 {
			return 0, workflow.ContinueAsNew(ctx, left-1)
		}
		_, err := number.Receive(ctx)
		return left, err
	})
)

// large is a text that does not compress.
func large(n int) string {
	var b strings.Builder
	for b.Len() < n {
		b.WriteByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[rand.IntN(64)])
	}
	return b.String()
}

func good(t *testing.T, rt *runtime.Runtime, scope audit.Scope) audit.Report {
	t.Helper()
	report, err := rt.Verify(t.Context(), scope)
	require.NoError(t, err)
	require.Empty(t, report.Findings)
	return report
}

func anchored(t *testing.T, rt *runtime.Runtime) audit.Scope {
	t.Helper()
	var b bytes.Buffer
	_, err := rt.Anchor(t.Context(), &b)
	require.NoError(t, err)
	a, err := audit.Read(&b)
	require.NoError(t, err)
	return audit.Scope{Against: a}
}

func rowsOf(t *testing.T, rt *runtime.Runtime, q query.Query) (all []query.Row) {
	t.Helper()
	for row, err := range rt.Find(t.Context(), q) {
		require.NoError(t, err)
		all = append(all, row)
	}
	return all
}

// blobs are the files beside the log; aged makes them old enough to be removed.
func blobs(t *testing.T, dir string) (all []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(filepath.Join(dir, "blobs"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			all = append(all, path)
		}
		return err
	}))
	return all
}

func aged(t *testing.T, dir string) {
	t.Helper()
	past := time.Now().Add(-time.Hour)
	for _, path := range blobs(t, dir) {
		require.NoError(t, os.Chtimes(path, past, past))
	}
}

func TestARedactedPayloadIsGoneEverywhere(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	c := runtime.Config{Store: dir, FullText: lookup.On}
	rt, stop := open(t, c, keeps, mirror)
	_, err := runtime.Do(t.Context(), rt, "a", keeps, parcelOf{Secret: "xyzzysecret"})
	require.NoError(t, err)
	_, err = runtime.Do(t.Context(), rt, "b", keeps, parcelOf{Secret: "others"})
	require.NoError(t, err)
	secret := query.Query{Where: "TEXT 'xyzzysecret'"}
	require.Len(t, rowsOf(t, rt, secret), 1)
	page, err := rt.FindPage(t.Context(), secret)
	require.NoError(t, err)
	then := query.Query{Where: secret.Where, AsOf: query.AsOf{Position: page.Position}}
	require.Len(t, rowsOf(t, rt, then), 1)
	scope := anchored(t, rt)
	took, err := rt.Redact(t.Context(), "a", runtime.Payloads{Entry: 1, Field: "input"}, runtime.Operator("ann"), runtime.Reason("ticket 7"))
	require.NoError(t, err)
	assert.Equal(t, runtime.Erasure{Payloads: 1}, took)
	require.Len(t, rowsOf(t, rt, secret), 1, "it is in the activity too")
	took, err = rt.Redact(t.Context(), "a", runtime.Payloads{}, runtime.Operator("ann"), runtime.Reason("ticket 7"))
	require.NoError(t, err)
	assert.GreaterOrEqual(t, took.Payloads, 3)
	again, err := rt.Redact(t.Context(), "a", runtime.Payloads{})
	require.NoError(t, err)
	assert.Zero(t, again)
	assert.Empty(t, rowsOf(t, rt, secret))
	assert.Empty(t, rowsOf(t, rt, then), "nor does the past have it")
	report := good(t, rt, scope)
	assert.Equal(t, 1+took.Payloads, report.Redacted)
	assert.Zero(t, report.Unfinished)
	_, err = runtime.Result(t.Context(), rt, "a", keeps)
	assert.ErrorContains(t, err, "redacted")
	var acts []history.Entry
	for e, err := range rt.Administered(t.Context()) {
		require.NoError(t, err)
		acts = append(acts, e)
	}
	require.Len(t, acts, 4)
	act := acts[0].Event.(*history.Redacted)
	assert.Equal(t, "ticket 7", act.Reason)
	assert.Equal(t, history.Actor("operator:ann"), acts[0].By)
	assert.False(t, acts[0].At.IsZero())

	_, err = rt.Redact(t.Context(), "none", runtime.Payloads{})
	assert.ErrorIs(t, err, runtime.ErrNotFound)
	_, err = rt.Redact(t.Context(), "b", runtime.Payloads{Entry: 99})
	assert.ErrorIs(t, err, runtime.ErrNotFound)
	_, err = rt.Redact(t.Context(), "b", runtime.Payloads{Entry: 1, Field: "result"})
	assert.ErrorIs(t, err, runtime.ErrInvalid)
	rows := rowsOf(t, rt, query.Query{})
	stop()

	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if strings.HasPrefix(d.Name(), "index.sqlite") || strings.HasSuffix(d.Name(), ".sst") {
			assert.NotContains(t, string(content), "xyzzysecret", path)
		}
		return err
	}))
	require.NoError(t, os.Remove(filepath.Join(dir, "index.sqlite")))
	rt, stop = open(t, c, keeps, mirror)
	defer stop()
	assert.Equal(t, rows, rowsOf(t, rt, query.Query{}), "an index that is built anew")
	assert.Empty(t, rowsOf(t, rt, secret))
}

func TestAnOpenExecutionWhosePayloadIsNeededStalls(t *testing.T) {
	rt, stop := open(t, runtime.Config{Store: filepath.Join(t.TempDir(), "store"), Memory: runtime.Forget}, keeps, mirror)
	defer stop()
	_, err := runtime.Start(t.Context(), rt, "a", keeps, parcelOf{Text: "wait"})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		d, err := rt.Describe(t.Context(), "a")
		return err == nil && len(d.Activities) == 0
	}, 10*time.Second, time.Millisecond)
	_, err = rt.Redact(t.Context(), "a", runtime.Payloads{Entry: 1})
	require.NoError(t, err)
	require.NoError(t, rt.Signal(t.Context(), "a", number.With(1)))
	require.Eventually(t, func() bool {
		d, err := rt.Describe(t.Context(), "a")
		return err == nil && strings.Contains(d.Stalled, "redacted")
	}, 10*time.Second, time.Millisecond)
	_, err = rt.Delete(t.Context(), "a")
	assert.ErrorIs(t, err, runtime.ErrStillRunning)
	require.NoError(t, rt.Terminate(t.Context(), "a"))
	_, err = rt.Delete(t.Context(), "a")
	require.NoError(t, err)
}

func TestADeletedExecutionLeavesItsRecord(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	c := runtime.Config{Store: dir}
	rt, stop := open(t, c, keeps, mirror)
	shared, own := large(100_000), large(100_000)
	for id, text := range map[string]string{"a": shared, "b": shared, "own": own} {
		_, err := runtime.Do(t.Context(), rt, id, keeps, parcelOf{Text: text})
		require.NoError(t, err)
	}
	require.Len(t, blobs(t, dir), 2, "what is the same is kept once")
	scope := anchored(t, rt)
	took, err := rt.Delete(t.Context(), "own", runtime.RequestID("r-1"))
	require.NoError(t, err)
	assert.Equal(t, 1, took.Later, "it was written a moment ago")
	assert.Equal(t, 1, good(t, rt, scope).Unfinished)
	took, err = rt.Delete(t.Context(), "own", runtime.RequestID("r-1"))
	require.NoError(t, err, "it is the same request")
	assert.Zero(t, took)
	_, err = rt.Delete(t.Context(), "own")
	assert.ErrorIs(t, err, runtime.ErrNotFound)
	aged(t, dir)
	stop()
	rt, stop = open(t, c, keeps, mirror)
	require.Len(t, blobs(t, dir), 1)
	assert.Zero(t, good(t, rt, scope).Unfinished)
	took, err = rt.Delete(t.Context(), "a")
	require.NoError(t, err)
	assert.Zero(t, took.Files+took.Later, "another refers to it")
	assert.Positive(t, good(t, rt, scope).Blobs)
	_, err = rt.Describe(t.Context(), "a")
	assert.ErrorIs(t, err, runtime.ErrNotFound)
	assert.Len(t, rowsOf(t, rt, query.Query{}), 1)

	out, err := runtime.Do(t.Context(), rt, "a", keeps, parcelOf{Secret: "anew"})
	require.NoError(t, err)
	assert.Equal(t, "anew", out.Secret)
	report := good(t, rt, scope)
	assert.Equal(t, 2, report.Deleted)
	aged(t, dir)
	took, err = rt.Delete(t.Context(), "b")
	require.NoError(t, err)
	assert.Equal(t, 1, took.Files)
	assert.Empty(t, blobs(t, dir))
	rows := rowsOf(t, rt, query.Query{})
	require.Len(t, rows, 1)
	stop()
	require.NoError(t, os.Remove(filepath.Join(dir, "index.sqlite")))
	rt, stop = open(t, c, keeps, mirror)
	assert.Equal(t, rows, rowsOf(t, rt, query.Query{}))
	good(t, rt, scope)
	stop()
}

func TestAParentAndItsChildrenAreNotTornApart(t *testing.T) {
	family := workflow.Define("family", func(ctx workflow.Context, _ workflow.None) (parcelOf, error) {
		return workflow.Child(ctx, keeps, parcelOf{Text: "wait"}, workflow.ID("child"), workflow.OnParentClose(workflow.AbandonChild))
	})
	rt, stop := open(t, runtime.Config{Store: filepath.Join(t.TempDir(), "store")}, family, keeps, mirror)
	defer stop()
	_, err := runtime.Start(t.Context(), rt, "p", family, workflow.None{})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, err := rt.Describe(t.Context(), "child")
		return err == nil
	}, 10*time.Second, time.Millisecond)
	require.NoError(t, rt.Terminate(t.Context(), "p"))
	_, err = rt.Delete(t.Context(), "p")
	assert.ErrorIs(t, err, runtime.ErrStillRunning)
	assert.ErrorContains(t, err, "child")
	require.NoError(t, rt.Terminate(t.Context(), "child"))
	_, err = rt.Delete(t.Context(), "p")
	require.NoError(t, err)
}

// dying is a log that fails from the n-th thing that is done to it on.
type dying struct {
	store.Log
	store.Eraser
	left int
}

var errDied = errors.New("it died here")

func (d *dying) step() error {
	if d.left--; d.left < 0 {
		return errDied
	}
	return nil
}

func (d *dying) Append(ctx context.Context, id history.ID, entries ...history.Entry) error {
	if id.Family() == "" {
		return d.Log.Append(ctx, id, entries...)
	}
	if err := d.step(); err != nil {
		return err
	}
	return d.Log.Append(ctx, id, entries...)
}

func (d *dying) Redact(ctx context.Context, id history.ID, entries ...history.Entry) error {
	if err := d.step(); err != nil {
		return err
	}
	return d.Eraser.Redact(ctx, id, entries...)
}

func (d *dying) Cut(ctx context.Context, id history.ID, to uint64, hash history.Hash) error {
	if err := d.step(); err != nil {
		return err
	}
	return d.Eraser.Cut(ctx, id, to, hash)
}

func (d *dying) Purge(ctx context.Context) error {
	if err := d.step(); err != nil {
		return err
	}
	return d.Eraser.Purge(ctx)
}

func TestWhatACrashInterruptsIsDoneByTheNext(t *testing.T) {
	for _, what := range []string{"redact", "delete"} {
		steps := 0
		for n := 0; ; n++ {
			disk := memory.NewDisk()
			log := disk.Open()
			d := &dying{log, log, 1 << 30}
			rt, stop := open(t, runtime.Config{Log: d}, keeps, mirror)
			_, err := runtime.Do(t.Context(), rt, "a", keeps, parcelOf{Secret: "s"})
			require.NoError(t, err)
			scope := anchored(t, rt)
			d.left = n
			_, failed := rt.Erase(t.Context(), "a", runtime.EraseWish{Do: what})
			d.left = 1 << 30
			stop()
			rt, stop = open(t, runtime.Config{Log: disk.Open()}, keeps, mirror)
			report := good(t, rt, scope)
			assert.Zero(t, report.Unfinished, "%s, step %d", what, n)
			recorded := false
			for range rt.Administered(t.Context()) {
				recorded = true
			}
			_, err = rt.Describe(t.Context(), "a")
			switch {
			case !recorded:
				assert.Zero(t, n)
				require.NoError(t, err)
				assert.Zero(t, report.Redacted)
			case what == "delete":
				assert.ErrorIs(t, err, runtime.ErrNotFound)
				assert.Empty(t, rowsOf(t, rt, query.Query{}))
			default:
				require.NoError(t, err)
				assert.Positive(t, report.Redacted)
			}
			stop()
			if failed == nil {
				break
			}
			steps++
		}
		assert.Equal(t, 4, steps, "act, log, purge, done")
	}
}

func TestRetentionRemovesWhatIsKeptNoLonger(t *testing.T) {
	rt, stop := open(t, runtime.Config{Store: filepath.Join(t.TempDir(), "store")}, keeps, again, mirror)
	defer stop()
	for _, id := range []string{"a", "b"} {
		_, err := runtime.Do(t.Context(), rt, id, keeps, parcelOf{})
		require.NoError(t, err)
	}
	_, err := runtime.Start(t.Context(), rt, "open", keeps, parcelOf{Text: "wait"})
	require.NoError(t, err)
	_, err = runtime.Start(t.Context(), rt, "long", again, 3)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		d, err := rt.Describe(t.Context(), "long")
		return err == nil && d.Number == 4 && d.Waiting != nil
	}, 10*time.Second, time.Millisecond)
	_, err = runtime.Start(t.Context(), rt, "ended", again, 0)
	require.NoError(t, err)
	require.NoError(t, rt.Terminate(t.Context(), "ended"))
	scope := anchored(t, rt)

	none, err := rt.Retain(t.Context(), nil, false)
	require.NoError(t, err)
	assert.Empty(t, none, "the default is to keep for ever")
	none, err = rt.Retain(t.Context(), []runtime.RetentionRule{{Age: time.Hour}}, false)
	require.NoError(t, err)
	assert.Empty(t, none)
	_, err = rt.Retain(t.Context(), []runtime.RetentionRule{{Status: query.Running, Age: 1}}, false)
	assert.ErrorIs(t, err, runtime.ErrInvalid)
	rules := []runtime.RetentionRule{{Status: query.Terminated}, {Name: "all", Age: time.Nanosecond}}
	dry, err := rt.Retain(t.Context(), rules, true)
	require.NoError(t, err)
	assert.Zero(t, good(t, rt, scope).Deleted)
	done, err := rt.Retain(t.Context(), rules, false, runtime.RequestID("r-1"))
	require.NoError(t, err)
	assert.Equal(t, dry, done)
	require.Len(t, done, 3)
	for _, x := range done {
		assert.Equal(t, x.ID != "long", x.Whole)
		assert.Equal(t, "all", x.Rule)
	}
	again, err := rt.Retain(t.Context(), rules, false)
	require.NoError(t, err)
	assert.Empty(t, again)
	assert.Equal(t, 3, good(t, rt, scope).Deleted)
	var left []string
	for _, row := range rowsOf(t, rt, query.Query{}) {
		left = append(left, row.ID)
	}
	assert.ElementsMatch(t, []string{"open", "ended", "long"}, left)
	require.NoError(t, rt.Signal(t.Context(), "long", number.With(1)), "it goes on")
	require.Eventually(t, func() bool {
		d, err := rt.Describe(t.Context(), "long")
		return err == nil && d.Status == query.Completed
	}, 10*time.Second, time.Millisecond)
	good(t, rt, scope)
}

func TestAFailureIsFollowedBeforeItIsDeleted(t *testing.T) {
	told := workflow.Define("told", func(workflow.Context, workflow.Failure) (int, error) { return 0, nil })
	breaks := workflow.Define("breaks", func(workflow.Context, workflow.None) (int, error) { return 0, errors.New("broken") })
	rt, stop := open(t, runtime.Config{Store: filepath.Join(t.TempDir(), "store")}, breaks, told)
	defer stop()
	_, err := runtime.Start(t.Context(), rt, "a", breaks, workflow.None{}, workflow.OnFailure(told))
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, err := rt.Delete(t.Context(), "a")
		if err != nil {
			assert.ErrorIs(t, err, runtime.ErrStillRunning)
			return false
		}
		return true
	}, 10*time.Second, time.Millisecond)
	assert.Len(t, rowsOf(t, rt, query.Query{Type: "told"}), 1)
}
