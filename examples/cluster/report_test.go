package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOnlyTroubleAroundTheTimeExcuses(t *testing.T) {
	const lease = 4 * time.Second
	zero := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(seconds float64) time.Time { return zero.Add(time.Duration(seconds * float64(time.Second))) }
	by := func(node string, seconds float64, serial uint64) mark {
		return mark{node: node, at: at(seconds), serial: serial}
	}
	troubles := []trouble{{"node-1", at(10), at(20)}, {"", at(100), at(101)}}
	for _, test := range []struct {
		name  string
		marks []mark
		want  bool
	}{
		{"just before", []mark{by("node-1", 9.5, 1), by("node-2", 14, 2)}, true},
		{"long before", []mark{by("node-1", 8, 1), by("node-2", 14, 2)}, false},
		{"in it", []mark{by("node-1", 15, 1), by("node-2", 16, 2)}, true},
		{"within a lease after it", []mark{by("node-1", 24, 1), by("node-2", 25, 2)}, true},
		{"long after it", []mark{by("node-1", 26, 1), by("node-2", 27, 2)}, false},
		{"another's", []mark{by("node-2", 15, 1), by("node-1", 16, 2)}, false},
		{"the server's is everybody's", []mark{by("node-2", 100.5, 1), by("node-3", 103, 2)}, true},
		{"but not for ever", []mark{by("node-2", 90, 1), by("node-3", 103, 2)}, false},
		{"all but the last", []mark{by("node-1", 15, 1), by("node-2", 16, 2), by("node-3", 17, 3)}, false},
		{"the same hand-out twice", []mark{by("node-1", 15, 1), by("node-1", 16, 1)}, false},
	} {
		require.Equal(t, test.want, excused(test.marks, troubles, lease), test.name)
	}
}

func TestMarksAreHeldAgainstTheRecordedOutcome(t *testing.T) {
	now := time.Now()
	troubles := []trouble{{"node-1", now, now}}
	one, other := mark{node: "node-1", at: now, serial: 5}, mark{node: "node-2", at: now.Add(time.Second), serial: 6}
	for _, test := range []struct {
		name                    string
		marks                   []mark
		missing, again, doubled int
	}{
		{"as it should be", []mark{other}, 0, 0, 0},
		{"nothing was made", nil, 1, 0, 0},
		{"by another attempt alone", []mark{one}, 1, 0, 0},
		{"twice, excused", []mark{one, other}, 0, 1, 0},
		{"twice, not excused", []mark{{node: "node-3", at: now, serial: 4}, other}, 0, 0, 1},
	} {
		var r report
		r.compare("ship", test.marks, 6, troubles, time.Second)
		require.Equal(t, []int{test.missing, test.again, test.doubled}, []int{len(r.missing), len(r.again), len(r.doubled)}, test.name)
		require.Equal(t, test.missing+test.doubled > 0, r.verdict() != nil, test.name)
	}
}

func TestMarksAreReadAsTheyWereLeft(t *testing.T) {
	path := filepath.Join(t.TempDir(), "witness")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	later := mark{"order-1", "ship", "node-2", time.UnixMicro(2_000_001), 2, 77}
	before := mark{"order-1", "ship", "node-1", time.UnixMicro(1_000_001), 1, 76}
	require.NoError(t, later.leave(path))
	require.NoError(t, before.leave(path))
	all, err := readMarks(path)
	require.NoError(t, err)
	require.Equal(t, map[string][]mark{"order-1 ship": {before, later}}, all)
	require.NoError(t, os.WriteFile(path, []byte("order-1 ship node-1 1"), 0o600))
	_, err = readMarks(path)
	require.Error(t, err)
}

func TestWhoWaitsTooLongAfterAHealingIsAFlaw(t *testing.T) {
	w := &watch{healings: []*healing{
		{name: "node-1", from: time.Now(), longest: 2 * time.Second, of: "order-1"},
		{name: "node-2", from: time.Now().Add(-time.Minute), longest: time.Second, orders: map[string]bool{"order-2": true}}, // still waits
	}}
	worst := w.stuck()
	require.Equal(t, "order-2", worst.of)
	require.ErrorContains(t, report{slowest: worst, limit: 10 * time.Second}.verdict(), "after the trouble of node-2 was over order-2 waited")
	require.NoError(t, report{slowest: *w.healings[0], limit: 10 * time.Second}.verdict())
}

func TestAnOrderIsExpectedToGetOnUnlessItsNodeHasTroubleAgain(t *testing.T) {
	w := &watch{
		names: map[string]string{"a": "node-1", "b": "node-2"}, owner: map[string]string{"order-1": "a", "order-2": "b"},
		open: map[string]bool{"order-1": true, "order-2": true},
	}
	w.healed("node-3", time.Now())
	w.struck("node-1")
	require.Equal(t, map[string]bool{"order-2": true}, w.healings[0].orders)
	w.healed("node-1", time.Now())
	require.Equal(t, map[string]bool{"order-1": true, "order-2": true}, w.healings[1].orders)
	require.False(t, w.troubles[0].to.IsZero())
	w.struck("")
	require.Empty(t, w.healings[0].orders)
	require.Empty(t, w.healings[1].orders)
}
