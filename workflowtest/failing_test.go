package workflowtest_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/workflow"
	"github.com/clewflow/clew/workflowtest"
)

// inner is set where a test is to fail.
const inner = "WORKFLOWTEST_FAILS"

// fails runs a test that is to fail in a process of its own, and looks for what it says.
func fails(t *testing.T, test func(*testing.T), says ...string) {
	t.Helper()
	if os.Getenv(inner) == t.Name() {
		test(t)
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	path := strings.Split(t.Name(), "/")
	for i := range path {
		path[i] = "^" + path[i] + "$"
	}
	c := exec.CommandContext(ctx, os.Args[0], "-test.run", strings.Join(path, "/"), "-test.timeout", "20s", "-test.v")
	c.Env = append(os.Environ(), inner+"="+t.Name())
	out, err := c.CombinedOutput()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("it ends with %v, want a failed test", err)
	}
	for _, want := range append(says, "--- FAIL: "+t.Name()) {
		if !strings.Contains(string(out), want) {
			t.Errorf("it does not say %q", want)
		}
	}
	if strings.Contains(string(out), "goroutine ") && !strings.Contains(strings.Join(says, " "), "goroutine") {
		t.Error("it dumps goroutines")
	}
	if t.Failed() {
		t.Logf("it says\n%s", out)
	}
}

// edited is a file with the golden history of a short sale, in which something is replaced.
func edited(t *testing.T, old, now string) (file string) {
	t.Helper()
	lines := strings.Replace(string(history.Marshal(workflowtest.Run(t, sale, 7, workflowtest.Stub(pay).Returns("r1")).Entries)), old, now, 1)
	file = filepath.Join(t.TempDir(), "golden.json")
	if err := os.WriteFile(file, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestWhatFailsATest(t *testing.T) {
	paid := workflowtest.Stub(pay).Returns("r1")
	forever := workflow.Define("forever", func(ctx workflow.Context, _ int) (int, error) {
		for {
			if err := workflow.Sleep(ctx, 100*day); err != nil {
				return 0, err
			}
		}
	})
	bad := workflow.Define("bad", func(ctx workflow.Context, _ int) (int, error) {
		if err := workflow.Sleep(ctx, day); err != nil {
			return 0, err
		}
		panic("bad code")
	})
	told := 0
	fickle := workflow.Define("fickle", func(ctx workflow.Context, _ int) (int, error) {
		told++
		_, err := workflow.Do(ctx, pay, told)
		return 1, err
	})
	mute := workflow.Define("mute", func(ctx workflow.Context, _ int) (string, error) { return ok.Receive(ctx) })
	for name, c := range map[string]struct {
		test func(*testing.T)
		says []string
	}{
		"a call nobody expected": {
			func(t *testing.T) { workflowtest.Run(t, sale, 42) },
			[]string{"nobody expected a call of activity pay with 42 (step 1, attempt 1)", "activity-scheduled  1     pay 42"},
		},
		"a call beyond the last outcome": {
			func(t *testing.T) { workflowtest.Run(t, sale, 42, workflowtest.Stub(pay).Fails(errBroke)) },
			[]string{"nobody expected a call of activity pay with 42 (step 1, attempt 2): its stub has 1 outcome", "attempt-failed      1     broke; again after "},
		},
		"a call that is never to be": {
			func(t *testing.T) { workflowtest.Run(t, sale, 42, workflowtest.Stub(pay).Never()) },
			[]string{"pay with 42 (step 1, attempt 1): its stub says never"},
		},
		"an option that only Explore looks at": {
			func(t *testing.T) { workflowtest.Run(t, sale, 42, paid, workflowtest.Within(time.Hour)) },
			[]string{"Run does not look at Each, Invariant, ", "give them to Explore"},
		},
		"outcomes left over": {
			func(t *testing.T) {
				workflowtest.Run(t, sale, 42, workflowtest.Stub(pay).Returns("r1").Returns("r2").Fails(errBroke))
			},
			[]string{"activity pay: 2 of 3 outcomes were not used"},
		},
		"an outcome that is missing": {
			func(t *testing.T) { workflowtest.Run(t, sale, 42, workflowtest.Stub(pay).Returns("r1").Takes(day)) },
			[]string{"activity pay: Takes or Beats is the last of its stub"},
		},
		"waiting for what never comes": {
			func(t *testing.T) { workflowtest.Run(t, mute, 1) },
			[]string{"workflow test (mute) waits for what never comes:\n", "  test waits for a signal", "1    0s    started        mute 1"},
		},
		"never ending": {
			func(t *testing.T) { workflowtest.Run(t, forever, 1) },
			[]string{"workflow test (forever) does not end: 100 years have passed; cancel it with an act"},
		},
		"a panic": {
			func(t *testing.T) { workflowtest.Run(t, bad, 1) },
			[]string{"workflow test (bad) stalls: panic: bad code", "24h0m0s  stalled", "▶ 3    24h0m0s  timer-fired", "failing_test.go:"},
		},
		"code that is not deterministic": {
			func(t *testing.T) {
				workflowtest.Run(t, fickle, 1, workflowtest.Stub(pay).Always("r1"))
			},
			[]string{"the history does not replay", "activity pay (step 1) is called with another input", "recorded  activity pay, step 1, input 1", "in code", "failing_test.go"},
		},
		"no pending attempt": {
			func(t *testing.T) {
				workflowtest.Run(t, sale, 1, paid, workflowtest.At(time.Hour, workflowtest.Complete(pay, "x")))
			},
			[]string{"completing pay: no attempt of it is pending"},
		},
		"two pending attempts": {
			func(t *testing.T) {
				both := workflow.Define("both", func(ctx workflow.Context, n int) ([]string, error) {
					return []string{}, errors.Join(
						workflow.Await(ctx, func(fs ...workflow.Future[string]) func() bool {
							return func() bool { return fs[0].Ready() && fs[1].Ready() }
						}(workflow.Begin(ctx, pay, 1), workflow.Begin(ctx, pay, 2))))
				})
				workflowtest.Run(t, both, 1, workflowtest.Stub(pay).Pends().Pends(), workflowtest.At(time.Second, workflowtest.Complete(pay, "x")))
			},
			[]string{"completing pay: 2 attempts of it are pending: step 1 of test, step 2 of test"},
		},
		"a signal that comes too late": {
			func(t *testing.T) {
				workflowtest.Run(t, sale, 1, paid, workflowtest.At(31*day, workflowtest.Send(ok.With("ann"))))
			},
			[]string{"sending signal ok: ", "not running"},
		},
		"a query nobody answers": {
			func(t *testing.T) {
				workflowtest.Run(t, sale, 1, paid, workflowtest.At(day, func(w *workflowtest.World) {
					workflowtest.Query(w, workflow.NewQuery[int]("weight"))
				}))
			},
			[]string{"query weight: ", "state"},
		},
		"an act that fails": {
			func(t *testing.T) {
				workflowtest.Run(t, sale, 1, paid, workflowtest.At(day, func(w *workflowtest.World) { w.T.Error("no good") }))
			},
			[]string{"no good"},
		},
		"an activity that goes on after the end": {
			func(t *testing.T) {
				dawdle := activity.Define("dawdle", func(context.Context, int) (int, error) {
					time.Sleep(365 * day)
					return 1, nil
				})
				quick := workflow.Define("quick", func(ctx workflow.Context, _ int) (int, error) {
					workflow.Begin(ctx, dawdle, 1)
					return 2, workflow.Sleep(ctx, time.Second)
				})
				workflowtest.Run(t, quick, 1, workflowtest.Use(dawdle))
			},
			[]string{"after the end these activities still run, though their context has ended: dawdle (step 1, attempt 1)"},
		},
		"another golden history": {
			func(t *testing.T) {
				file := filepath.Join(t.TempDir(), "golden.json")
				golden, err := os.ReadFile("testdata/sale.json")
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, golden, 0o600); err != nil {
					t.Fatal(err)
				}
				workflowtest.Run(t, sale, 7, paid).Golden(file)
			},
			[]string{"the history is not that of ", "golden has 15 entries, now has 6", "▶   3  attempt-failed 1 down; again after", "│ now"},
		},
		"a golden history that reads the same": {
			func(t *testing.T) {
				file := edited(t, `"by":"worker"`, `"by":"client"`)
				workflowtest.Run(t, sale, 7, paid).Golden(file)
			},
			[]string{"they read the same, and differ in the bytes of entry 3:\n", `golden  {"seq":3,"at":"2000-01-01T00:00:00Z","by":"client"`, `now     {"seq":3,"at":"2000-01-01T00:00:00Z","by":"worker"`},
		},
		"a golden history that is damaged": {
			func(t *testing.T) {
				file := edited(t, `{"seq":2,`, `{"seq":2`)
				workflowtest.Run(t, sale, 7, paid).Golden(file)
			},
			[]string{"golden cannot be read as a history: line 2: history: unreadable entry"},
		},
		"a long run": {
			func(t *testing.T) {
				often := workflow.Define("often", func(ctx workflow.Context, n int) (int, error) {
					for range n {
						if _, err := workflow.Do(ctx, pay, n); err != nil {
							return 0, err
						}
					}
					return n, nil
				})
				workflowtest.Run(t, often, 50, workflowtest.Stub(pay).Always("r1"), workflowtest.Stub(send).Returns(activity.None{}))
			},
			[]string{"activity send: 1 of 1 outcomes were not used", "  3    0s    activity-completed  1     \"r1\"\n", "… 62 entries …\n", "  66   0s    activity-scheduled  33    pay 50\n", "  102  0s    completed                 50\n"},
		},
		"no golden history": {
			func(t *testing.T) { workflowtest.Run(t, sale, 7, paid).Golden("testdata/none.json") },
			[]string{"there is no testdata/none.json yet; go test -update writes it"},
		},
		"a history that code does not fit": {
			func(t *testing.T) {
				changed := workflow.Define("sale", func(ctx workflow.Context, n int) (string, error) {
					if _, err := workflow.Do(ctx, pay, n); err != nil {
						return "", err
					}
					return "", workflow.Sleep(ctx, 40*day)
				})
				workflowtest.Replay(t, changed, "testdata/sale.json")
			},
			[]string{"testdata/sale.json: code and history of workflow sale part at entry", "recorded  timer of 720h0m0s, step 2", "asked     timer of 960h0m0s, step 2", "agreed up to entry"},
		},
		"a history that is not there": {
			func(t *testing.T) { workflowtest.Replay(t, sale, "testdata/none*.json") },
			[]string{"there is no testdata/none*.json"},
		},
		"a definition that is not complete": {
			func(t *testing.T) { workflowtest.Run(t, sale, 1, paid, workflowtest.Use(send)) },
			[]string{"activity send is declared and not bound"},
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
