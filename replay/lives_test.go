package replay_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/workflow"
)

// busyness is what code can do when it is poked, by the number it is poked with.
var busyness = []func(workflow.Context, int) error{
	func(ctx workflow.Context, n int) error { _, err := workflow.Do(ctx, work, n); return err },
	func(ctx workflow.Context, n int) error { return workflow.Sleep(ctx, time.Duration(n)*time.Minute) },
	func(ctx workflow.Context, n int) error { _, err := workflow.Child(ctx, parcel, n); return err },
	func(ctx workflow.Context, n int) error {
		f := workflow.BeginChild(ctx, parcel, n, workflow.OnParentClose(workflow.AbandonChild))
		return f.Started(ctx)
	},
	func(ctx workflow.Context, n int) error {
		within, cancel := workflow.WithTimeout(ctx, time.Minute)
		defer cancel()
		_, err := workflow.Child(within, parcel, n, workflow.OnCancel(activity.WaitCancelled))
		return err
	},
	func(ctx workflow.Context, n int) error {
		return workflow.Send(ctx, fmt.Sprint("other", n), poke.With(n))
	},
	func(ctx workflow.Context, n int) error { return workflow.SendCancel(ctx, "other") },
	func(ctx workflow.Context, n int) error {
		_, err := workflow.Find(ctx, query.Query{Most: n})
		return err
	},
	func(ctx workflow.Context, n int) error {
		_, err := workflow.Count(ctx, query.Query{Most: n})
		return err
	},
	func(ctx workflow.Context, n int) error { workflow.SetAttributes(ctx, attr(n)); return nil },
	func(ctx workflow.Context, n int) error { workflow.Publish(ctx, n); return nil },
	func(ctx workflow.Context, n int) error {
		_, err := workflow.Step(ctx, "load", func(context.Context) (int, error) { return n, nil })
		return err
	},
	func(ctx workflow.Context, n int) error {
		_, progress := workflow.BeginWatched[int](ctx, work, n)
		_, _, err := progress.Receive(ctx)
		return err
	},
	func(ctx workflow.Context, n int) error {
		_, err := workflow.Map(ctx, upTo(n), doWork, workflow.Limit(2))
		return err
	},
	func(ctx workflow.Context, n int) error {
		_, err := workflow.Saga(ctx, func(undo *workflow.Undo) (int, error) {
			undo.Add(func(ctx workflow.Context) error { return workflow.Sleep(ctx, time.Minute) })
			return workflow.Do(ctx, charge, n)
		})
		return err
	},
	func(ctx workflow.Context, n int) error {
		within, cancel := workflow.WithCancel(ctx)
		workflow.BeginChild(within, parcel, n)
		workflow.Begin(within, work, n)
		cancel()
		return nil
	},
}

// lively does what it is poked to do, answers updates, and continues as new when it is told to halt.
func lively(ctx workflow.Context, n int) (int, error) {
	done := 0
	plus.Handle(ctx, func(ctx workflow.Context, n int) (int, error) {
		if n%3 == 0 {
			return n, workflow.Await(ctx, func() bool { return done > n })
		}
		return n, busyness[n%len(busyness)](ctx, n%5)
	})
	for range 3 {
		workflow.Go(ctx, func(ctx workflow.Context) {
			for v := range poke.All(ctx) {
				_ = busyness[v%len(busyness)](ctx, v%5)
				done++
			}
		})
	}
	_, err := halt.Receive(ctx)
	switch {
	case err != nil:
		return done, err
	case n < 3:
		return done, workflow.ContinueAsNew(ctx, n+1)
	}
	return done, nil
}

func oneOf[T any](dice *rand.Rand, from ...T) T { return from[dice.IntN(len(from))] }

// arrival is something that may come to the run as it is now.
func (w *world) arrival(dice *rand.Rand) commands.Command {
	run := w.state.Run.ID
	step := history.Step(1 + dice.IntN(int(w.state.Run.Steps)+1))
	number := func(n int) history.Payload { return history.JSON(fmt.Append(nil, n)) }
	if a := w.state.Activities[step]; a != nil {
		t := commands.Attempt{Run: run, Step: step, Serial: a.Serial + 1, Started: w.now, Beat: w.now, Checkpoint: number(dice.IntN(9))}
		return oneOf[commands.Command](dice, commands.CompleteActivity{Attempt: t, Result: number(1)}, commands.Beat{Attempt: t},
			commands.FailActivity{Attempt: t, Failure: activity.Record(errNo).Payload(), Final: dice.IntN(2) == 0})
	}
	if w.state.Children[step] != nil {
		return oneOf[commands.Command](dice, commands.NoteChildStarted{Run: run, Step: step, Chain: "c"}, commands.NoteChildCancelled{Run: run, Step: step},
			commands.RefuseChild{Run: run, Step: step, Reason: history.RefusedExists}, commands.CloseChild{Run: run, Step: step, Status: history.StatusCompleted, Outcome: history.Outcome{Result: number(1)}})
	}
	if w.state.Sends[step] != nil {
		return commands.NoteSent{Run: run, Step: step, Refused: oneOf(dice, "", history.RefusedNotFound)}
	}
	if w.state.Finds[step] != nil {
		answer := commands.AnswerFind{Run: run, Step: step, Refused: oneOf(dice, "", history.RefusedTooLong)}
		if answer.Refused == "" && !w.state.Finds[step].Count {
			answer.Rows = history.JSON([]byte("[]"))
		}
		return answer
	}
	switch dice.IntN(20) {
	case 0:
		return commands.Signal{Name: "halt", Value: number(1)}
	case 1:
		return oneOf[commands.Command](dice, commands.RequestCancel{}, commands.Wake{}, commands.Wake{}, commands.Wake{})
	case 2, 3, 4, 5:
		return commands.Update{Update: fmt.Sprint("u", dice.IntN(30)), Name: "plus", Input: number(dice.IntN(100))}
	case 6, 7, 8, 9, 10, 11:
		return commands.Signal{Name: "poke", Value: number(dice.IntN(100))}
	}
	return commands.Wake{}
}

// TestEveryPrefixOfRandomLivesReplays: whatever comes, in whatever order, told at once or recorded by somebody who does not
// run the code, with the code forgotten now and then: the history replays, whole and in each prefix. To run a life again,
// set its seed here.
func TestEveryPrefixOfRandomLivesReplays(t *testing.T) {
	t.Parallel()
	first := rand.Uint64()
	for seed := first; seed < first+60; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			dice := rand.New(rand.NewPCG(seed, 0))
			w := begin(t, lively, 1)
			for n := 0; n < 80 && w.state.Open(); n++ {
				w.now = w.now.Add(oneOf(dice, 0, time.Second, 30*time.Second, time.Minute))
				if dice.IntN(6) > 0 {
					w.give(w.arrival(dice))
					require.NoError(t, w.err)
					continue
				}
				w.machine.Stop()
				for range dice.IntN(4) {
					w.foreignly(w.arrival(dice))
				}
				if w.state.Open() {
					w.recall()
				}
			}
			w.conserved()
		})
	}
}

// foreignly decides a command as somebody does who does not run the code.
func (w *world) foreignly(c commands.Command) {
	events, err := commands.Decide(w.state, c, w.now)
	if errors.Is(err, commands.ErrNotRunning) {
		return
	}
	require.NoError(w.t, err)
	for _, e := range events {
		w.push(w.entry(e))
	}
}

// conserved holds what each run carries against what the run before had: accepted there or carried into it, and in the case of
// updates not answered. Within a run an update is answered once.
func (w *world) conserved() {
	w.t.Helper()
	had := map[uint64]bool{} // signals of the run
	open := map[string]uint64{}
	answer := func(update string) {
		require.Contains(w.t, open, update, "it is answered once, after it was accepted")
		delete(open, update)
	}
	for _, e := range w.entries {
		switch v := e.Event.(type) {
		case *history.Started:
			carried, updates := map[uint64]bool{}, map[string]uint64{}
			for _, r := range v.Carried {
				for seq := r.From; seq <= r.To; seq++ {
					require.True(w.t, had[seq], "entry %d carries %d", e.Seq, seq)
					carried[seq] = true
				}
			}
			for _, u := range v.Updates {
				require.Equal(w.t, open[u.Update], u.Seq, "entry %d carries %s", e.Seq, u.Update)
				updates[u.Update] = u.Seq
			}
			had, open = carried, updates
		case *history.Signaled:
			had[e.Seq] = true
		case *history.UpdateAccepted:
			open[v.Update] = e.Seq
		case *history.UpdateCompleted:
			answer(v.Update)
		case *history.UpdateFailed:
			answer(v.Update)
		}
	}
}
