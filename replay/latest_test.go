package replay_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/workflow"
)

// rates reads a rate each time it is poked, and returns all that it read.
func rates(rate *int, read *int) func(workflow.Context, int) ([]int, error) {
	return func(ctx workflow.Context, n int) (all []int, err error) {
		for range n {
			if _, err := poke.Receive(ctx); err != nil {
				return nil, err
			}
			all = append(all, workflow.Latest(ctx, "rate", func() int { *read++; return *rate }))
		}
		return all, nil
	}
}

// calls are the calls at which a value was kept.
func (w *world) calls(name string) (all []int) {
	for _, e := range w.entries {
		if k, ok := e.Event.(*history.Kept); ok && k.Name == name && !k.Gate {
			all = append(all, k.Call)
		}
	}
	return all
}

func TestAValueThatChangesIsKeptWhenItHasChanged(t *testing.T) {
	rate, read := 0, 0
	w := begin(t, rates(&rate, &read), 6)
	for _, now := range []int{4, 4, 5, 5, 4, 4} {
		rate = now
		w.signal(poke.With(1))
	}
	assert.Equal(t, []int{4, 4, 5, 5, 4, 4}, result[[]int](w))
	assert.Equal(t, []int{1, 3, 5}, w.calls("rate"))
	assert.Equal(t, 6, read)
	rate = 9
	require.NoError(t, replay.Verify(w.codes, replay.Strict, w.entries))
	assert.Equal(t, 6, read, "what was kept is not read again")
	w.err = assert.AnError // each prefix reads again what was not kept yet: this code counts that
}

func TestEachCallGivesWhatItGaveBefore(t *testing.T) {
	rate, read := 4, 0
	w := begin(t, rates(&rate, &read), 4)
	w.signal(poke.With(1))
	w.signal(poke.With(1))
	rate = 7 // and nobody has read it
	w.foreign()
	w.recall()
	assert.Equal(t, 2, read, "remembering reads nothing")
	w.signal(poke.With(1))
	w.foreign()
	w.recall()
	w.signal(poke.With(1))
	assert.Equal(t, []int{4, 4, 7, 7}, result[[]int](w))
	assert.Equal(t, []int{1, 3}, w.calls("rate"))
	assert.Equal(t, 4, read)
	w.err = assert.AnError
}

func TestAnInputThatWasNotToldIsReadLive(t *testing.T) {
	rate, read := 4, 0
	w := begin(t, rates(&rate, &read), 3)
	w.signal(poke.With(1))
	w.foreign(&history.Signaled{Name: "poke", Value: history.JSON([]byte("1"))}, &history.Signaled{Name: "poke", Value: history.JSON([]byte("1"))})
	rate = 7
	w.recall()
	assert.Equal(t, []int{4, 7, 7}, result[[]int](w))
	assert.Equal(t, []int{1, 2}, w.calls("rate"))
	w.err = assert.AnError
}

func TestValuesThatChangeAreKeptByName(t *testing.T) {
	w := yields(t, func(ctx workflow.Context) ([]int, error) {
		n := 0
		next := func() int { n++; return n }
		one := func() int { return 1 }
		return []int{
			workflow.Latest(ctx, "a", next), workflow.Latest(ctx, "b", one), workflow.Value(ctx, "a", next), workflow.Latest(ctx, "b", one),
			workflow.Latest(ctx, "a", next), workflow.Value(ctx, "a", next),
		}, nil
	})
	assert.Equal(t, []int{1, 1, 2, 1, 3, 2}, result[[]int](w), "a value that never changes is another thing")
	assert.Equal(t, []int{1, 0, 2}, w.calls("a"))
	assert.Equal(t, []int{1}, w.calls("b"))
}

func TestAValueThatChangesAddedToCodeWithOpenRunsIsKeptFromThenOn(t *testing.T) {
	w := begin(t, before, 1)
	w.complete(1, 1)
	rate := 4
	deploy(w, func(ctx workflow.Context, n int) (int, error) {
		_ = workflow.Latest(ctx, "rate", func() int { return rate })
		if _, err := workflow.Do(ctx, charge, n); err != nil {
			return 0, err
		}
		if _, err := workflow.Do(ctx, ship, n); err != nil {
			return 0, err
		}
		return workflow.Latest(ctx, "rate", func() int { return rate }), nil
	})
	rate = 5
	w.complete(2, 2)
	assert.Equal(t, 5, result[int](w))
	assert.Equal(t, []int{1, 2}, w.calls("rate"))
}

func TestAKeptValueThatIsTooLargeStalls(t *testing.T) {
	for _, keep := range []func(workflow.Context, string, func() string) string{workflow.Value[string], workflow.Latest[string]} {
		w := untold(t, replay.Config{MaxPayload: 10, Code: codeOf(func(ctx workflow.Context, _ int) (string, error) {
			return keep(ctx, "v", func() string { return strings.Repeat("x", 20) }), nil
		})})
		w.give(start(t, 1))
		assert.EqualError(t, w.err, "value v: "+commands.ErrTooLarge.Error()+": 22 bytes, the limit is 10")
	}
}

func TestAKeptValueOfAnotherTypeStalls(t *testing.T) {
	w := run(t, func(ctx workflow.Context) error {
		workflow.Latest(ctx, "v", func() string { return "x" })
		_, err := halt.Receive(ctx)
		return err
	})
	code := codeOf(workflow.NoResult(func(ctx workflow.Context, _ workflow.None) error {
		workflow.Latest(ctx, "v", func() int { return 1 })
		_, err := halt.Receive(ctx)
		return err
	}))
	err := replay.Verify(func(string, int) workflow.Code { return code }, replay.Names, w.entries)
	var stalled *replay.Stalled
	require.ErrorAs(t, err, &stalled)
	assert.Contains(t, stalled.Reason, "value v: ")
}

// TestGatesSeeNewDecisions: a gate without a marker is old while any kind of decision remains that the code has not asked for.
func TestGatesSeeNewDecisions(t *testing.T) {
	for what, c := range map[string]struct {
		next func(workflow.Context) error // what the code asks behind the gate
		end  func(*world)
	}{
		"a child": {
			func(ctx workflow.Context) error {
				_, err := workflow.Child(ctx, parcel, 1, workflow.ID("x"))
				return err
			},
			func(w *world) { w.childCompletes(w.state.Run.Steps, 1) },
		},
		"a send":     {func(ctx workflow.Context) error { return workflow.Send(ctx, "x", poke.With(1)) }, func(w *world) { w.sent(w.state.Run.Steps, "") }},
		"attributes": {func(ctx workflow.Context) error { workflow.SetAttributes(ctx, attr(1)); return nil }, nil},
		"a view":     {func(ctx workflow.Context) error { workflow.Publish(ctx, 1); return nil }, nil},
	} {
		t.Run(what, func(t *testing.T) {
			code := func(gated bool) func(workflow.Context, int) (bool, error) {
				return func(ctx workflow.Context, _ int) (bool, error) {
					_, err := workflow.Do(ctx, charge, 1)
					gate := gated && workflow.Patched(ctx, "g")
					if err == nil && gate {
						_, err = workflow.Do(ctx, work, 1)
					}
					if err == nil {
						err = c.next(ctx)
					}
					if err == nil {
						_, err = halt.Receive(ctx)
					}
					return gate, err
				}
			}
			w := begin(t, code(false), 0)
			w.complete(1, 0)
			deploy(w, code(true))
			if c.end != nil {
				c.end(w)
			}
			w.signal(halt.With(1))
			assert.False(t, result[bool](w), "the run had passed the gate")

			w = begin(t, code(false), 0)
			deploy(w, code(true))
			w.complete(1, 0)
			w.complete(2, 0)
			if c.end != nil {
				c.end(w)
			}
			w.signal(halt.With(1))
			assert.True(t, result[bool](w), "the run came to the gate with the new code")
		})
	}
}

func TestAGateInAHandlerIsOldWhenItsAnswerIsRecorded(t *testing.T) {
	code := func(gated bool) func(workflow.Context, int) (bool, error) {
		return func(ctx workflow.Context, _ int) (gate bool, _ error) {
			plus.Handle(ctx, func(ctx workflow.Context, n int) (int, error) {
				if gate = gated && workflow.Patched(ctx, "g"); gate {
					return n + 1, nil
				}
				return n, nil
			})
			_, err := halt.Receive(ctx)
			return gate, err
		}
	}
	w := begin(t, code(false), 0)
	require.NoError(t, w.update("u1", "plus", 1))
	deploy(w, code(true))
	require.NoError(t, w.update("u2", "plus", 1))
	w.signal(halt.With(1))
	assert.False(t, result[bool](w), "a gate never turns")
	assert.Equal(t, []string{"u1 1", "u2 1"}, w.answers())
}

// TestAGateBehindTheCancelOfAChildIsNew, where the turn is not answered in full: all that is recorded was asked before it.
func TestAGateBehindTheCancelOfAChildIsNew(t *testing.T) {
	w := untold(t, replay.Config{Code: codeOf(func(ctx workflow.Context, _ int) (bool, error) {
		within, cancel := workflow.WithCancel(ctx)
		workflow.BeginChild(within, parcel, 1)
		cancel()
		gate := workflow.Patched(ctx, "g")
		_, err := halt.Receive(ctx)
		return gate, err
	})})
	w.foreignly(start(t, 1))
	w.foreign(&history.ChildAsked{Step: 1, ID: "w1~1.1", Type: "parcel", Input: history.JSON([]byte("1"))}, &history.ChildCancelRequested{Step: 1})
	w.recall()
	assert.Equal(t, []string{"started", "child-asked 1", "child-cancel-requested 1", "kept"}, w.kinds())
	w.signal(halt.With(1))
	assert.True(t, result[bool](w))
}

// TestAGateInATurnThatIsNotAnsweredInFull is old if what is recorded was asked behind it.
func TestAGateInATurnThatIsNotAnsweredInFull(t *testing.T) {
	w := untold(t, replay.Config{Code: codeOf(func(ctx workflow.Context, _ int) (bool, error) {
		gate := workflow.Patched(ctx, "g")
		workflow.Publish(ctx, 1)
		workflow.Publish(ctx, 2)
		return gate, nil
	})})
	w.foreignly(start(t, 1))
	w.foreign(&history.Published{View: history.JSON([]byte("1"))})
	w.recall()
	assert.False(t, result[bool](w))
	assert.Equal(t, []string{"started", "published", "published", "completed"}, w.kinds())
}

func TestAGateBehindAChildThatWasGivenUp(t *testing.T) {
	code := func(gated bool) func(workflow.Context, int) (bool, error) {
		return func(ctx workflow.Context, _ int) (bool, error) {
			within, cancel := workflow.WithCancel(ctx)
			workflow.BeginChild(within, parcel, 1)
			_, err := poke.Receive(ctx)
			cancel() // leaves no entry: the child has ended before the place
			gate := gated && workflow.Patched(ctx, "g")
			if err == nil {
				_, err = halt.Receive(ctx)
			}
			return gate, err
		}
	}
	w := begin(t, code(false), 0)
	w.foreign(&history.Signaled{Name: "poke", Value: history.JSON([]byte("1"))}, &history.ChildClosed{Step: 1, Status: history.StatusCompleted})
	w.recall()
	w.signal(halt.With(1))
	require.False(t, result[bool](w))
	assert.Nil(t, held(w, replay.Strict, code(true)), "the end remains, so the gate is old; the cancel that left no entry is not counted")
	w.gated = true
}
