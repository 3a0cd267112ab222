package witness

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/store"
)

// until returns the first line of a kind that a process tells.
func until(t *testing.T, l *life, what string) line {
	t.Helper()
	patience := time.After(answerWithin)
	for {
		select {
		case told, ok := <-l.lines:
			if !ok {
				t.Fatalf("process %d ended before it told that it is %s:\n%s", l.number, what, tail(l.stderr.String()))
			}
			if told.What == what {
				return told
			}
		case <-patience:
			t.Fatalf("process %d did not tell that it is %s within %s", l.number, what, answerWithin)
		}
	}
}

// gone kills a process and waits until it has ended.
func (l *life) gone() {
	l.kill()
	for range l.lines {
	}
	_ = l.end()
}

func TestSecondProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	first := born(t, dir, 1)
	defer first.gone()
	until(t, first, openLine)

	second := born(t, dir, 2)
	defer second.gone()
	refused := until(t, second, refusedLine)
	assert.Equal(t, store.ErrInUse.Error(), refused.Error)
	assert.Contains(t, refused.Text, dir, "the error says which directory it is about")
	assert.Less(t, time.Duration(refused.Millis)*time.Millisecond, time.Second)

	began := time.Now()
	_, err := runtime.Open(context.Background(), runtime.Config{Store: dir})
	require.ErrorIs(t, err, store.ErrInUse, "the test itself is a second process, too")
	assert.Less(t, time.Since(began), time.Second)

	// The one that was there first has not noticed anything.
	first.ask(request{Number: 1, What: await, ID: "ready", Kind: chainKind, Request: "ready", Size: 1})
	until(t, first, readyLine)
}

func TestLockOfKilledProcessIsNoObstacle(t *testing.T) {
	dir := t.TempDir()
	for n := range 3 {
		l := born(t, dir, n)
		until(t, l, openLine)
		l.gone()
	}
	began := time.Now()
	rt, err := runtime.Open(context.Background(), runtime.Config{Store: dir})
	require.NoError(t, err)
	assert.Less(t, time.Since(began), readyWithin)
	require.NoError(t, rt.Close())
}
