package workflowtest_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/workflow"
	"github.com/clewflow/clew/workflowtest"
)

var (
	refund = activity.Declare[string, activity.None]("refund")
	ship   = activity.Declare[string, string]("ship", activity.StartToClose(time.Minute))
)

// careless pays again when paying fails, in a call of its own, and gives the money back only if it knows that it paid.
var careless = workflow.Define("careless", func(ctx workflow.Context, n int) (string, error) {
	receipt, err := workflow.Do(ctx, pay, n, activity.MaxAttempts(1))
	if err != nil {
		if receipt, err = workflow.Do(ctx, pay, n); err != nil {
			return "", err
		}
	}
	if _, err := workflow.Do(ctx, ship, receipt); err != nil {
		_, undone := workflow.Do(workflow.WithoutCancel(ctx), refund, receipt)
		return "", errors.Join(err, undone)
	}
	return receipt, nil
})

// careful pays in one call, and gives back what it may have paid.
var careful = workflow.Define("careful", func(ctx workflow.Context, n int) (string, error) {
	return workflow.Saga(ctx, func(undo *workflow.Undo) (string, error) {
		undo.Add(workflow.Call(refund, "whatever was paid", activity.ScheduleToClose(365*day)))
		receipt, err := workflow.Do(ctx, pay, n, activity.OnCancel(activity.WaitCancelled))
		if err != nil {
			return "", err
		}
		_, err = workflow.Do(ctx, ship, receipt)
		return receipt, err
	})
})

func stubs(more ...workflowtest.Option) []workflowtest.Option {
	return append(more,
		workflowtest.Stub(pay).Returns("r1"), workflowtest.Stub(refund).Returns(activity.None{}), workflowtest.Stub(ship).Returns("p1"))
}

func TestExplorePassesWhatHolds(t *testing.T) {
	workflowtest.Explore(t, careful, 7, stubs(
		workflowtest.Once(pay), workflowtest.Undoes(refund, pay), workflowtest.Within(2*365*day), workflowtest.Schedules(150))...)
}

func TestExploreFindsWhatGoesWrongRarely(t *testing.T) {
	mute := workflow.Define("mute", func(ctx workflow.Context, n int) (string, error) {
		_, _ = workflow.Do(ctx, ship, "it", activity.MaxAttempts(1))
		ok.TryReceive(ctx) // what came before it shipped is lost
		return ok.Receive(ctx)
	})
	slow := workflow.Define("slow", func(ctx workflow.Context, n int) (string, error) { return workflow.Do(ctx, ship, "it") })
	changed := workflow.Define("slow", func(ctx workflow.Context, n int) (string, error) {
		if err := workflow.Sleep(ctx, time.Second); err != nil {
			return "", err
		}
		return workflow.Do(ctx, ship, "it")
	})
	for name, c := range map[string]struct {
		test func(*testing.T)
		says []string
	}{
		"two charges": {
			func(t *testing.T) { workflowtest.Explore(t, careless, 7, stubs(workflowtest.Once(pay))...) },
			[]string{
				"breaks it: pay has its effect once: it had it for 2 calls", `"pay step 1 attempt 1: `,
				"func TestExploreFindsWhatGoesWrongRarely_Seed", "workflowtest.Schedule(",
				"effects:", "pay step 1 attempt 1 of test: 7 → \"r1\"", "pay step 2 attempt ",
			},
		},
		"what is not undone": {
			func(t *testing.T) { workflowtest.Explore(t, careless, 7, stubs(workflowtest.Undoes(refund, pay))...) },
			[]string{"breaks it: it completes, or refund undoes pay: what step ", "was not undone"},
		},
		"a signal that is lost": {
			func(t *testing.T) {
				workflowtest.Explore(t, mute, 7, workflowtest.Stub(ship).Returns("p1"), workflowtest.At(day, workflowtest.Send(ok.With("ann"))))
			},
			[]string{"breaks it: workflow test (mute) waits for what never comes", `"act 1: is performed at 0s"`},
		},
		"another release": {
			func(t *testing.T) {
				workflowtest.Explore(t, slow, 7, workflowtest.Stub(ship).Takes(time.Second).Returns("p1"), workflowtest.Or(changed))
			},
			[]string{"it fails already where nothing goes otherwise", "the code now asks for a timer of 1s (step 1) before activity ship"},
		},
		"an invariant of Each": {
			func(t *testing.T) {
				workflowtest.Explore(t, careless, 7, stubs(workflowtest.Each(func() []workflowtest.Option {
					return []workflowtest.Option{workflowtest.Once(pay)}
				}))...)
			},
			[]string{"breaks it: pay has its effect once: it had it for 2 calls"},
		},
		"an invariant of another type": {
			func(t *testing.T) {
				workflowtest.Explore(t, slow, 7, workflowtest.Stub(ship).Returns("p1"), workflowtest.Invariant("n", func(*workflowtest.Ran[int]) error { return nil }))
			},
			[]string{"n: it is one of *workflowtest.Ran[int], and this is *workflowtest.Ran[string]"},
		},
		"a schedule": {
			func(t *testing.T) {
				workflowtest.Explore(t, careless, 7, stubs(workflowtest.Once(pay), workflowtest.Schedule("pay step 1 attempt 1: fails after its effect"))...)
			},
			[]string{"pay has its effect once: it had it for 2 calls"},
		},
		"no schedule": {
			func(t *testing.T) {
				workflowtest.Explore(t, careless, 7, stubs(workflowtest.Schedule("pay step 1 attempt 1 fails", "append 1: explodes", "append 2: takes long", "append 3: fails twice"))...)
			},
			[]string{
				`"pay step 1 attempt 1 fails" is no twist: want what it is about, a colon, and what becomes of it`, `"append 1: explodes" is no twist: nothing explodes`,
				`"append 2: takes long" is no twist: "takes" needs a duration such as 1h30m`, `"append 3: fails twice" is no twist: nothing follows "fails"`,
			},
		},
		"a schedule that does not come true": {
			func(t *testing.T) {
				workflowtest.Explore(t, careless, 7, stubs(workflowtest.Schedule("pay step 9 attempt 1: fails"))...)
			},
			[]string{`it did not come to "pay step 9 attempt 1: fails"`},
		},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			if os.Getenv(inner) == "" {
				t.Parallel()
			}
			fails(t, c.test, c.says...)
		})
	}
}

// TestExploreTriesEverything: of all that may go wrong, everything does now and then.
func TestExploreTriesEverything(t *testing.T) {
	both := workflow.Define("both", func(ctx workflow.Context, n int) ([]string, error) {
		one, other := workflow.Begin(ctx, pay, 1), workflow.Begin(ctx, ship, "it")
		if _, _, err := ok.ReceiveWithin(ctx, 2*day); err != nil {
			return nil, err
		}
		return workflow.All(ctx, one, other)
	})
	workflowtest.Explore(t, both, 7, workflowtest.Stub(pay).Returns("r1"), workflowtest.Stub(ship).Returns("p1"),
		workflowtest.At(day, workflowtest.Send(ok.With("ann"))), workflowtest.Or(both), workflowtest.Schedules(300),
		workflowtest.Tried(func(counts map[string]int) {
			for _, word := range workflowtest.Words {
				if counts[word] == 0 {
					t.Errorf("nothing ever %s", word)
				}
			}
		}))
}

// TestAScheduleIsTheSameAgain: what was found can be shown again.
func TestAScheduleIsTheSameAgain(t *testing.T) {
	var all [2][]string
	for i := range all {
		workflowtest.Explore(t, careless, 7, stubs(workflowtest.Schedules(60), workflowtest.InTurn(), workflowtest.Invariant("", func(ran *workflowtest.Ran[string]) error {
			all[i] = append(all[i], string(history.Marshal(ran.Entries)))
			return nil
		}))...)
	}
	if len(all[0]) != 61 {
		t.Errorf("there are %d histories", len(all[0]))
	}
	for i := range all[0] {
		if all[0][i] != all[1][i] {
			t.Errorf("seed %d has two histories:\n%s\n%s", i, all[0][i], all[1][i])
		}
	}
}
