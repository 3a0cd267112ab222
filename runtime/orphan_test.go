package runtime_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/workflow"
)

// flaky is a log that sometimes is not to be had for one execution.
type flaky struct {
	store.Log
	store.Tails
	id    string
	after atomic.Int64 // appends that go through before
	down  atomic.Int64 // how often its next reads and appends fail; negative: always
}

func (l *flaky) fails(id history.ID) error {
	if id.Workflow == l.id && l.after.Load() <= 0 && l.down.Load() != 0 {
		l.down.Add(-1)
		return store.ErrUnavailable
	}
	return nil
}

func (l *flaky) Tail(ctx context.Context, id history.ID) (store.Tail, bool, error) {
	if err := l.fails(id); err != nil {
		return store.Tail{}, false, err
	}
	return l.Tails.Tail(ctx, id)
}

func (l *flaky) AppendTail(ctx context.Context, id history.ID, tail *store.Tail, entries ...history.Entry) error {
	if id.Workflow == l.id && l.after.Add(-1) >= 0 {
		return l.Tails.AppendTail(ctx, id, tail, entries...)
	}
	if err := l.fails(id); err != nil {
		return err
	}
	return l.Tails.AppendTail(ctx, id, tail, entries...)
}

// keeper begins children and waits.
var keeper = workflow.Define("keeper", func(ctx workflow.Context, ids []string) (workflow.None, error) {
	for _, id := range ids {
		workflow.BeginChild(ctx, parcel, "wait", workflow.ID(id))
	}
	_, err := finish.Receive(ctx)
	return workflow.None{}, err
})

// flakyWorld is a world on a flaky log.
func flakyWorld(t *testing.T, id string, c runtime.Config, f func(w *world, log *flaky)) {
	newWorldOf(t, c, func(w *world) {
		w.close()
		disk := w.disk.Open()
		log := &flaky{Log: disk, Tails: disk, id: id}
		w.c.Log = log
		w.openOn(keeper, parcel)
		f(w, log)
	}, keeper, parcel)
}

// TestAChildThatStartsAfterTheEndOfItsParentFollowsIt also if that cannot be recorded at once.
func TestAChildThatStartsAfterTheEndOfItsParentFollowsIt(t *testing.T) {
	var end func()
	c := runtime.Config{Hooks: runtime.Hooks{Errands: func(e runtime.Errand) {
		go func() {
			if e.What == "start" { // while it is under way
				end()
			}
			e.Do()
		}()
	}}}
	flakyWorld(t, "child", c, func(w *world, log *flaky) {
		end = func() {
			require.NoError(t, w.rt.Terminate(w.ctx(), "p"))
			time.Sleep(time.Second)
			log.after.Store(1)
			log.down.Store(3)
		}
		_, err := runtime.Start(w.ctx(), w.rt, "p", keeper, []string{"child"})
		require.NoError(t, err)
		time.Sleep(hour)
		assert.Empty(t, w.rows(query.Query{Status: query.Open}))
		assert.Equal(t, []string{"started", "cancel-requested", "cancelled"}, w.kinds("child"))
	})
}

// TestAChildLooksForItsParentUntilItKnows: at the start of the process its own history, or its parent's, may not be readable yet.
func TestAChildLooksForItsParentUntilItKnows(t *testing.T) {
	for _, id := range []string{"p", "child"} {
		t.Run(id, func(t *testing.T) {
			flakyWorld(t, id, runtime.Config{Hooks: runtime.Hooks{Errands: func(e runtime.Errand) {
				if e.What != "end its children" { // as if the process had died
					go e.Do()
				}
			}}}, func(w *world, _ *flaky) {
				_, err := runtime.Start(w.ctx(), w.rt, "p", keeper, []string{"child"})
				require.NoError(t, err)
				time.Sleep(time.Second)
				require.NoError(t, w.rt.Terminate(w.ctx(), "p"))
				time.Sleep(time.Second)
				w.close()

				disk := w.disk.Open()
				log := &flaky{Log: disk, Tails: disk, id: id}
				log.down.Store(3)
				w.c.Log = log
				w.openOn(keeper, parcel)
				time.Sleep(hour)
				assert.Empty(t, w.rows(query.Query{Status: query.Open}))
			})
		})
	}
}

// TestOneChildThatCannotBeReachedKeepsNoOtherFromFollowing.
func TestOneChildThatCannotBeReachedKeepsNoOtherFromFollowing(t *testing.T) {
	flakyWorld(t, "a", runtime.Config{}, func(w *world, log *flaky) {
		_, err := runtime.Start(w.ctx(), w.rt, "p", keeper, []string{"a", "b", "c"})
		require.NoError(t, err)
		time.Sleep(time.Second)
		log.down.Store(-1)
		require.NoError(t, w.rt.Terminate(w.ctx(), "p"))
		time.Sleep(time.Minute)
		assert.Len(t, w.rows(query.Query{Status: query.Open}), 1)
		log.down.Store(0)
		time.Sleep(time.Minute)
		assert.Empty(t, w.rows(query.Query{Status: query.Open}))
	})
}
