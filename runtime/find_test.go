package runtime_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/workflow"
)

// nap is a workflow that sleeps as long as it is told, and fails if that is odd.
var nap = workflow.Define("nap", func(ctx workflow.Context, seconds int) (int, error) {
	if err := workflow.Sleep(ctx, time.Duration(seconds)*time.Second); err != nil {
		return 0, err
	}
	if seconds%2 == 1 {
		return 0, errBroken
	}
	return seconds, nil
})

// look is what a looking run is to do, and what it found.
type look struct {
	Wait  time.Duration
	Query query.Query
	IDs   []string
	Count int
}

// looking finds and counts.
var looking = workflow.Define("looking", func(ctx workflow.Context, l look) (look, error) {
	if err := workflow.Sleep(ctx, l.Wait); err != nil {
		return l, err
	}
	rows, err := workflow.Find(ctx, l.Query)
	if err != nil {
		return l, err
	}
	for _, r := range rows {
		l.IDs = append(l.IDs, r.ID)
	}
	l.Count, err = workflow.Count(ctx, l.Query)
	return l, err
})

func (w *world) start(id string, seconds int) {
	w.t.Helper()
	_, err := runtime.Start(w.ctx(), w.rt, id, nap, seconds)
	require.NoError(w.t, err)
}

// looks starts a looking run.
func (w *world) looks(id string, l look) runtime.Handle[look] {
	w.t.Helper()
	h, err := runtime.Start(w.ctx(), w.rt, id, looking, l)
	require.NoError(w.t, err)
	return h
}

// finds is what a looking run finds.
func (w *world) finds(l look) look {
	w.t.Helper()
	out, err := w.looks(fmt.Sprint("look-", time.Now().UnixNano()), l).Result(w.ctx())
	require.NoError(w.t, err)
	return out
}

// answered is the entry that answers a run's lookups, the first one.
func (w *world) answered(id string) *history.FindAnswered {
	for _, e := range w.entries(id) {
		if a, ok := e.Event.(*history.FindAnswered); ok {
			return a
		}
	}
	return nil
}

func TestAWorkflowFindsWhatWasThereWhenItBegan(t *testing.T) {
	inWorld(t, func(w *world) {
		w.start("old", 3600)
		time.Sleep(hour + time.Minute)
		w.start("fails", 1)
		w.start("runs", 7200)
		h := w.looks("l", look{Wait: 30 * time.Minute, Query: query.Query{Order: "id"}})
		time.Sleep(time.Minute)
		w.start("later", 7200)
		out, err := h.Result(w.ctx())
		require.NoError(t, err)
		assert.Equal(t, []string{"fails", "old", "runs"}, out.IDs, "not what began later, and not itself")
		assert.Equal(t, 3, out.Count)
		a := w.answered("l")
		assert.EqualValues(t, 3, a.Found)
		assert.NotZero(t, a.Position)

		// As of its start "fails" was still running; how it stands is as of the answer.
		assert.Equal(t, []string{"fails"}, w.finds(look{Query: query.Query{Type: "nap", Status: query.Failed}}).IDs)
		// What is relative is so to the start of who asks: half an hour later "old" would be out of the window, and it is not.
		window := look{Wait: 30 * time.Minute, Query: query.Query{Type: "nap", Last: 100 * time.Minute, Order: "id"}}
		assert.Equal(t, []string{"fails", "later", "old", "runs"}, w.finds(window).IDs)
		window.Query = query.Query{Type: "nap", Where: "started > now-1h", Order: "id"}
		assert.Equal(t, []string{"later"}, w.finds(window).IDs, "half an hour after its start")
		assert.Equal(t, []string{"later"}, w.finds(look{Query: query.Query{Type: "nap", Order: "-started", Most: 1}}).IDs)
		assert.Empty(t, w.finds(look{Query: query.Query{Type: "no such"}}).IDs)
		assert.Empty(t, w.finds(look{Query: query.Query{Since: time.Now().Add(hour)}}).IDs, "what is still to come was not there")
		assert.Empty(t, w.finds(look{Query: query.Query{Namespace: "elsewhere"}}).IDs)
	}, nap, looking)
}

// TestALookupSeesWhatWasAcknowledgedBeforeIt, by the asking run itself too.
func TestALookupSeesWhatWasAcknowledgedBeforeIt(t *testing.T) {
	region := workflow.NewAttribute[string]("region")
	sees := workflow.Define("sees", func(ctx workflow.Context, child string) (int, error) {
		if _, err := workflow.Child(ctx, nap, 2, workflow.ID(child)); err != nil {
			return 0, err
		}
		return workflow.Count(ctx, query.Query{ID: "n", Where: "attr.region = 'eu'"})
	})
	inWorld(t, func(w *world) {
		_, err := runtime.Do(w.ctx(), w.rt, "n", nap, 2, region.Set("eu"))
		require.NoError(t, err)
		n, err := runtime.Do(w.ctx(), w.rt, "s", sees, "c")
		require.NoError(t, err)
		assert.Equal(t, 1, n)
	}, nap, sees)
}

func TestAQuestionThatTheIndexRefusesIsAnError(t *testing.T) {
	asks := workflow.Define("asks", func(ctx workflow.Context, _ int) (string, error) {
		_, err := workflow.Find(ctx, query.Query{Where: "TEXT 'declined'"})
		return fmt.Sprint(err), nil
	})
	inWorld(t, func(w *world) {
		out, err := runtime.Do(w.ctx(), w.rt, "a", asks, 1)
		require.NoError(t, err)
		assert.Contains(t, out, "this index does not keep words")
		assert.Equal(t, history.RefusedInvalid, w.answered("a").Refused)
	}, asks)
}

// TestTooManyRowsAreAnErrorAndNeverCut: also where they are too large together.
func TestTooManyRowsAreAnErrorAndNeverCut(t *testing.T) {
	asks := workflow.Define("asks", func(ctx workflow.Context, _ int) (int, error) {
		rows, err := workflow.Find(ctx, query.Query{})
		return len(rows), err
	})
	made := func(n int) func(query.Query) []query.Row {
		return func(query.Query) []query.Row { return make([]query.Row, n) }
	}
	for _, c := range []struct {
		rows, payload int
		is            error
	}{{workflow.MaxRows + 1, 0, workflow.ErrTooManyRows}, {1000, 10_000, runtime.ErrTooLarge}, {10, 10_000, nil}} {
		newWorldOf(t, runtime.Config{Payload: c.payload, Hooks: runtime.Hooks{Find: made(c.rows)}}, func(w *world) {
			n, err := runtime.Do(w.ctx(), w.rt, "a", asks, 1)
			if c.is == nil {
				require.NoError(t, err)
				assert.Equal(t, c.rows, n)
				return
			}
			assert.ErrorContains(t, err, c.is.Error())
			assert.True(t, w.answered("a").Rows.Absent())
		}, asks)
	}
}

// TestManyRowsAreKeptInFiles: the entry stays small, and replay gives all of them again.
func TestManyRowsAreKeptInFiles(t *testing.T) {
	quick := workflow.Define("quick", func(workflow.Context, int) (int, error) { return 0, nil })
	more := workflow.NewSignal[int]("more")
	asks := workflow.Define("asks", func(ctx workflow.Context, _ int) (int, error) {
		rows, err := workflow.Find(ctx, query.Query{Type: "quick"})
		if err != nil {
			return 0, err
		}
		_, err = more.Receive(ctx)
		return len(rows), err
	})
	dir := filepath.Join(t.TempDir(), "store")
	rt, stop := open(t, runtime.Config{Store: dir}, quick, asks)
	var all sync.WaitGroup
	for i := range 1500 {
		all.Go(func() {
			_, err := runtime.Start(t.Context(), rt, fmt.Sprintf("order-%x", sha256.Sum256(fmt.Append(nil, i))), quick, i)
			assert.NoError(t, err)
		})
	}
	all.Wait()
	_, err := runtime.Start(t.Context(), rt, "a", asks, 1)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		d, err := rt.Describe(t.Context(), "a")
		return err == nil && d.Entries == 3
	}, 30*time.Second, time.Millisecond)
	d, err := rt.Describe(t.Context(), "a")
	require.NoError(t, err)
	assert.Less(t, d.Bytes, 8<<10)
	stop()
	files := 0
	require.NoError(t, filepath.WalkDir(filepath.Join(dir, "blobs"), func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files++
		}
		return err
	}))
	assert.Equal(t, 1, files)
	rt, stop = open(t, runtime.Config{Store: dir}, quick, asks)
	defer stop()
	require.NoError(t, rt.Signal(t.Context(), "a", more.With(1)))
	n, err := runtime.Result(t.Context(), rt, "a", asks)
	require.NoError(t, err)
	assert.Equal(t, 1500, n)
}

// kept holds errands back until they are to be run.
type kept struct {
	mu   sync.Mutex
	all  []runtime.Errand
	open bool
}

func (k *kept) errand(e runtime.Errand) {
	k.mu.Lock()
	held := !k.open
	if held {
		k.all = append(k.all, e)
	}
	k.mu.Unlock()
	if !held {
		go e.Do()
	}
}

func (k *kept) whats() (all []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, e := range k.all {
		all = append(all, e.What)
	}
	return all
}

// release lets them all run, and those that come.
func (k *kept) release() {
	k.mu.Lock()
	all := k.all
	k.all, k.open = nil, true
	k.mu.Unlock()
	for _, e := range all {
		e.Do()
	}
}

// TestWhatIsAskedIsAnsweredAfterACrash, by whoever takes the execution up; and it says meanwhile what it waits for.
func TestWhatIsAskedIsAnsweredAfterACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := &kept{}
		w := newWorld(t, runtime.Config{Hooks: runtime.Hooks{Errands: k.errand}})
		w.open(nap, looking)
		w.start("n", 2)
		h := w.looks("l", look{})
		synctest.Wait()
		d, err := w.rt.Describe(w.ctx(), "l")
		require.NoError(t, err)
		require.Len(t, d.Waiting, 1)
		assert.Equal(t, "the index answering a lookup", d.Waiting[0].Why)
		assert.Equal(t, "1 lookup to be answered", w.rows(query.Query{ID: "l"})[0].Waiting)
		assert.Equal(t, []string{"find"}, k.whats())
		w.close()

		w.c.Hooks.Errands = nil
		w.open(nap, looking)
		out, err := runtime.Result(w.ctx(), w.rt, h.ID, looking)
		require.NoError(t, err)
		assert.Equal(t, []string{"n"}, out.IDs)
		for _, late := range k.all {
			late.Do() // of a process that is gone
		}
		w.close()
		w.verify(nap, looking)
	})
}

func TestCancellationEndsTheWaitForALookup(t *testing.T) {
	k := &kept{}
	newWorldOf(t, runtime.Config{Hooks: runtime.Hooks{Errands: k.errand}}, func(w *world) {
		h := w.looks("l", look{})
		require.NoError(t, w.rt.Cancel(w.ctx(), "l"))
		_, err := h.Result(w.ctx())
		assert.ErrorIs(t, err, workflow.ErrCancelled)
		k.release()
		assert.Equal(t, []string{"started", "find-asked", "cancel-requested", "cancelled"}, w.kinds("l"))
	}, looking)
}

func TestAPausedExecutionKeepsTheAnswer(t *testing.T) {
	k := &kept{}
	newWorldOf(t, runtime.Config{Hooks: runtime.Hooks{Errands: k.errand}}, func(w *world) {
		w.start("n", 2)
		h := w.looks("l", look{})
		require.NoError(t, w.rt.Pause(w.ctx(), "l"))
		k.release()
		time.Sleep(time.Minute)
		assert.Equal(t, []string{"started", "find-asked", "paused", "find-answered"}, w.kinds("l"))
		require.NoError(t, w.rt.Unpause(w.ctx(), "l"))
		out, err := h.Result(w.ctx())
		require.NoError(t, err)
		assert.Equal(t, []string{"n"}, out.IDs)
	}, nap, looking)
}

// TestALookupIsForgottenWithItsRun: the next one asks for itself.
func TestALookupIsForgottenWithItsRun(t *testing.T) {
	goes := workflow.Define("goes", func(ctx workflow.Context, n int) (int, error) {
		if n == 0 {
			workflow.Go(ctx, func(ctx workflow.Context) { _, _ = workflow.Find(ctx, query.Query{Type: "goes"}) })
			if err := workflow.Sleep(ctx, time.Second); err != nil {
				return 0, err
			}
			return 0, workflow.ContinueAsNew(ctx, 1)
		}
		rows, err := workflow.Find(ctx, query.Query{Type: "goes"})
		return len(rows), err
	})
	k := &kept{}
	newWorldOf(t, runtime.Config{Hooks: runtime.Hooks{Errands: k.errand}}, func(w *world) {
		h, err := runtime.Start(w.ctx(), w.rt, "g", goes, 0)
		require.NoError(t, err)
		time.Sleep(time.Minute)
		assert.Equal(t, []string{"find", "find"}, k.whats())
		k.release()
		n, err := h.Result(w.ctx())
		require.NoError(t, err)
		assert.Equal(t, 1, n, "the run before is found, and itself is not")
		assert.Equal(t, 1, strings.Count(strings.Join(w.kinds("g"), " "), "find-answered"))
	}, goes)
}

// headless is a log that does not know its head for a while.
type headless struct {
	store.Log
	store.Tails
	mu    sync.Mutex
	fails int
}

func (l *headless) Head(ctx context.Context) (store.Position, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fails > 0 {
		l.fails--
		return store.Position{}, fmt.Errorf("the head: %w", store.ErrUnavailable)
	}
	return l.Log.Head(ctx)
}

func TestALookupWaitsForAnIndexThatIsUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, runtime.Config{})
		disk := w.disk.Open()
		log := &headless{Log: disk, Tails: disk}
		w.c.Log = log
		w.openOn(nap, looking)
		w.start("n", 2)
		synctest.Wait() // for those who ask when a runtime begins
		log.mu.Lock()
		log.fails = 5
		log.mu.Unlock()
		began := time.Now()
		out, err := w.looks("l", look{}).Result(w.ctx())
		require.NoError(t, err)
		assert.Equal(t, []string{"n"}, out.IDs)
		// Somebody else may have asked for the head once, as who looks for what was missed does; the others are a second apart.
		assert.GreaterOrEqual(t, time.Since(began), 4*time.Second, "it was not asked without a break")
		w.close()
		w.verify(nap, looking)
	})
}

// TestTheNextOwnerAnswers what was asked of a node that is gone.
func TestTheNextOwnerAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 2, nap, looking)
		defer p.close()
		_, err := runtime.Do(t.Context(), p.nodes[0].Runtime, "n", nap, 2)
		require.NoError(t, err)
		asked := make(chan *guest, 2)
		for _, g := range p.nodes {
			g.log.after(func(_ history.ID, entries []history.Entry) {
				for _, e := range entries {
					if _, ok := e.Event.(*history.FindAsked); ok {
						asked <- g
						g.log.set(true) // the first thing that it is cut off from is the answer
					}
				}
			})
		}
		_, err = runtime.Start(t.Context(), p.nodes[0].Runtime, "l", looking, look{Wait: time.Minute})
		require.NoError(t, err)
		first := <-asked
		p.kill(first)
		rest := p.nodes[0]
		rest.log.after(nil)
		out, err := runtime.Result(t.Context(), rest.Runtime, "l", looking)
		require.NoError(t, err)
		assert.Equal(t, []string{"n"}, out.IDs)
		nodes := map[string]string{}
		for e, err := range rest.History(t.Context(), "l") {
			require.NoError(t, err)
			if nodes[e.Event.Kind()] == "" {
				nodes[e.Event.Kind()] = e.Node
			}
		}
		assert.NotEmpty(t, nodes["find-asked"])
		assert.NotEqual(t, nodes["find-asked"], nodes["find-answered"])
		p.audit()
	})
}

// TestASweepThatIsDoneAgainStartsNothingTwice.
func TestASweepThatIsDoneAgainStartsNothingTwice(t *testing.T) {
	var mu sync.Mutex
	var followed []string
	act := activity.Define("act", func(_ context.Context, id string) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		followed = append(followed, id)
		return id, nil
	})
	follow := workflow.Define("follow", func(ctx workflow.Context, row query.Row) (string, error) {
		if row.ID == "bad" {
			return "", errBroken
		}
		return workflow.Do(ctx, act, row.ID)
	})
	sweep := workflow.Define("sweep", func(ctx workflow.Context, _ int) (all []string, _ error) {
		rows, err := workflow.Find(ctx, query.Query{Type: "nap", Order: "id"})
		if err != nil {
			return nil, err
		}
		outcomes, err := workflow.ForEach(ctx, rows, follow, workflow.Limit(2))
		for _, o := range outcomes {
			all = append(all, o.Value)
			if o.Err != nil {
				all[len(all)-1] = o.Err.Error()
			}
		}
		return all, err
	})
	inWorld(t, func(w *world) {
		followed = nil
		for _, id := range []string{"bad", "x", "y", "z"} {
			w.start(id, 7200)
		}
		out, err := runtime.Do(w.ctx(), w.rt, "s", sweep, 1)
		require.NoError(t, err)
		require.Len(t, out, 4)
		assert.Contains(t, out[0], "it broke")
		assert.Equal(t, []string{"x", "y", "z"}, out[1:], "one that fails does not stop the others")
		w.start("zz", 7200)
		out, err = runtime.Do(w.ctx(), w.rt, "s", sweep, 1)
		require.NoError(t, err)
		require.Len(t, out, 5)
		for _, one := range out[:4] {
			assert.Contains(t, one, workflow.ErrAlreadyExists.Error())
		}
		assert.Equal(t, "zz", out[4])
		slices.Sort(followed)
		assert.Equal(t, []string{"x", "y", "z", "zz"}, followed)
		_, err = runtime.Do(w.ctx(), w.rt, "s2", sweep, 1)
		require.NoError(t, err)
		assert.Len(t, followed, 8, "another sweep is another")
	}, nap, sweep, follow, act)
}

// TestARunThatGoesOnKeepsWhatWasFound, though more could be found now.
func TestARunThatGoesOnKeepsWhatWasFound(t *testing.T) {
	mended := false
	act := activity.Define("act", func(context.Context, int) (int, error) {
		if !mended {
			return 0, errBroken
		}
		return 0, nil
	}, activity.MaxAttempts(1))
	code := workflow.Define("goes", func(ctx workflow.Context, _ int) (int, error) {
		rows, err := workflow.Find(ctx, query.Query{Type: "nap"})
		if err != nil {
			return 0, err
		}
		_, err = workflow.Do(ctx, act, len(rows))
		return len(rows), err
	})
	inWorld(t, func(w *world) {
		mended = false
		w.start("n", 7200)
		_, err := runtime.Do(w.ctx(), w.rt, "g", code, 1)
		require.ErrorIs(t, err, errBroken)
		w.start("later", 7200)
		mended = true
		_, err = w.rt.Retry(w.ctx(), "g")
		require.NoError(t, err)
		n, err := runtime.Result(w.ctx(), w.rt, "g", code)
		require.NoError(t, err)
		assert.Equal(t, 1, n)
		assert.Equal(t, 2, strings.Count(strings.Join(w.kinds("g"), " "), "find-answered"), "once, and once adopted")
	}, nap, act, code)
}

// TestASweepThatGoesOnBeginsItsChildrenAgain: what was given up with the sweep is the same wish.
func TestASweepThatGoesOnBeginsItsChildrenAgain(t *testing.T) {
	follow := workflow.Define("follow", func(ctx workflow.Context, row query.Row) (string, error) { return row.ID, workflow.Sleep(ctx, hour) })
	sweep := workflow.Define("sweep", func(ctx workflow.Context, _ int) (all []string, _ error) {
		outcomes, err := workflow.ForEach(ctx, []query.Row{{ID: "x", Run: "1"}}, follow)
		for _, o := range outcomes {
			all = append(all, fmt.Sprint(o.Value, o.Err))
		}
		return all, err
	})
	inWorld(t, func(w *world) {
		_, err := runtime.Start(w.ctx(), w.rt, "s", sweep, 1)
		require.NoError(t, err)
		time.Sleep(time.Minute)
		require.NoError(t, w.rt.Terminate(w.ctx(), "s"))
		time.Sleep(time.Minute)
		require.Equal(t, query.Cancelled, w.rows(query.Query{Type: "follow"})[0].Status)
		_, err = w.rt.Retry(w.ctx(), "s")
		require.NoError(t, err)
		out, err := runtime.Result(w.ctx(), w.rt, "s", sweep)
		require.NoError(t, err)
		assert.Equal(t, []string{"x<nil>"}, out)
	}, sweep, follow)
}
