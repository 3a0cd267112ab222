package history

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// busy is a run in which all that can be open is open.
func busy() []Entry {
	standard := StandardPolicy
	return sealed(
		&Started{Run: "r1", Chain: "r1", Number: 1, Type: "order", RunDeadline: when.Add(48 * time.Hour)},
		&ActivityScheduled{Step: 1, Name: "charge", Policy: &standard},
		&ActivityScheduled{Step: 2, Name: "ship", Policy: &standard},
		&AttemptStarted{Try: Try{Step: 2, Serial: 7, Attempt: 1, Started: when}, Pending: true},
		&ActivityScheduled{Step: 3, Name: "thank", Policy: &standard},
		&AttemptFailed{Try: Try{Step: 3, Serial: 8, Attempt: 1, Started: when}, RetryAt: when.Add(time.Minute)},
		&TimerStarted{Step: 4, After: time.Hour, Due: when.Add(time.Hour)},
		&ActivityScheduled{Step: 5, Name: "count", Policy: &standard},
		&AttemptStarted{Try: Try{Step: 5, Serial: 9, Attempt: 1, Started: when}},
		&Signaled{Name: "paid"},
		&Kept{Gate: true, Name: "v2"},
		&Signaled{Name: "paid"},
		&Stalled{Reason: "no code"},
	)
}

func then(entries []Entry, events ...Event) []Entry {
	for _, event := range events {
		last := entries[len(entries)-1]
		e := Entry{Seq: last.Seq + 1, At: last.At.Add(time.Second), Event: event}
		Seal(last.Hash, &e)
		entries = append(entries, e)
	}
	return entries
}

func TestAClosingEntryClearsEverything(t *testing.T) {
	for event, want := range map[Event]Status{
		&Completed{Result: text("R-1")}:   StatusCompleted,
		&Failed{Failure: text("E-1")}:     StatusFailed,
		&Cancelled{Failure: text("E-1")}:  StatusCancelled,
		&Terminated{Reason: "by hand"}:    StatusTerminated,
		&TimedOut{Limit: "run", Step: 12}: StatusTimedOut,
	} {
		entries := then(busy(), event)
		s := Fold(entries...)
		assert.Equal(t, want, s.Status)
		assert.False(t, s.Open())
		assert.False(t, s.Due())
		assert.Empty(t, s.Activities)
		assert.Empty(t, s.Timers)
		assert.Nil(t, s.Stall)
		assert.Nil(t, s.Waiting())
		assert.Zero(t, s.Wake())
		_, _, due := s.NextDue()
		assert.False(t, due)
		assert.Equal(t, s.Seq, s.Told)
		assert.Equal(t, s.At, s.Run.Closed)
		assert.NotEqual(t, Outcome{}, s.Outcome)

		// What comes too late changes nothing of this.
		late := Fold(then(entries,
			&Heartbeat{Try: Try{Step: 2, Serial: 7}}, &AttemptLost{Try{Step: 1}}, &ActivityCompleted{Try: Try{Step: 1}}, &TimerFired{Step: 4},
			&ActivityCancelRequested{Step: 3}, &Resumed{}, &Told{})...)
		assert.Equal(t, want, late.Status)
		assert.Nil(t, late.Waiting())
		assert.Zero(t, late.Wake())

		// The next run begins with nothing of the last but its place in the stream.
		started := &Started{Run: "r2", Chain: "r2", Number: 2, Type: "order"}
		next := Fold(then(entries, started)...)
		assert.Equal(t, StatusRunning, next.Status)
		assert.Equal(t, Run{ID: "r2", Chain: "r2", Number: 2, Type: "order", Began: next.Seq, Started: next.At, Lasting: nothingLasts}, next.Run)
		assert.Equal(t, Outcome{}, next.Outcome)
		assert.Equal(t, then(entries, started)[len(entries)].Size(), next.Bytes)
		assert.Equal(t, "v1.2.3", next.Build)
		assert.True(t, next.Due(), "the code is to be told that it started")
		assert.Empty(t, next.Activities)
	}
}

func TestAnOpenStateAlwaysWaitsForSomething(t *testing.T) {
	entries := busy()
	s := new(State)
	assert.Nil(t, s.Waiting(), "it has not started")
	for _, e := range entries {
		s.Evolve(e)
		assert.NotEmpty(t, s.Waiting(), "after %s", e)
	}
	var why []string
	for _, r := range s.Waiting() {
		why = append(why, fmt.Sprint(r.Step, " ", r))
	}
	assert.Equal(t, []string{
		"0 stalled: no code",
		"0 the code being told up to entry 12",
		"1 attempt 1 of activity charge until 2026-01-03T03:04:06Z",
		"2 somebody outside who completes attempt 1 of activity ship until 2026-01-03T03:04:07Z",
		"3 attempt 2 of activity thank, which is put off until 2026-01-02T03:05:05Z",
		"4 timer until 2026-01-02T04:04:05Z",
		"5 attempt 1 of activity count until 2026-01-02T03:14:05Z",
	}, why)

	delayed := Fold(sealed(&Started{Run: "r1", BeginAt: when.Add(time.Hour)}, &Told{})...)
	assert.Equal(t, "its beginning until 2026-01-02T04:04:05Z", delayed.Waiting()[0].String())
	assert.False(t, delayed.Due(), "the code is told nothing before the run begins")

	told := sealed(&Started{Run: "r1"})
	last := Entry{Seq: 2, At: when, Told: 1, Event: &Told{}}
	Seal(told[0].Hash, &last)
	idle := Fold(append(told, last)...)
	assert.Equal(t, "a signal", idle.Waiting()[0].String())
	assert.False(t, idle.Due())
	assert.Zero(t, idle.Wake())
}

func TestRequestsAreKnownForAsLongAsTheRun(t *testing.T) {
	e := Entry{Seq: 1, At: when, Request: "req-1", Event: &Started{Run: "r1", Chain: "r1"}}
	Seal(Hash{}, &e)
	signal := Entry{Seq: 2, At: when, Request: "req-2", Event: &Signaled{Name: "paid"}}
	Seal(e.Hash, &signal)
	s := Fold(e, signal)
	for request, want := range map[string]uint64{"req-1": 1, "req-2": 2} {
		seq, ok := s.Requested(request)
		assert.True(t, ok)
		assert.Equal(t, want, seq)
	}
	for _, request := range []string{"", "req-3"} {
		_, ok := s.Requested(request)
		assert.False(t, ok, "%q", request)
	}

	closing := Entry{Seq: 3, At: when, Request: "req-3", Event: &Terminated{}}
	Seal(signal.Hash, &closing)
	s.Evolve(closing)
	seq, ok := s.Requested("req-2")
	assert.True(t, ok, "a closed run still knows what was asked of it")
	assert.EqualValues(t, 2, seq)
	next := Entry{Seq: 4, At: when, Request: "req-3", Event: &Started{Run: "r2", Chain: "r2"}}
	Seal(closing.Hash, &next)
	s.Evolve(next)
	_, ok = s.Requested("req-2")
	assert.False(t, ok)
	seq, ok = s.Requested("req-3")
	assert.True(t, ok)
	assert.EqualValues(t, 4, seq, "the run that was asked for, not the end of the one before")
}

func TestAStallIsLiftedByWhoeverGoesOn(t *testing.T) {
	s := Fold(busy()...)
	require.Equal(t, StatusStalled, s.Status)
	require.Equal(t, &Stall{Reason: "no code", Build: "v1.2.3", Since: s.At, Seq: s.Seq}, s.Stall)
	told := Entry{Seq: s.Seq + 1, At: s.At, Told: 12, Event: &Kept{Name: "x"}}
	Seal(s.Hash, &told)
	s.Evolve(told)
	assert.Equal(t, StatusRunning, s.Status)
	assert.Nil(t, s.Stall)
	assert.False(t, s.Due())

	s = Fold(then(busy(), &Signaled{Name: "more"})...)
	assert.Equal(t, StatusStalled, s.Status, "an input that nobody was told lifts nothing")
	s = Fold(then(busy(), &Resumed{})...)
	assert.Equal(t, StatusRunning, s.Status)
}

func TestEntriesFollowEachOther(t *testing.T) {
	s := Fold(busy()...)
	assert.Panics(t, func() { s.Evolve(Entry{Seq: s.Seq, At: s.At, Event: &Told{}}) })
	assert.Panics(t, func() { s.Evolve(Entry{Seq: s.Seq + 2, At: s.At, Event: &Told{}}) })
	assert.Panics(t, func() { AppendEntry(nil, Entry{Seq: 1, At: when, Event: &Told{}}) }, "it was not sealed")
}

// TestAnAttemptThatTakesOverLeavesNothingOfTheOther holds where the end of the other was never recorded.
func TestAnAttemptThatTakesOverLeavesNothingOfTheOther(t *testing.T) {
	p := StandardPolicy
	p.Heartbeat, p.OnTimeout = time.Minute, ThenAlert
	at := func(d time.Duration) time.Time { return when.Add(d) }
	entries := sealed(&Started{Run: "r1"}, &ActivityScheduled{Step: 1, Name: "charge", Policy: &p})
	entries = then(entries,
		&AttemptStarted{Try: Try{Step: 1, Serial: 7, Attempt: 1, Started: at(2 * time.Second)}, Pending: true},
		&AttemptOverdue{Try: Try{Step: 1, Serial: 7, Attempt: 1, Started: at(2 * time.Second)}, Limit: HeartbeatLimit})
	s := Fold(entries...)
	assert.True(t, s.Activities[1].Overdue && s.Activities[1].Pending)
	s = Fold(then(entries, &AttemptStarted{Try: Try{Step: 1, Serial: 8, Attempt: 1, Started: at(4 * time.Second)}})...)
	assert.False(t, s.Activities[1].Overdue || s.Activities[1].Pending)
	assert.Equal(t, at(64*time.Second), s.Wake())
	s = Fold(then(entries, &Heartbeat{Try: Try{Step: 1, Serial: 9, Attempt: 1, Started: at(3 * time.Second)}, Beat: at(5 * time.Second)})...)
	assert.False(t, s.Activities[1].Overdue || s.Activities[1].Pending)
	assert.Equal(t, at(65*time.Second), s.Wake())
}

func TestIDsAreReadAsWritten(t *testing.T) {
	for _, id := range []ID{{"default", "order-1"}, {"a", "b/c/d"}, {"a", ""}} {
		got, err := ParseID(id.String())
		require.NoError(t, err)
		assert.Equal(t, id, got)
	}
	_, err := ParseID("order-1")
	assert.Error(t, err)
}

func TestStatusesAreReadAsWritten(t *testing.T) {
	for _, name := range statusNames {
		s, ok := ParseStatus(name)
		assert.True(t, ok)
		assert.Equal(t, name, s.String())
		assert.True(t, s&StatusOpen != 0 != (s&StatusClosed != 0), name)
	}
	_, ok := ParseStatus("lost")
	assert.False(t, ok)
}
