package replay_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/workflow"
)

var progress = workflow.NewQuery[string]("progress")

// list charges under a lock, while one coroutine waits for the lock and another for a signal or a minute.
func list(ctx workflow.Context, n int) (int, error) {
	stage := "charging"
	progress.Handle(ctx, func() string { return stage })
	var lock workflow.Mutex
	_ = lock.Lock(ctx)
	workflow.Go(ctx, func(ctx workflow.Context) { _ = lock.Lock(ctx) })
	workflow.Go(ctx, func(ctx workflow.Context) { _, _ = workflow.Select(ctx, poke, workflow.NewTimer(ctx, time.Minute)) })
	if err := pay(ctx, n); err != nil {
		return 0, err
	}
	stage = "done"
	lock.Unlock()
	return n, workflow.Sleep(ctx, time.Hour)
}

func pay(ctx workflow.Context, n int) error {
	_, err := workflow.Do(ctx, charge, n)
	return err
}

func lists(t *testing.T) *world {
	w := begin(t, list, 7)
	w.signal(halt.With(3))
	w.fail(1, assert.AnError)
	w.pass(2 * time.Minute)
	w.complete(1, 1)
	return w
}

func standAt(t *testing.T, w *world, until uint64, questions ...replay.Question) *replay.Stand {
	t.Helper()
	s, err := replay.StandAt(w.config, w.entries, until, questions...)
	require.NoError(t, err)
	return s
}

// functions are the names of the calls of a stack, from the outermost to the innermost.
func functions(p replay.Parked) string {
	var names []string
	for _, f := range p.Stack {
		names = append([]string{f.Function[strings.LastIndex(f.Function, "/")+1:]}, names...)
	}
	return strings.Join(names, " > ")
}

func TestAStandSaysWhereEachCoroutineWaitsAndForWhat(t *testing.T) {
	w := lists(t)
	s := standAt(t, w, 3)
	require.Len(t, s.Coroutines, 3)
	pays := s.Coroutines[0]
	assert.Equal(t, "main", pays.Name)
	assert.Equal(t, "replay_test.list > replay_test.pay", functions(pays))
	assert.True(t, strings.HasSuffix(pays.Stack[0].File, "stand_test.go"), pays.Stack[0].File)
	assert.Equal(t, []replay.Wait{{For: "activity charge (step 1)", Step: 1, State: "attempt 1 until 2026-03-02T08:00:00Z"}}, pays.Waits)
	assert.Equal(t, []replay.Wait{{For: "a mutex"}}, s.Coroutines[1].Waits)
	assert.Equal(t, "replay_test.list.func2", functions(s.Coroutines[1]))
	assert.Equal(t, []replay.Wait{
		{For: "signal poke"}, {For: "a timer of 1m0s (step 2)", Step: 2, State: "due 2026-03-01T08:01:00Z"},
	}, s.Coroutines[2].Waits)
	assert.Empty(t, s.Asked)
	assert.Equal(t, "test", s.Workflow)
	assert.False(t, s.Closed)
}

func TestAStandIsThatOfItsEntry(t *testing.T) {
	w := lists(t)
	require.Equal(t, []string{
		"started", "activity-scheduled 1", "timer-started 2", "signaled", "attempt-failed", "timer-fired 2", "activity-completed 1", "timer-started 3",
	}, w.kinds()[:8])

	s := standAt(t, w, 1)
	assert.Equal(t, []string{"activity charge, step 1, input 7", "timer of 1m0s, step 2"}, s.Asked, "what the code has asked and was not recorded by then")

	s = standAt(t, w, 5, replay.Question{Query: "progress"})
	assert.Equal(t, uint64(5), s.Seq)
	assert.Equal(t, []replay.Unread{{Seq: 4, Name: "halt", Value: json.RawMessage("3")}}, s.Unread)
	assert.Contains(t, s.Coroutines[0].Waits[0].State, "attempt 2, which is put off until")
	assert.Equal(t, []replay.Answer{{Query: "progress", Value: json.RawMessage(`"charging"`)}}, s.Answers)
	require.Len(t, s.Open, 2)

	s = standAt(t, w, 0, replay.Question{Query: "progress"}, replay.Question{Query: "price"})
	assert.Equal(t, uint64(8), s.Seq)
	require.Len(t, s.Coroutines, 1)
	assert.Equal(t, "a timer of 1h0m0s (step 3)", s.Coroutines[0].Waits[0].For)
	assert.Equal(t, json.RawMessage(`"done"`), s.Answers[0].Value)
	assert.Contains(t, s.Answers[1].Error, "progress", "an unknown query is answered with those that there are")

	w.pass(time.Hour)
	s = standAt(t, w, 0)
	assert.True(t, s.Closed)
	assert.Empty(t, s.Coroutines)
}

func TestAStandEndsWhereCodeAndHistoryPart(t *testing.T) {
	w := lists(t)
	s, err := replay.StandAt(replay.Config{Code: codeOf(shop)}, w.entries, 0)
	require.NoError(t, err)
	require.NotNil(t, s.Mismatch)
	assert.Equal(t, s.Mismatch.Agreed, s.Seq)
	assert.Contains(t, s.Mismatch.Error(), "entry 3")
	assert.Equal(t, "activity charge (step 1)", s.Coroutines[0].Waits[0].For)

	s, err = replay.StandAt(replay.Config{Code: codeOf(func(workflow.Context, int) (int, error) { panic("bad day") })}, w.entries, 0)
	require.NoError(t, err)
	require.NotNil(t, s.Stalled)
	assert.Equal(t, "panic: bad day", s.Stalled.Reason)
	assert.Contains(t, s.Stalled.Stack, "stand_test.go")
	text, err := json.Marshal(s)
	require.NoError(t, err)
	assert.Contains(t, string(text), `"reason":"panic: bad day"`)
}

func TestAStandOfALaterRunHasWhatWasCarried(t *testing.T) {
	type state struct{ Round int }
	w := begin(t, func(ctx workflow.Context, s state) (int, error) {
		if s.Round == 0 {
			if err := workflow.Sleep(ctx, time.Hour); err != nil {
				return 0, err
			}
			return 0, workflow.ContinueAsNew(ctx, state{1})
		}
		return halt.Receive(ctx)
	}, state{})
	w.signal(poke.With(5))
	w.pass(time.Hour)
	run := w.current()
	c, err := replay.ConfigOf(w.config, w.entries, run)
	require.NoError(t, err)
	s, err := replay.StandAt(c, run, 0)
	require.NoError(t, err)
	assert.Equal(t, []replay.Unread{{Seq: 3, Name: "poke", Value: json.RawMessage("5")}}, s.Unread)
	assert.Equal(t, "signal halt", s.Coroutines[0].Waits[0].For)
	_, err = replay.StandAt(c, run, 2)
	assert.ErrorContains(t, err, "no entry 2 in the run")
	require.IsType(t, &history.Started{}, run[0].Event)
}
