package runtime_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

// crate is the input of the workflows here: for whom, and how long it takes.
type crate struct {
	Customer string
	For      time.Duration
	Fails    bool
	Again    int // how often it continues as new
}

var release = workflow.NewSignal[int]("release")

// delivery is a workflow whose open runs are limited.
func delivery(opts ...workflow.Option) workflow.Type[crate, int] {
	return workflow.Define("delivery", func(ctx workflow.Context, p crate) (int, error) {
		if err := workflow.Sleep(ctx, p.For); err != nil {
			return 0, err
		}
		if p.Again > 0 {
			p.Again--
			return 0, workflow.ContinueAsNew(ctx, p)
		}
		if p.Fails {
			return 0, errors.New("it is lost")
		}
		return 1, nil
	}, opts...)
}

var byCustomer = workflow.KeyOf(func(p crate) string { return p.Customer })

// openAndBegun is the most runs that were open and had begun at any place of the log, of all and of any key.
func (w *world) openAndBegun(ids ...string) (most, mostOfAKey int) {
	w.t.Helper()
	type one struct {
		at    time.Time
		seq   uint64
		id    string
		entry history.Entry
	}
	var all []one
	for _, id := range ids {
		for _, e := range w.entries(id) {
			all = append(all, one{e.At, e.Seq, id, e})
		}
	}
	slices.SortStableFunc(all, func(a, b one) int { return a.at.Compare(b.at) })
	states, n, ofKey := map[string]*history.State{}, 0, map[string]int{}
	uses := func(s *history.State) bool { return s.Open() && !s.Run.Queued && s.Run.BeginAt.IsZero() }
	for i, e := range all {
		s := states[e.id]
		if s == nil {
			s = new(history.State)
			states[e.id] = s
		}
		before, key := uses(s), ""
		if before {
			key = s.Run.Key
		}
		s.Evolve(e.entry)
		if before {
			n, ofKey[key] = n-1, ofKey[key]-1
		}
		if uses(s) {
			n, ofKey[s.Run.Key] = n+1, ofKey[s.Run.Key]+1
		}
		if i+1 < len(all) && all[i+1].at.Equal(e.at) { // what is recorded at one moment has no order here
			continue
		}
		most = max(most, n)
		for k, n := range ofKey {
			if k != "" {
				mostOfAKey = max(mostOfAKey, n)
			}
		}
	}
	return most, mostOfAKey
}

func TestRunsWaitForASlotAndBeginInOrder(t *testing.T) {
	for _, reopens := range []bool{false, true} {
		t.Run(fmt.Sprintf("reopened: %v", reopens), func(t *testing.T) {
			w := delivery(workflow.RunLimit{AtOnce: 2})
			inWorld(t, func(world *world) {
				ctx := world.ctx()
				var ids []string
				for i := range 6 {
					id := fmt.Sprint("p", i)
					ids = append(ids, id)
					_, err := runtime.Start(ctx, world.rt, id, w, crate{For: 10 * time.Second})
					require.NoError(t, err)
					time.Sleep(time.Second)
				}
				require.Equal(t, []string{"started", "timer-started"}, world.kinds("p1"), "there is a slot: all of it is recorded as if there was no limit")
				require.Equal(t, []string{"started"}, world.kinds("p2"))
				d, err := world.rt.Describe(ctx, "p3")
				require.NoError(t, err)
				require.Equal(t, "the limit of workflow delivery: 2 of 2 in use", d.Slot)
				require.Contains(t, d.Waiting[0].Why, "2 of 2 in use")
				found := 0
				for row, err := range world.rt.Find(ctx, query.Query{Status: query.Open}) {
					require.NoError(t, err)
					if row.Waiting == "a slot" {
						require.Contains(t, ids[2:], row.ID)
						found++
					}
				}
				require.Equal(t, 4, found)
				if reopens {
					world.close()
					world.open(w)
				}
				time.Sleep(time.Minute)
				most, _ := world.openAndBegun(ids...)
				require.Equal(t, 2, most)
				for _, id := range ids {
					require.Contains(t, world.kinds(id), "completed", id)
				}
				var began []time.Time
				for _, id := range ids {
					began = append(began, world.entries(id)[1].At)
				}
				require.True(t, slices.IsSortedFunc(began, time.Time.Compare), "first come, first served: %v", began)
				world.verify(w)
			}, w)
		})
	}
}

func TestEachKeyHasALimitAndStandsInNobodysWay(t *testing.T) {
	w := delivery(workflow.RunLimit{AtOnce: 3, KeyAtOnce: 1}, byCustomer)
	inWorld(t, func(world *world) {
		ctx := world.ctx()
		var ids []string
		for i, who := range []string{"ann", "ann", "ann", "bob", "bob", "cid", "dan"} {
			id := fmt.Sprint(who, i)
			ids = append(ids, id)
			_, err := runtime.Start(ctx, world.rt, id, w, crate{Customer: who, For: 10 * time.Second})
			require.NoError(t, err)
		}
		_, err := runtime.Start(ctx, world.rt, "ann-said", w, crate{Customer: "eve", For: time.Second}, workflow.LimitKey("ann"))
		require.NoError(t, err)
		ids = append(ids, "ann-said")
		time.Sleep(time.Second)
		for id, want := range map[string]string{
			"ann1":     "the limit of workflow delivery for key ann: 1 of 1 in use",
			"ann-said": "the limit of workflow delivery for key ann: 1 of 1 in use",
			"dan6":     "the limit of workflow delivery: 3 of 3 in use",
			"cid5":     "",
		} {
			d, err := world.rt.Describe(ctx, id)
			require.NoError(t, err)
			if c := "the limit of workflow delivery: 3 of 3 in use"; want != "" && d.Slot == c {
				want = c // both are full
			}
			require.Equal(t, want, d.Slot, id)
		}
		time.Sleep(2 * time.Minute)
		most, ofKey := world.openAndBegun(ids...)
		require.Equal(t, 3, most)
		require.Equal(t, 1, ofKey)
		for _, id := range ids {
			require.Contains(t, world.kinds(id), "completed", id)
		}
	}, w)
}

func TestAStartIsRefusedWhenTheLimitIsFull(t *testing.T) {
	w := delivery(workflow.RunLimit{AtOnce: 1}, workflow.WhenFull(workflow.RefuseWhenFull))
	inWorld(t, func(world *world) {
		ctx := world.ctx()
		_, err := runtime.Start(ctx, world.rt, "a", w, crate{For: time.Minute})
		require.NoError(t, err)
		_, err = runtime.Start(ctx, world.rt, "b", w, crate{})
		require.ErrorIs(t, err, runtime.ErrFull)
		require.ErrorContains(t, err, "workflow delivery: 1 of 1 in use")
		_, err = world.rt.Describe(ctx, "b")
		require.ErrorIs(t, err, runtime.ErrNotFound, "nothing is recorded")
		_, err = runtime.Start(ctx, world.rt, "a", w, crate{}, runtime.IfRunning(runtime.UseExisting))
		require.NoError(t, err, "it begins none")
		_, err = runtime.Start(ctx, world.rt, "a", w, crate{}, runtime.IfRunning(runtime.TerminateExisting))
		require.NoError(t, err, "one takes the place of the other")
		time.Sleep(time.Second)
		_, err = runtime.Start(ctx, world.rt, "b", w, crate{})
		require.NoError(t, err, "the slot is back")
		_, err = runtime.Start(ctx, world.rt, "late", w, crate{For: time.Minute}, runtime.After(time.Second))
		require.NoError(t, err, "it does not begin now")
		_, err = runtime.Start(ctx, world.rt, "c", w, crate{For: time.Minute}, workflow.WhenFull(workflow.WaitWhenFull))
		require.NoError(t, err)
		time.Sleep(10 * time.Second)
		require.Equal(t, []string{"started", "postponed"}, world.kinds("late"), "its time has come, and there is no slot")
		time.Sleep(2 * time.Minute)
		require.Equal(t, []string{"started", "postponed", "begun", "timer-started", "timer-fired", "completed"}, world.kinds("late"))
	}, w)
}

func TestARunReplacesTheOldestOrTheNewest(t *testing.T) {
	for _, full := range []workflow.Full{workflow.ReplaceOldest, workflow.ReplaceNewest} {
		t.Run(string(full), func(t *testing.T) {
			w := delivery(workflow.RunLimit{AtOnce: 2}, workflow.WhenFull(full))
			inWorld(t, func(world *world) {
				ctx := world.ctx()
				for _, id := range []string{"a", "b", "c"} {
					_, err := runtime.Start(ctx, world.rt, id, w, crate{For: time.Hour})
					require.NoError(t, err)
					time.Sleep(time.Second)
				}
				gone, stays := "a", "b"
				if full == workflow.ReplaceNewest {
					gone, stays = "b", "a"
				}
				require.Contains(t, world.kinds(gone), "terminated")
				require.NotContains(t, world.kinds(stays), "terminated")
				require.Equal(t, []string{"started", "begun", "timer-started"}, world.kinds("c"))
				d, err := world.rt.Describe(ctx, gone)
				require.NoError(t, err)
				last := world.entries(gone)[len(world.entries(gone))-1].Event.(*history.Terminated)
				require.Contains(t, last.Reason, "replaced by c")
				require.Equal(t, "terminated", d.StatusName)
				// Several at once replace each another one, and none is left waiting.
				for _, id := range []string{"d", "e", "f", "g"} {
					_, err := runtime.Start(ctx, world.rt, id, w, crate{For: time.Hour})
					require.NoError(t, err)
				}
				time.Sleep(time.Minute)
				open, waiting := 0, 0
				for row, err := range world.rt.Find(ctx, query.Query{Status: query.Open}) {
					require.NoError(t, err)
					open++
					if row.Waiting == "a slot" {
						waiting++
					}
				}
				require.Equal(t, 2, open)
				require.Zero(t, waiting)
				most, _ := world.openAndBegun("a", "b", "c", "d", "e", "f", "g")
				require.Equal(t, 2, most)
			}, w)
		})
	}
}

func TestARuleChangesALimitOfOpenRuns(t *testing.T) {
	w := delivery()
	inWorld(t, func(world *world) {
		ctx, of := world.ctx(), runtime.OfWorkflow("delivery")
		var ids []string
		start := func(n int) {
			for range n {
				id := fmt.Sprint("p", len(ids))
				ids = append(ids, id)
				_, err := runtime.Start(ctx, world.rt, id, w, crate{For: time.Minute})
				require.NoError(t, err)
			}
			time.Sleep(time.Second)
		}
		begun := func() (n int) {
			for _, id := range ids {
				if slices.Contains(world.kinds(id), "timer-started") {
					n++
				}
			}
			return n
		}
		set := func(limit history.Limit) {
			_, err := world.rt.SetPolicy(ctx, of, runtime.Rule{All: limit})
			require.NoError(t, err)
			time.Sleep(time.Second)
		}
		start(3)
		require.Equal(t, 3, begun(), "there is no limit")
		set(history.Limit{AtOnce: 2})
		start(2)
		require.Equal(t, 3, begun(), "those that were open count, and go on")
		set(history.Limit{AtOnce: 4})
		require.Equal(t, 4, begun())
		set(history.Limit{None: true})
		d, err := world.rt.Describe(ctx, ids[4])
		require.NoError(t, err)
		require.Equal(t, "the limit of workflow delivery: 0, with 4 open", d.Slot)
		time.Sleep(2 * time.Minute)
		require.Equal(t, 4, begun(), "0 stops it")
		start(3)
		require.Equal(t, 4, begun())
		world.close()
		world.open(w)
		time.Sleep(time.Second)
		require.Equal(t, 4, begun(), "the rule is known after a restart")
		set(history.Limit{AtOnce: 2})
		require.Equal(t, 6, begun())
		_, err = world.rt.SetPolicy(ctx, of, runtime.Rule{})
		require.NoError(t, err)
		time.Sleep(time.Second)
		require.Equal(t, 8, begun(), "nothing limits them any more")
		_, err = world.rt.SetPolicy(ctx, of, runtime.Rule{All: history.Limit{Rate: 3, Per: time.Second}})
		require.ErrorIs(t, err, runtime.ErrInvalid)
		require.ErrorContains(t, err, "at-once and per-key alone")
	}, w)
}

func TestWhatWaitsWhenItsLimitWasTakenBackUnseenBegins(t *testing.T) {
	w := delivery(workflow.RunLimit{AtOnce: 1})
	inWorld(t, func(world *world) {
		ctx := world.ctx()
		for _, id := range []string{"a", "b", "c"} {
			_, err := runtime.Start(ctx, world.rt, id, w, crate{For: time.Hour})
			require.NoError(t, err)
		}
		world.close()
		world.open(delivery()) // a release without the limit
		time.Sleep(time.Second)
		for _, id := range []string{"b", "c"} {
			require.Equal(t, []string{"started", "begun", "timer-started"}, world.kinds(id))
		}
	}, w)
}

func TestEveryEndingGivesTheSlotBack(t *testing.T) {
	w := delivery(workflow.RunLimit{AtOnce: 1})
	for name, end := range map[string]func(*world) error{
		"completion": func(*world) error { return nil },
		"time-out":   func(*world) error { return nil },
		"cancel":     func(w *world) error { return w.rt.Cancel(w.ctx(), "first") },
		"terminate":  func(w *world) error { return w.rt.Terminate(w.ctx(), "first") },
		"crash": func(w *world) error {
			w.close()
			w.open(delivery(workflow.RunLimit{AtOnce: 1}))
			return w.rt.Terminate(w.ctx(), "first")
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(world *world) {
				ctx, first := world.ctx(), crate{For: 20 * time.Second}
				var opts []workflow.Option
				if name == "time-out" {
					opts, first.For = []workflow.Option{workflow.RunTimeout(20 * time.Second)}, time.Hour
				}
				_, err := runtime.Start(ctx, world.rt, "first", w, first, opts...)
				require.NoError(t, err)
				_, err = runtime.Start(ctx, world.rt, "cancelled", w, crate{})
				require.NoError(t, err)
				_, err = runtime.Start(ctx, world.rt, "ended", w, crate{})
				require.NoError(t, err)
				_, err = runtime.Start(ctx, world.rt, "second", w, crate{For: time.Second}, runtime.AndSignal(release.With(1)))
				require.NoError(t, err)
				time.Sleep(10 * time.Second)
				require.Equal(t, []string{"started", "signaled"}, world.kinds("second"), "it waits, and keeps what it is sent")
				require.NoError(t, world.rt.Terminate(ctx, "ended"))
				require.NoError(t, world.rt.Cancel(ctx, "cancelled"))
				require.NoError(t, end(world))
				time.Sleep(30 * time.Second)
				require.Equal(t, []string{"started", "terminated"}, world.kinds("ended"))
				require.Contains(t, world.kinds("cancelled"), "begun")
				n, err := runtime.Result(ctx, world.rt, "second", w)
				require.NoError(t, err)
				require.Equal(t, 1, n)
				most, _ := world.openAndBegun("first", "second", "cancelled", "ended")
				require.Equal(t, 1, most)
			}, w)
		})
	}
}

func TestARunThatContinuesAsNewKeepsItsSlot(t *testing.T) {
	w := delivery(workflow.RunLimit{AtOnce: 1})
	inWorld(t, func(world *world) {
		ctx := world.ctx()
		_, err := runtime.Start(ctx, world.rt, "a", w, crate{For: 10 * time.Second, Again: 3})
		require.NoError(t, err)
		_, err = runtime.Start(ctx, world.rt, "b", w, crate{})
		require.NoError(t, err)
		time.Sleep(35 * time.Second)
		require.Equal(t, 4, strings.Count(strings.Join(world.kinds("a"), " "), "started")-4, "and four timers")
		require.Equal(t, []string{"started"}, world.kinds("b"))
		time.Sleep(10 * time.Second)
		require.Equal(t, []string{"started", "begun", "completed"}, world.kinds("b"))
	}, w)
}

func TestARunThatIsTriedAgainAsksForASlotAnew(t *testing.T) {
	for _, how := range []string{"retry", "restart", "rerun"} {
		t.Run(how, func(t *testing.T) {
			w := delivery(workflow.RunLimit{AtOnce: 1})
			inWorld(t, func(world *world) {
				ctx := world.ctx()
				_, err := runtime.Start(ctx, world.rt, "a", w, crate{For: time.Second, Fails: true})
				require.NoError(t, err)
				time.Sleep(2 * time.Second)
				_, err = runtime.Start(ctx, world.rt, "b", w, crate{For: time.Minute})
				require.NoError(t, err)
				switch how {
				case "retry":
					_, err = world.rt.Retry(ctx, "a")
				case "restart":
					_, err = world.rt.Restart(ctx, "a")
				case "rerun":
					_, err = world.rt.Rerun(ctx, "a", runtime.AtStep(1))
				}
				require.NoError(t, err)
				time.Sleep(10 * time.Second)
				d, err := world.rt.Describe(ctx, "a")
				require.NoError(t, err)
				require.Equal(t, "running", d.StatusName)
				require.Equal(t, "the limit of workflow delivery: 1 of 1 in use", d.Slot)
				before := len(world.kinds("a"))
				time.Sleep(30 * time.Second)
				require.Len(t, world.kinds("a"), before, "nothing is done while it waits")
				time.Sleep(time.Minute)
				d, err = world.rt.Describe(ctx, "a")
				require.NoError(t, err)
				require.Equal(t, "failed", d.StatusName, "it has begun, and failed once more")
				require.Contains(t, world.kinds("a"), "begun")
				world.verify(w)
			}, w)
		})
	}
}

func TestAChildIsUnderTheLimitOfItsWorkflow(t *testing.T) {
	for _, full := range []workflow.Full{workflow.WaitWhenFull, workflow.RefuseWhenFull} {
		t.Run(string(full), func(t *testing.T) {
			w := delivery(workflow.RunLimit{KeyAtOnce: 1}, byCustomer, workflow.WhenFull(full))
			parent := workflow.Define("parent", func(ctx workflow.Context, who string) (string, error) {
				_, err := workflow.Child(ctx, w, crate{Customer: who, For: time.Second})
				if errors.Is(err, workflow.ErrFull) {
					return "full", nil
				}
				return "done", err
			})
			inWorld(t, func(world *world) {
				ctx := world.ctx()
				_, err := runtime.Start(ctx, world.rt, "a", w, crate{Customer: "ann", For: time.Minute})
				require.NoError(t, err)
				for _, who := range []string{"ann", "bob"} {
					_, err = runtime.Start(ctx, world.rt, "parent-of-"+who, parent, who)
					require.NoError(t, err)
				}
				time.Sleep(10 * time.Second)
				require.Contains(t, world.kinds("parent-of-bob"), "completed")
				require.Equal(t, full == workflow.RefuseWhenFull, slices.Contains(world.kinds("parent-of-ann"), "child-refused"))
				time.Sleep(2 * time.Minute)
				got, err := runtime.Result(ctx, world.rt, "parent-of-ann", parent)
				require.NoError(t, err)
				require.Equal(t, map[workflow.Full]string{workflow.WaitWhenFull: "done", workflow.RefuseWhenFull: "full"}[full], got)
			}, w, parent)
		})
	}
}

// TestAChildSaysForWhomItIsAndWhatIsToBecomeOfIt, whatever its definition says.
func TestAChildSaysForWhomItIsAndWhatIsToBecomeOfIt(t *testing.T) {
	w := delivery(workflow.RunLimit{KeyAtOnce: 1}, byCustomer, workflow.WhenFull(workflow.ReplaceOldest))
	parent := workflow.Define("parent", func(ctx workflow.Context, key string) (string, error) {
		_, err := workflow.Child(ctx, w, crate{Customer: "ann", For: time.Second}, workflow.LimitKey(key), workflow.WhenFull(workflow.RefuseWhenFull))
		if errors.Is(err, workflow.ErrFull) {
			return "full", nil
		}
		return "done", err
	})
	inWorld(t, func(world *world) {
		ctx := world.ctx()
		ann, err := runtime.Start(ctx, world.rt, "a", w, crate{Customer: "ann", For: time.Minute})
		require.NoError(t, err)
		for key, want := range map[string]string{"ann": "full", "": "full", "bob": "done"} {
			_, err = runtime.Start(ctx, world.rt, "for-"+key, parent, key)
			require.NoError(t, err)
			got, err := runtime.Result(ctx, world.rt, "for-"+key, parent)
			require.NoError(t, err)
			require.Equal(t, want, got, "for %q", key)
		}
		_, err = ann.Result(ctx)
		require.NoError(t, err, "it was not replaced")
	}, w, parent)
}

func TestAPausedRunKeepsItsSlot(t *testing.T) {
	w := delivery(workflow.RunLimit{AtOnce: 1})
	inWorld(t, func(world *world) {
		ctx := world.ctx()
		for _, id := range []string{"a", "b"} {
			_, err := runtime.Start(ctx, world.rt, id, w, crate{For: time.Second})
			require.NoError(t, err)
		}
		require.NoError(t, world.rt.Pause(ctx, "a"))
		time.Sleep(time.Minute)
		require.Equal(t, []string{"started"}, world.kinds("b"))
		require.NoError(t, world.rt.Unpause(ctx, "a"))
		time.Sleep(time.Minute)
		require.Contains(t, world.kinds("b"), "completed")
		synctest.Wait()
	}, w)
}

func TestALimitThatNobodyWouldKeepIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := newWorld(t, runtime.Config{Shared: true})
		world.c.Log = world.disk.Open()
		_, err := runtime.Open(t.Context(), world.c, delivery(workflow.RunLimit{AtOnce: 1}))
		require.ErrorIs(t, err, runtime.ErrInvalid)
		require.ErrorContains(t, err, "the limit of open runs of workflow delivery")
		world.open(delivery())
		_, err = world.rt.SetPolicy(world.ctx(), runtime.OfWorkflow("delivery"), runtime.Rule{All: history.Limit{AtOnce: 1}})
		require.ErrorIs(t, err, runtime.ErrInvalid)
		_, err = world.rt.SetPolicy(world.ctx(), runtime.OfWorkflow("delivery"), runtime.Rule{RunTimeout: time.Hour})
		require.NoError(t, err, "other rules are kept")
		world.close()
	})
}
