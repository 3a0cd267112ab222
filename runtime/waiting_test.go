package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/workflow"
)

// greeting begins a child and sends it a signal, without waiting for its start.
var greeting = workflow.Define("greeting", func(ctx workflow.Context, what string) (string, error) {
	child := workflow.BeginChild(ctx, parcel, what)
	err := workflow.Send(ctx, child.ID, number.With(1))
	out, failed := child.Get(ctx)
	return fmt.Sprint(out, " ", errors.Is(err, workflow.ErrNotRunning), err == nil), failed
})

// TestAMessageToAChildThatEndsAtOnceIsAnswered: the end of the child may be told before its start.
func TestAMessageToAChildThatEndsAtOnceIsAnswered(t *testing.T) {
	var mu sync.Mutex
	var held []runtime.Errand
	c := runtime.Config{Hooks: runtime.Hooks{Errands: func(e runtime.Errand) {
		switch e.What {
		case "start": // after the message was tried
			mu.Lock()
			defer mu.Unlock()
			held = append(held, e)
		case "tell its parent": // before its parent is told of its start
			e.Do()
		default:
			go e.Do()
		}
	}}}
	newWorldOf(t, c, func(w *world) {
		h, err := runtime.Start(w.ctx(), w.rt, "p", greeting, "nothing")
		require.NoError(t, err)
		time.Sleep(time.Second)
		mu.Lock()
		require.Len(t, held, 1)
		mu.Unlock()
		held[0].Do()
		ctx, cancel := context.WithTimeout(w.ctx(), hour)
		defer cancel()
		out, err := h.Result(ctx)
		require.NoError(t, err)
		assert.Equal(t, "did nothing true false", out)
		assert.NotContains(t, w.kinds("p"), "child-started")
	}, greeting, parcel)
}

// tooLarge is a log that takes nothing for one execution.
type tooLarge struct {
	store.Log
	store.Tails
	of string
}

func (l *tooLarge) AppendTail(ctx context.Context, id history.ID, tail *store.Tail, entries ...history.Entry) error {
	if id.Workflow == l.of {
		return store.ErrTooLarge
	}
	return l.Tails.AppendTail(ctx, id, tail, entries...)
}

// TestAMessageToAChildThatCannotBeStartedIsAnswered.
func TestAMessageToAChildThatCannotBeStartedIsAnswered(t *testing.T) {
	refused := workflow.Define("refused", func(ctx workflow.Context, _ workflow.None) (string, error) {
		child := workflow.BeginChild(ctx, parcel, "wait")
		err := workflow.Send(ctx, child.ID, number.With(1))
		_, failed := child.Get(ctx)
		return fmt.Sprint(errors.Is(err, workflow.ErrNotFound), failed != nil), nil
	})
	newWorldOf(t, runtime.Config{}, func(w *world) {
		w.close()
		disk := w.disk.Open()
		w.c.Log = &tooLarge{Log: disk, Tails: disk, of: "p~1.1"}
		var mu sync.Mutex
		var held []runtime.Errand
		w.c.Hooks.Errands = func(e runtime.Errand) {
			if e.What != "start" {
				go e.Do()
				return
			}
			mu.Lock()
			defer mu.Unlock()
			held = append(held, e)
		}
		w.openOn(refused, parcel)
		h, err := runtime.Start(w.ctx(), w.rt, "p", refused, workflow.None{})
		require.NoError(t, err)
		time.Sleep(time.Second)
		mu.Lock()
		start := slices.Clone(held)
		mu.Unlock()
		require.Len(t, start, 1)
		start[0].Do()
		ctx, cancel := context.WithTimeout(w.ctx(), hour)
		defer cancel()
		out, err := h.Result(ctx)
		require.NoError(t, err)
		assert.Equal(t, "true true", out)
	}, refused, parcel)
}
