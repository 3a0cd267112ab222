package dispatch

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
)

// inHandOf is an attempt in hand since the epoch.
func inHandOf(t *testing.T, q *Queue, workflow string, p history.Policy) taken {
	t.Helper()
	a := attempt(workflow)
	a.Policy = &p
	q.Offer(a, epoch, epoch)
	return mustTake(t, q, workflow, epoch)
}

// overdue wants to know whose limits have passed, by the names of the workflows.
func overdue(q *Queue, now time.Time) (names []string, next time.Time) {
	ids, next := q.Overdue(now)
	for _, id := range ids {
		names = append(names, id.Workflow)
	}
	return names, next
}

func TestOverdueTakesBeatsIntoAccount(t *testing.T) {
	q := New(10)
	h := inHandOf(t, q, "x", history.Policy{Heartbeat: 10 * time.Second})
	require.True(t, told(q.Sooner()))
	h.Beat(history.Payload{}, after(7*time.Second))
	names, next := overdue(q, after(10*time.Second))
	require.Empty(t, names)
	require.Equal(t, after(17*time.Second), next)
	names, next = overdue(q, after(17*time.Second-1))
	require.Empty(t, names)
	require.Equal(t, after(17*time.Second), next)
	names, _ = overdue(q, after(17*time.Second))
	require.Equal(t, []string{"x"}, names)
}

func TestOverdueRepeatsAfterASecond(t *testing.T) {
	q := New(10)
	h := inHandOf(t, q, "x", history.Policy{StartToClose: 10 * time.Second, Heartbeat: time.Minute})
	h.Beat(history.Payload{}, after(9*time.Second)) // does not lengthen the attempt
	for now := after(10 * time.Second); now.Before(after(15 * time.Second)); now = now.Add(time.Second) {
		names, next := overdue(q, now)
		require.Equal(t, []string{"x"}, names)
		require.Equal(t, now.Add(time.Second), next)
		names, _ = overdue(q, next.Add(-1))
		require.Empty(t, names)
	}
	q.Settle(h.Key, errA)
	names, next := overdue(q, after(time.Hour))
	require.Empty(t, names)
	require.Zero(t, next)
}

func TestTheNearestLimitOfAllIsNext(t *testing.T) {
	q := New(10)
	inHandOf(t, q, "long", history.Policy{StartToClose: time.Minute})
	inHandOf(t, q, "short", history.Policy{StartToClose: time.Second, Heartbeat: 5 * time.Second})
	inHandOf(t, q, "none", history.Policy{})
	_, next := overdue(q, epoch)
	require.Equal(t, after(time.Second), next)
	names, next := overdue(q, after(30*time.Second))
	require.Equal(t, []string{"short"}, names)
	require.Equal(t, after(31*time.Second), next, "what is returned again is next")
	names, next = overdue(q, after(59*time.Second+time.Second/2))
	require.Equal(t, []string{"short"}, names)
	require.Equal(t, after(time.Minute), next)
	names, next = overdue(q, after(time.Hour))
	require.ElementsMatch(t, []string{"short", "long"}, names)
	require.Equal(t, after(time.Hour+time.Second), next)
}

func TestUnlimitLetsTheAttemptTakeAsLongAsItWants(t *testing.T) {
	q := New(10)
	limits := history.Policy{StartToClose: time.Second, Heartbeat: time.Second}
	h := inHandOf(t, q, "x", limits)
	names, _ := overdue(q, after(time.Second))
	require.Equal(t, []string{"x"}, names)
	q.Unlimit(h.Key)
	q.Unlimit(key("nobody", 1))
	h.Beat(text("on"), after(time.Minute))
	names, next := overdue(q, after(time.Hour))
	require.Empty(t, names)
	require.Zero(t, next)

	h.Release()
	inHandOf(t, q, "x", limits)
	names, _ = overdue(q, after(time.Hour))
	require.Equal(t, []string{"x"}, names, "the next attempt has its limits again")
}

func TestWhatGoesOnOutsideIsNotOverdueHere(t *testing.T) {
	q := New(10)
	h := inHandOf(t, q, "x", history.Policy{StartToClose: time.Second})
	q.Outside(h.Attempt, epoch, epoch)
	h.Release()
	_, next := overdue(q, epoch)
	require.Zero(t, next, "history knows its limits")

	q.SettleAll(h.ID, errA)
	inHandOf(t, q, "x", history.Policy{}) // of the next run, which counts its steps anew
	names, next := overdue(q, after(time.Hour))
	require.Empty(t, names, "it has no limit")
	require.Zero(t, next)
}

// TestBeatsAreRecordedNowAndThen: when the checkpoint has changed and half the heartbeat limit has passed.
func TestBeatsAreRecordedNowAndThen(t *testing.T) {
	type beat struct {
		at         time.Duration
		checkpoint string // empty: none
		record     bool
	}
	for name, c := range map[string]struct {
		heartbeat time.Duration
		beats     []beat
	}{
		"no checkpoint":      {10 * time.Second, []beat{{4 * time.Second, "", false}, {9 * time.Second, "", false}, {time.Hour, "", false}}},
		"the same as before": {10 * time.Second, []beat{{9 * time.Second, "first", false}}},
		"at half the limit":  {10 * time.Second, []beat{{5*time.Second - 1, "a", false}, {5 * time.Second, "b", true}, {6 * time.Second, "c", false}, {10 * time.Second, "c", true}}},
		"changed earlier":    {10 * time.Second, []beat{{time.Second, "a", false}, {5 * time.Second, "", true}, {20 * time.Second, "a", false}}},
		"without a limit":    {0, []beat{{30*time.Second - 1, "a", false}, {30 * time.Second, "", true}, {59 * time.Second, "b", false}, {time.Minute, "", true}}},
	} {
		t.Run(name, func(t *testing.T) {
			a := attempt("x")
			a.Policy = &history.Policy{Heartbeat: c.heartbeat}
			a.Checkpoint = text("first")
			a.Serial = 1
			q := New(1)
			q.Offer(a, epoch, epoch)
			h := mustTake(t, q, "x", epoch)
			q2 := New(1)
			q2.Outside(a, epoch, epoch)
			last := text("first")
			for _, b := range c.beats {
				var p history.Payload
				if b.checkpoint != "" {
					p = text(b.checkpoint)
					last = p
				}
				require.Equal(t, b.record, h.Beat(p, after(b.at)), "at %s", b.at)
				require.Equal(t, last, h.Checkpoint())
				require.Equal(t, after(b.at), h.Facts().Beat)
				facts, record, known := q2.BeatOutside(a.Key, 1, p, after(b.at))
				require.True(t, known)
				require.Equal(t, b.record, record, "outside, at %s", b.at)
				require.Equal(t, commands.Attempt{Run: "run", Step: 1, Serial: 1, Started: epoch, Beat: after(b.at), Checkpoint: last}, facts)
			}
		})
	}
}

func TestBeatOutsideKnowsOnlyTheAttemptThatGoesOn(t *testing.T) {
	q := New(10)
	known := func(serial history.Serial) bool {
		facts, record, known := q.BeatOutside(key("x", 1), serial, text("p"), after(time.Hour))
		if !known {
			require.Zero(t, facts)
			require.False(t, record)
		}
		return known
	}
	require.False(t, known(0), "of nobody")
	a := attempt("x")
	a.Serial = 7
	q.Offer(a, after(time.Second), epoch)
	require.False(t, known(7), "it waits")
	q.Offer(a, epoch, epoch)
	require.False(t, known(7), "it is ready")
	h := mustTake(t, q, "x", epoch)
	require.False(t, known(7), "a newer one has been handed out")
	require.True(t, h.Checkpoint().Absent(), "and has heard nothing")
	require.True(t, known(h.Serial), "it was asked for by its token")
	require.Equal(t, text("p"), h.Checkpoint())
	q.Outside(h.Attempt, epoch, epoch)
	require.True(t, known(h.Serial))
	q.Settle(h.Key, errA)
	require.False(t, known(h.Serial))
}

func TestDeadlineIsTheNearerEnd(t *testing.T) {
	a := attempt("x")
	a.Scheduled = after(-time.Minute)
	for _, c := range []struct {
		policy history.Policy
		want   time.Time
	}{
		{history.Policy{ScheduleToClose: time.Hour}, after(59 * time.Minute)},
		{history.Policy{ScheduleToClose: time.Hour, StartToClose: time.Second, Heartbeat: 1}, after(time.Second)},
		{history.Policy{ScheduleToClose: time.Hour, StartToClose: 2 * time.Hour}, after(59 * time.Minute)},
	} {
		q := New(1)
		a.Policy = &c.policy
		q.Offer(a, epoch, epoch)
		require.Equal(t, c.want, mustTake(t, q, "x", epoch).Deadline())
	}
}
