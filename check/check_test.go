package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/vault"
	"github.com/clewflow/clew/workflow"
)

var (
	noon  = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	nudge = workflow.NewSignal[int]("nudge")
)

// sleeper sleeps an hour, and waits for a nudge.
func sleeper(d time.Duration) workflow.Type[int, int] {
	return workflow.Define("sleeper", func(ctx workflow.Context, n int) (int, error) {
		if err := workflow.Sleep(ctx, d); err != nil {
			return 0, err
		}
		return nudge.Receive(ctx)
	})
}

// tale is a history of sealed entries.
func tale(id string, events ...history.Event) History {
	var entries []history.Entry
	var hash history.Hash
	input := uint64(0)
	for i, event := range events {
		e := history.Entry{Seq: uint64(i + 1), At: noon, Event: event}
		if event.Role() == history.Input {
			input = e.Seq
		} else {
			e.Told = input
		}
		history.Seal(hash, &e)
		hash = e.Hash
		entries = append(entries, e)
	}
	return History{history.ID{Namespace: "n", Workflow: id}, func(yield func(history.Entry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}}
}

// cutOff is a history whose end cannot be read.
func cutOff(h History, why error) History {
	return History{h.ID, func(yield func(history.Entry, error) bool) {
		for e := range h.Entries {
			yield(e, nil)
		}
		yield(history.Entry{}, why)
	}}
}

func started(typ string, number uint64) *history.Started {
	return &history.Started{ID: history.ID{Namespace: "n", Workflow: "w"}, Run: fmt.Sprint("r", number), Number: number, Type: typ, Input: history.JSON([]byte("7"))}
}

func scheduled() *history.ActivityScheduled {
	p := history.StandardPolicy
	return &history.ActivityScheduled{Step: 1, Name: "x", Policy: &p}
}

func slept(d time.Duration) *history.TimerStarted {
	return &history.TimerStarted{Step: 1, After: d, Due: noon.Add(d)}
}

func all(histories ...History) iter.Seq2[History, error] {
	return func(yield func(History, error) bool) {
		for _, h := range histories {
			if !yield(h, nil) {
				return
			}
		}
	}
}

func run(t *testing.T, c Config, histories ...History) *Report {
	t.Helper()
	r, err := Histories(t.Context(), CodeOf(sleeper(time.Hour)), all(histories...), c)
	require.NoError(t, err)
	assert.Equal(t, len(histories), r.Runs)
	return r
}

func TestEachVerdictIsGiven(t *testing.T) {
	broken := cutOff(tale("broken", started("sleeper", 1)), errors.New("disk on fire"))
	r := run(t, Config{},
		tale("b", started("sleeper", 1), slept(time.Hour)),
		tale("a", started("sleeper", 1), slept(time.Hour), &history.TimerFired{Step: 1}),
		tale("differs", started("sleeper", 1), slept(time.Minute)),
		tale("gate-2", started("sleeper", 1), scheduled()),
		tale("gate-1", started("sleeper", 1), scheduled(), &history.Terminated{}),
		tale("old", started("ancient", 1), &history.Terminated{}),
		broken,
		tale("headless", slept(time.Hour)),
	)
	count := func(v Verdict) [2]int { n, open := r.Count(v); return [2]int{n, open} }
	assert.Equal(t, [2]int{2, 2}, count(Fits))
	assert.Equal(t, [2]int{1, 1}, count(Differs))
	assert.Equal(t, [2]int{2, 1}, count(NeedsGate))
	assert.Equal(t, [2]int{1, 0}, count(NoCode))
	assert.Equal(t, [2]int{2, 1}, count(Unreadable))
	assert.False(t, r.Fits())
	assert.False(t, r.Complete())
	text := r.String()
	assert.Contains(t, text, "as in gate-2, run 1 (r1):", "an open one before a closed one")
	assert.Contains(t, text, "disk on fire")
	assert.Contains(t, text, "the history begins with entry 1, timer-started")
	assert.Contains(t, text, "recorded is one of 1m0s")
	assert.Contains(t, text, "8 runs with")
}

func TestCodeThatIsGoneMattersToOpenRunsOnly(t *testing.T) {
	assert.True(t, run(t, Config{}, tale("a", started("ancient", 1), &history.Terminated{})).Fits())
	assert.False(t, run(t, Config{}, tale("a", started("ancient", 1))).Fits())
	assert.Equal(t, "no runs\n", run(t, Config{}).String())
}

func TestStrictFindsWhatNamesLetsPass(t *testing.T) {
	h := func() History { return tale("a", started("sleeper", 1), slept(time.Minute)) }
	assert.True(t, run(t, Config{}, h()).Fits())
	assert.False(t, run(t, Config{Level: replay.Strict}, h()).Fits())
}

func TestCodeThatDoesNotComeBackStalls(t *testing.T) {
	gate := make(chan struct{})
	defer close(gate)
	stuck := workflow.Define("sleeper", func(workflow.Context, int) (int, error) { <-gate; return 0, nil })
	r, err := Histories(t.Context(), CodeOf(stuck), all(tale("a", started("sleeper", 1))), Config{Patience: 10 * time.Millisecond})
	require.NoError(t, err)
	n, _ := r.Count(Stalls)
	assert.Equal(t, 1, n)
	assert.Contains(t, r.String(), "has not come back after 10ms")

	deaf := workflow.Define("sleeper", func(ctx workflow.Context, _ int) (int, error) { return workflow.NewChannel[int](0).Receive(ctx) })
	r, err = Histories(t.Context(), CodeOf(deaf), all(tale("a", started("sleeper", 1))), Config{Patience: -1})
	require.NoError(t, err)
	assert.Contains(t, r.String(), "deadlock: main waits for a value from a channel")
}

func TestTheNewestRunIsHeldAgainstTheCodeWithWhatItCarriesOn(t *testing.T) {
	next := started("sleeper", 2)
	next.Carried = []history.Range{{From: 3, To: 3}}
	h := tale("a",
		started("gone", 1), scheduled(), &history.Signaled{Name: "nudge", Value: history.JSON([]byte("5"))}, &history.Continued{},
		next, slept(time.Hour), &history.TimerFired{Step: 1}, &history.Completed{Result: history.JSON([]byte("5"))})
	r := run(t, Config{Level: replay.Strict}, h)
	assert.True(t, r.Fits(), r.String())
	assert.Equal(t, 4, r.Entries)

	first, err := ReadRun(t.Context(), h, 1, opener(t))
	require.NoError(t, err)
	assert.Len(t, first.Entries, 4)
	assert.False(t, first.Open)
	_, err = ReadRun(t.Context(), h, 3, opener(t))
	assert.EqualError(t, err, "there is no run 3; the last one is 2")
}

func opener(t *testing.T) *vault.Vault {
	v, err := Opener("")
	require.NoError(t, err)
	return v
}

func TestWhatIsWrittenIsReadAgain(t *testing.T) {
	cut := cutOff(tale("cut", started("sleeper", 1)), errors.New("cut \"off\""))
	var file bytes.Buffer
	for _, h := range []History{tale("a", started("sleeper", 1), slept(time.Hour)), tale("empty"), cut, tale("b", started("sleeper", 1))} {
		require.NoError(t, Write(&file, h))
	}
	var said []string
	for h, err := range Read(&file) {
		require.NoError(t, err)
		n := 0
		for _, err := range h.Entries {
			if err != nil {
				said = append(said, err.Error())
			}
			n++
		}
		said = append(said, fmt.Sprint(h.ID.Workflow, " ", n))
	}
	assert.Equal(t, []string{"a 2", "empty 0", `cut "off"`, "cut 2", "b 1"}, said)
}

func TestASampleIsTheNewestAndSomeOfTheRest(t *testing.T) {
	candidates := func(yield func(Candidate, error) bool) {
		for i := range 1000 {
			if !yield(Candidate{history.ID{Workflow: fmt.Sprintf("%03d", i)}, i%10 == 0, uint64(1000 - i)}, nil) {
				return
			}
		}
	}
	pick := func(s Sample) (open, newest, rest int, ids string) {
		for c, err := range s.Pick(candidates) {
			require.NoError(t, err)
			switch {
			case c.Open:
				open++
			case c.Rank > 1000-56: // the newest 50 that are closed
				newest++
			default:
				rest++
			}
			ids += c.ID.Workflow + " "
		}
		return open, newest, rest, ids
	}
	open, newest, rest, ids := pick(Sample{Closed: 100})
	assert.Equal(t, []int{100, 50, 50}, []int{open, newest, rest})
	_, _, _, again := pick(Sample{Closed: 100})
	assert.Equal(t, ids, again, "the same candidates give the same sample")
	for _, century := range []string{" 2", " 5", " 8"} {
		assert.Contains(t, ids[strings.Index(ids, " 990")+4:], century, "from everywhere")
	}
	open, newest, rest, _ = pick(Sample{})
	assert.Equal(t, []int{100, 0, 0}, []int{open, newest, rest})
	open, newest, rest, _ = pick(Sample{All: true})
	assert.Equal(t, 1000, open+newest+rest)
	open, newest, rest, _ = pick(Sample{Closed: 5000})
	assert.Equal(t, 1000, open+newest+rest)
}

func TestTheEndOfTheContextEndsACheck(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	endless := func(yield func(History, error) bool) {
		for i := 0; yield(tale(fmt.Sprint(i), started("sleeper", 1), slept(time.Hour)), nil); i++ {
			if i == 100 {
				cancel()
			}
		}
	}
	r, err := Histories(ctx, CodeOf(sleeper(time.Hour)), endless, Config{})
	assert.ErrorIs(t, err, context.Canceled)
	assert.Greater(t, r.Runs, 90)
}

func TestFilesSaysWhatIsMissing(t *testing.T) {
	for path, want := range map[string]string{"none": "no such file", t.TempDir(): "holds no file whose name ends with", "check_test.go": ""} {
		for _, err := range Files(path) {
			if want != "" {
				assert.ErrorContains(t, err, want)
			}
		}
	}
}
