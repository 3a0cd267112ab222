package replay_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/workflow"
)

// started is how the current run began.
func (w *world) started() *history.Started { return w.current()[0].Event.(*history.Started) }

func TestTheNextRunBeginsWithTheOtherInput(t *testing.T) {
	w := begin(t, func(ctx workflow.Context, n int) (string, error) {
		run := workflow.Info(ctx)
		if _, err := workflow.Do(ctx, work, n); err != nil {
			return "", err
		}
		if n < 3 {
			return "", workflow.ContinueAsNew(ctx, n+1)
		}
		return fmt.Sprint(run.Run, " ", run.Number, " ", run.Chain, " ", run.Entries), nil
	}, 1)
	for n := range 3 {
		assert.Equal(t, fmt.Sprint(n+1), string(w.started().Input.Data))
		w.complete(1, 0)
	}
	assert.Equal(t, "run3 3 run1 1", result[string](w))
	assert.Equal(t, []string{
		"started", "activity-scheduled 1", "activity-completed 1", "continued", "started", "activity-scheduled 1", "activity-completed 1", "continued",
		"started", "activity-scheduled 1", "activity-completed 1", "completed",
	}, w.kinds())
}

func TestContinuingIsHeldAgainstTheNextRun(t *testing.T) {
	code := func(by int) func(workflow.Context, int) (int, error) {
		return func(ctx workflow.Context, n int) (int, error) {
			if n < 3 {
				return 0, workflow.ContinueAsNew(ctx, n+by)
			}
			return n, nil
		}
	}
	w := begin(t, code(2), 1)
	require.Equal(t, 3, result[int](w))
	got := held(w, replay.Strict, code(3))
	require.NotNil(t, got)
	assert.Equal(t, replay.Mismatch{
		Seq: 3, Change: replay.Changed, Recorded: "continue as new with 3", Asked: "continue as new with 4", Agreed: 2,
	}, core(got))
	assert.Equal(t, "the code continues as new with another input: recorded is 3, asked 4", got.Why)
	assert.Nil(t, held(w, replay.Names, code(3)), "another input passes with a warning")
	got = held(w, replay.Names, func(ctx workflow.Context, n int) (int, error) { return n, nil })
	require.NotNil(t, got)
	assert.Equal(t, "continue as new", got.Recorded)
	assert.Equal(t, "complete with 1", got.Asked)
	got = held(w, replay.Names, func(ctx workflow.Context, n int) (int, error) { return 0, workflow.ContinueAsNew(ctx, n+2) })
	require.NotNil(t, got)
	assert.Equal(t, "complete with 3", got.Recorded)
	assert.Equal(t, "continue as new with 5", got.Asked)
}

func TestUnreadSignalsTravel(t *testing.T) {
	w := begin(t, func(ctx workflow.Context, n int) ([]int, error) {
		if n < 3 {
			if _, err := halt.Receive(ctx); err != nil {
				return nil, err
			}
			poke.TryReceive(ctx)
			return nil, workflow.ContinueAsNew(ctx, n+1)
		}
		var all []int
		for {
			v, ok := poke.TryReceive(ctx)
			if !ok {
				return append(all, halt.Unread(ctx)), nil
			}
			all = append(all, v)
		}
	}, 1)
	for v := range 4 {
		w.signal(poke.With(v + 1))
	}
	w.signal(halt.With(1))
	assert.Equal(t, []history.Range{{From: 3, To: 5}}, w.started().Carried, "the first was received")
	assert.Equal(t, 3, w.machine.UnreadCount())
	w.signal(poke.With(5))
	w.signal(halt.With(1))
	assert.Equal(t, []int{3, 4, 5, 0}, result[[]int](w))
	assert.Equal(t, []history.Range{{From: 4, To: 5}, {From: 9, To: 9}}, w.started().Carried, "what was carried is carried on")
}

func TestWhatIsCarriedIsThereBeforeTheCodeRuns(t *testing.T) {
	w := begin(t, func(ctx workflow.Context, n int) (string, error) {
		if n == 1 {
			if _, err := halt.Receive(ctx); err != nil {
				return "", err
			}
			return "", workflow.ContinueAsNew(ctx, 2)
		}
		got, err := workflow.Select(ctx, poke, workflow.Default)
		return name(got, map[workflow.Case]string{poke: "poke", workflow.Default: "default"}), err
	}, 1)
	w.signal(poke.With(1))
	w.signal(halt.With(1))
	assert.Equal(t, "poke", result[string](w))
}

// handOver answers updates in its second run; in its first, as first says.
func handOver(first func(workflow.Context, int) (int, error)) func(workflow.Context, int) (int, error) {
	return func(ctx workflow.Context, n int) (int, error) {
		if n == 1 && first != nil {
			plus.Handle(ctx, first)
		}
		if n == 2 {
			plus.Handle(ctx, func(_ workflow.Context, n int) (int, error) { return 100 + n, nil })
		}
		if _, err := halt.Receive(ctx); err != nil {
			return 0, err
		}
		if n == 1 {
			return 0, workflow.ContinueAsNew(ctx, 2)
		}
		return n, nil
	}
}

func TestUpdatesNotBegunTravel(t *testing.T) {
	wait := func(ctx workflow.Context, n int) (int, error) {
		return n, workflow.Await(ctx, func() bool { return false })
	}
	for what, first := range map[string]func(workflow.Context, int) (int, error){
		"no handler": nil, "a handler that only waits": wait,
		"a handler that waits in a coroutine": func(ctx workflow.Context, n int) (int, error) {
			return workflow.BeginFunc(ctx, func(ctx workflow.Context) (int, error) { return wait(ctx, n) }).Get(ctx)
		},
	} {
		t.Run(what, func(t *testing.T) {
			w := begin(t, handOver(first), 1)
			for _, id := range []string{"u1", "u2"} {
				w.give(commands.Update{Update: id, Name: "plus", Input: history.JSON([]byte(id[1:]))})
			}
			require.Empty(t, w.answers())
			w.signal(halt.With(1))
			assert.Equal(t, []history.CarriedUpdate{{Update: "u1", Seq: 2}, {Update: "u2", Seq: 3}}, w.started().Updates)
			assert.Equal(t, []string{"u1 101", "u2 102"}, w.answers(), "in the order in which they were accepted")
			w.signal(halt.With(1))
		})
	}
}

// TestSignalsAndUpdatesAreCarriedInTheirCommonOrder: the code is told them in the order in which they were accepted, also
// when the run is remembered.
func TestSignalsAndUpdatesAreCarriedInTheirCommonOrder(t *testing.T) {
	w := begin(t, func(ctx workflow.Context, n int) (int, error) {
		_, err := halt.Receive(ctx)
		if err == nil && n == 1 {
			err = workflow.ContinueAsNew(ctx, 2)
		}
		return n, err
	}, 1)
	for _, id := range []string{"u1", "u2"} {
		w.give(commands.Update{Update: id, Name: "plus"})
		w.signal(poke.With(1))
	}
	w.signal(halt.With(1))
	var seqs [][]uint64
	config, err := replay.ConfigOf(w.config, w.entries, w.current())
	require.NoError(t, err)
	for _, carried := range [][]replay.Carried{w.config.Carried, config.Carried} {
		var all []uint64
		for _, c := range carried {
			all = append(all, c.Seq)
		}
		seqs = append(seqs, all)
	}
	assert.Equal(t, [][]uint64{{2, 3, 4, 5}, {2, 3, 4, 5}}, seqs)
	assert.Equal(t, w.config.Carried, config.Carried)
	w.signal(halt.With(1))
}

func TestAnUpdateThatIsAnsweredInTheLastTurnDoesNotTravel(t *testing.T) {
	w := begin(t, func(ctx workflow.Context, n int) (int, error) {
		answered := false
		plus.Handle(ctx, func(_ workflow.Context, n int) (int, error) { answered = true; return n, nil })
		err := workflow.Await(ctx, func() bool { return answered || n == 2 })
		if err == nil && n == 1 {
			err = workflow.ContinueAsNew(ctx, 2)
		}
		return n, err
	}, 1)
	require.NoError(t, w.update("u1", "plus", 7))
	assert.Equal(t, []string{"u1 7"}, w.answers())
	assert.Empty(t, w.started().Updates)
	assert.Equal(t, []string{"started", "update-accepted u1", "update-completed u1", "continued", "started", "completed"}, w.kinds())
}

func TestUpdatesThatHaveAskedDoNotTravel(t *testing.T) {
	for what, first := range map[string]func(workflow.Context, int) (int, error){
		"an activity": func(ctx workflow.Context, n int) (int, error) { return workflow.Do(ctx, work, n) },
		"a timer":     func(ctx workflow.Context, n int) (int, error) { return n, workflow.Sleep(ctx, time.Hour) },
		"a child": func(ctx workflow.Context, n int) (int, error) {
			return workflow.Child(ctx, parcel, n, workflow.ID("x"))
		},
		"a coroutine's activity": func(ctx workflow.Context, n int) (int, error) {
			return workflow.BeginFunc(ctx, func(ctx workflow.Context) (int, error) { return workflow.Do(ctx, work, n) }).Get(ctx)
		},
	} {
		t.Run(what, func(t *testing.T) {
			w := begin(t, handOver(first), 1)
			require.NoError(t, w.update("u1", "plus", 1))
			w.signal(halt.With(1))
			if what == "a child" {
				w.childStarts(1) // a run that continues awaits it
			}
			assert.Empty(t, w.started().Updates)
			assert.EqualValues(t, 2, w.state.Run.Number)
			assert.Empty(t, w.answers())
			w.signal(halt.With(1))
		})
	}
}

func TestWhatAnotherCoroutineAsksIsNotTheHandlers(t *testing.T) {
	w := begin(t, func(ctx workflow.Context, n int) (int, error) {
		if n == 2 {
			return n, nil
		}
		asked := false
		plus.Handle(ctx, func(ctx workflow.Context, n int) (int, error) {
			asked = true
			return n, workflow.Await(ctx, func() bool { return false })
		})
		if err := workflow.Await(ctx, func() bool { return asked && poke.Unread(ctx) == 0 }); err != nil {
			return 0, err
		}
		workflow.Begin(ctx, work, 1)
		return 0, workflow.ContinueAsNew(ctx, 2)
	}, 1)
	require.NoError(t, w.update("u1", "plus", 1))
	assert.Equal(t, []history.CarriedUpdate{{Update: "u1", Seq: 2}}, w.started().Updates)
}

func TestUpdatesWhoseHandlersRunAfterTheEndTravel(t *testing.T) {
	t.Run("a handler that the end lets go on", func(t *testing.T) {
		w := begin(t, func(ctx workflow.Context, n int) (int, error) {
			free := n == 2
			plus.Handle(ctx, func(ctx workflow.Context, n int) (int, error) {
				return n, workflow.Await(ctx, func() bool { return free })
			})
			if _, err := halt.Receive(ctx); err != nil {
				return 0, err
			}
			if free = true; n == 1 {
				return 0, workflow.ContinueAsNew(ctx, 2)
			}
			return n, nil
		}, 1)
		require.NoError(t, w.update("u1", "plus", 1))
		w.signal(halt.With(1))
		assert.Equal(t, []history.CarriedUpdate{{Update: "u1", Seq: 2}}, w.started().Updates)
		assert.Equal(t, []string{"u1 1"}, w.answers())
		w.signal(halt.With(1))
	})
	t.Run("a run that goes on at once", func(t *testing.T) {
		w := begin(t, func(ctx workflow.Context, n int) (int, error) {
			if n == 1 {
				if _, err := halt.Receive(ctx); err != nil {
					return 0, err
				}
				return 0, workflow.ContinueAsNew(ctx, 2)
			}
			plus.Handle(ctx, func(_ workflow.Context, n int) (int, error) { return n, nil })
			if n < 4 {
				return 0, workflow.ContinueAsNew(ctx, n+1)
			}
			_, err := halt.Receive(ctx)
			return n, err
		}, 1)
		w.give(commands.Update{Update: "u1", Name: "plus", Input: history.JSON([]byte("1"))})
		w.signal(halt.With(1))
		assert.EqualValues(t, 4, w.state.Run.Number)
		assert.Equal(t, []history.CarriedUpdate{{Update: "u1", Seq: 2}}, w.started().Updates)
		assert.Equal(t, []string{"u1 1"}, w.answers())
		w.signal(halt.With(1))
	})
	t.Run("an update that came after the end", func(t *testing.T) {
		w := begin(t, handOver(func(_ workflow.Context, n int) (int, error) { return n, nil }), 1)
		w.foreign(&history.Signaled{Name: "halt", Value: history.JSON([]byte("1"))}, &history.Signaled{Name: "poke", Value: history.JSON([]byte("1"))},
			&history.UpdateAccepted{Update: "u1", Name: "plus", Input: history.JSON([]byte("1"))})
		w.recall()
		assert.Equal(t, []history.Range{{From: 3, To: 3}}, w.started().Carried)
		assert.Equal(t, []history.CarriedUpdate{{Update: "u1", Seq: 4}}, w.started().Updates)
		assert.Equal(t, []string{"u1 101"}, w.answers())
		w.signal(halt.With(1))
	})
}

func TestSignalsThatComeAfterTheEndAreNotReceived(t *testing.T) {
	listening := func(ctx workflow.Context, n int) (int, error) {
		received := 0
		workflow.Go(ctx, func(ctx workflow.Context) {
			for range poke.All(ctx) {
				received++
			}
		})
		if _, err := halt.Receive(ctx); err != nil {
			return 0, err
		}
		if n == 1 {
			return 0, workflow.ContinueAsNew(ctx, 2)
		}
		return received, nil
	}
	w := begin(t, listening, 1)
	w.foreign(&history.Signaled{Name: "halt", Value: history.JSON([]byte("1"))}, &history.Signaled{Name: "poke", Value: history.JSON([]byte("1"))})
	w.recall()
	assert.Equal(t, []history.Range{{From: 3, To: 3}}, w.started().Carried)
	w.signal(halt.With(1))
	assert.Equal(t, 1, result[int](w))

	w = begin(t, listening, 2)
	w.foreign(&history.Signaled{Name: "halt", Value: history.JSON([]byte("1"))}, &history.Signaled{Name: "poke", Value: history.JSON([]byte("1"))})
	w.recall()
	assert.Equal(t, []uint64{3}, w.entries[3].Event.(*history.Completed).Unread, "what nobody can answer any more is listed")
}

func TestNothingRunsAfterTheEnd(t *testing.T) {
	ran := false
	w := run(t, func(ctx workflow.Context) error {
		workflow.Go(ctx, func(ctx workflow.Context) {
			ran = true
			panic("oh")
		})
		return nil
	})
	assert.NoError(t, w.err)
	assert.False(t, ran)
	assert.Equal(t, history.StatusCompleted, w.state.Status)
}

func TestOptionsOfAContinuation(t *testing.T) {
	region, size := workflow.NewAttribute[string]("region"), workflow.NewAttribute[int]("size")
	w := begin(t, func(ctx workflow.Context, n int) (int, error) {
		if n == 2 {
			return n, nil
		}
		workflow.SetAttributes(ctx, region.Set("eu"), size.Set(3))
		return 0, workflow.ContinueAsNew(ctx, 2, workflow.RunTimeout(time.Hour), workflow.ExecutionTimeout(2*time.Hour), workflow.CorrelationID("c-9"),
			workflow.Memo("m", 1), size.Unset())
	}, 1)
	s := w.started()
	assert.Equal(t, time.Hour, s.RunTimeout)
	assert.Equal(t, dawn.Add(time.Hour), s.RunDeadline)
	assert.Equal(t, dawn.Add(2*time.Hour), s.Deadline)
	assert.Equal(t, "c-9", s.CorrelationID)
	assert.JSONEq(t, `{"m":1}`, string(s.Memo.Data))
	assert.JSONEq(t, `{"region":"eu"}`, string(s.Attributes.Data))
}

func TestMisuseOfContinueAsNewStalls(t *testing.T) {
	large := strings.Repeat("x", 3000)
	for what, c := range map[string]struct {
		code func(workflow.Context) error
		want string
	}{
		"another type": {
			func(ctx workflow.Context) error { return workflow.ContinueAsNew(ctx, "x") },
			"ContinueAsNew: test takes struct {}, got string",
		},
		"dropped": {
			func(ctx workflow.Context) error { _ = workflow.ContinueAsNew(ctx, workflow.None{}); return nil },
			"ContinueAsNew was called and what it returned was not: write return …, workflow.ContinueAsNew(ctx, …)",
		},
		"another error": {
			func(ctx workflow.Context) error {
				_ = workflow.ContinueAsNew(ctx, workflow.None{})
				return errors.New("oh")
			},
			"ContinueAsNew was called and what it returned was not",
		},
		"by a handler": {
			func(ctx workflow.Context) error {
				f := workflow.BeginFunc(ctx, func(ctx workflow.Context) (int, error) { return 0, workflow.ContinueAsNew(ctx, workflow.None{}) })
				_, err := f.Get(ctx)
				if err == nil {
					return errors.New("no error")
				}
				return nil
			},
			"ContinueAsNew was called and what it returned was not",
		},
		"an option": {
			func(ctx workflow.Context) error {
				return workflow.ContinueAsNew(ctx, workflow.None{}, workflow.RunTimeout(-1))
			},
			"ContinueAsNew: clew: RunTimeout is invalid",
		},
		"a memo": {
			func(ctx workflow.Context) error {
				return workflow.ContinueAsNew(ctx, workflow.None{}, workflow.Memo("m", func() {}))
			},
			"ContinueAsNew: clew: Memo is invalid",
		},
		"an attribute": {
			func(ctx workflow.Context) error {
				return workflow.ContinueAsNew(ctx, workflow.None{}, workflow.NewAttribute[string]("a").Set(large))
			},
			"ContinueAsNew: clew: attribute a is invalid",
		},
	} {
		t.Run(what, func(t *testing.T) {
			w := run(t, c.code)
			var stalled *replay.Stalled
			require.ErrorAs(t, w.err, &stalled)
			assert.Contains(t, stalled.Reason, c.want)
			assert.Equal(t, []string{"started"}, w.kinds())
		})
	}
	w := untold(t, replay.Config{MaxPayload: 10, Code: codeOf(func(ctx workflow.Context, _ string) (string, error) {
		return "", workflow.ContinueAsNew(ctx, "much too long for this")
	})})
	w.give(start(t, "x"))
	assert.ErrorContains(t, w.err, "ContinueAsNew: clew: too large")
}

func TestAWrappedContinuationContinues(t *testing.T) {
	w := begin(t, func(ctx workflow.Context, n int) (int, error) {
		if n == 2 {
			return n, nil
		}
		return 0, fmt.Errorf("enough: %w", workflow.ContinueAsNew(ctx, 2))
	}, 1)
	assert.Equal(t, 2, result[int](w))
}

func TestARunThatContinuesAwaitsWhatItHasAskedOfChildren(t *testing.T) {
	for what, opts := range map[string][]workflow.ChildOption{
		"cancelled": nil, "terminated": {workflow.OnParentClose(workflow.TerminateChild)}, "abandoned": {workflow.OnParentClose(workflow.AbandonChild)},
	} {
		t.Run(what, func(t *testing.T) {
			w := begin(t, func(ctx workflow.Context, n int) (int, error) {
				if n == 2 {
					return n, nil
				}
				within, cancel := workflow.WithCancel(ctx)
				workflow.BeginChild(ctx, parcel, 1, opts...)
				workflow.BeginChild(within, parcel, 2, opts...)
				cancel()
				return 0, workflow.ContinueAsNew(ctx, 2)
			}, 1)
			require.EqualValues(t, 1, w.state.Run.Number)
			w.childStarts(1)
			w.childStarts(2)
			require.EqualValues(t, 1, w.state.Run.Number, "the second is not asked to end yet")
			w.childTold(2)
			assert.Equal(t, 2, result[int](w))
			assert.Equal(t, []string{
				"started", "child-asked 1", "child-asked 2", "child-cancel-requested 2", "child-started", "child-started", "child-cancel-delivered", "continued",
				"started", "completed",
			}, w.kinds())
			assert.Equal(t, 1, w.entries[7].Event.(*history.Continued).Children)
			assert.True(t, w.started().HadChildren)
		})
	}
}

func TestChildrenOfDifferentRunsHaveDifferentIDs(t *testing.T) {
	w := begin(t, func(ctx workflow.Context, n int) (string, error) {
		f := workflow.BeginChild(ctx, parcel, n)
		if n == 2 {
			return f.ID, nil
		}
		return "", workflow.ContinueAsNew(ctx, 2)
	}, 1)
	w.childStarts(1)
	assert.Equal(t, "w1~1.1", w.entries[1].Event.(*history.ChildAsked).ID)
	assert.Equal(t, "w1~2.1", result[string](w))
}

func TestGatesAndKeptValuesAreOfTheirRun(t *testing.T) {
	w := begin(t, func(ctx workflow.Context, n int) ([]int, error) {
		v := workflow.Value(ctx, "v", func() int { return n })
		l := workflow.Latest(ctx, "l", func() int { return n })
		gate := workflow.Variant(ctx, "g", n)
		if n < 3 {
			return nil, workflow.ContinueAsNew(ctx, n+1)
		}
		return []int{v, l, gate}, nil
	}, 1)
	assert.Equal(t, []int{3, 3, 3}, result[[]int](w))
}

func TestShouldContinueAsNewAtFourFifthsOfTheBudget(t *testing.T) {
	loop := func(ctx workflow.Context, _ int) (n int, err error) {
		for n < 50 && !workflow.ShouldContinueAsNew(ctx) {
			if _, err := poke.Receive(ctx); err != nil {
				return 0, err
			}
			n++
		}
		return n, nil
	}
	t.Run("entries", func(t *testing.T) {
		w := untold(t, replay.Config{Code: codeOf(loop)})
		s := start(t, 1)
		s.Budget = history.Budget{Entries: 10}
		w.give(s)
		for w.state.Open() {
			w.signal(poke.With(1))
		}
		assert.Equal(t, 7, result[int](w), "the eighth entry of ten")
		w.replays()
	})
	t.Run("bytes", func(t *testing.T) {
		w := untold(t, replay.Config{Code: codeOf(loop)})
		s := start(t, 1)
		s.Budget = history.Budget{Bytes: 2000}
		w.give(s)
		sizes := []int{}
		for w.state.Open() {
			sizes = append(sizes, w.state.Bytes)
			w.signal(poke.With(1))
		}
		assert.GreaterOrEqual(t, sizes[len(sizes)-1], 1600)
		assert.Less(t, sizes[len(sizes)-2], 1600)
		w.replays()
	})
	t.Run("open", func(t *testing.T) {
		w := untold(t, replay.Config{Code: codeOf(func(ctx workflow.Context, _ int) ([]int, error) {
			var opened []int
			for round := range 2 {
				n := 0
				within, cancel := workflow.WithCancel(ctx)
				for ; n < 50 && !workflow.ShouldContinueAsNew(ctx); n++ {
					switch n % 4 {
					case 0:
						workflow.Begin(within, work, n)
					case 1:
						workflow.NewTimer(within, time.Hour)
					case 2:
						workflow.BeginChild(within, parcel, n)
					case 3:
						workflow.Go(ctx, func(ctx workflow.Context) { _ = workflow.Send(ctx, "other", poke.With(n)) })
						workflow.Begin(within, work, n)
					}
				}
				opened = append(opened, n)
				cancel()
				if round == 0 {
					if _, err := poke.Receive(ctx); err != nil {
						return nil, err
					}
				}
			}
			return opened, nil
		})})
		s := start(t, 1)
		s.Budget = history.Budget{Open: 10}
		w.give(s)
		w.signal(poke.With(1))
		assert.Equal(t, []int{8, 6}, result[[]int](w), "what was given up is not open any more, the two signals are")
		w.replays()
	})
	t.Run("standard", func(t *testing.T) {
		var got workflow.Budget
		run(t, func(ctx workflow.Context) error { got = workflow.Info(ctx).Budget; return nil })
		assert.Equal(t, workflow.Budget{Entries: 10_000, Bytes: 16 << 20, Open: 1000}, got)
	})
}

func TestVerifyNeedsWhatARunCarries(t *testing.T) {
	w := begin(t, handOver(nil), 1)
	w.signal(poke.With(1))
	w.signal(halt.With(1))
	w.signal(halt.With(1))
	require.Equal(t, 2, result[int](w))
	err := replay.Verify(w.codes, replay.Strict, w.current())
	assert.ErrorContains(t, err, "replay: entry 2, which run 2 carries on: it is not among those at hand")
}

func TestWhatContinuesIsAnErrorToNobodyElse(t *testing.T) {
	w := begin(t, func(ctx workflow.Context, n int) (int, error) {
		if n == 2 {
			return n, nil
		}
		_, err := workflow.Do(ctx, work, 1, activity.MaxAttempts(1))
		return 0, errors.Join(err, workflow.ContinueAsNew(ctx, 2))
	}, 1)
	w.fail(1, errNo)
	assert.Equal(t, 2, result[int](w))
}
