package lookup

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/store"
)

// totals are declared for orders: input.total is n of the input.
var totals = Inputs{"order": {Names: []string{"input.total"}, Of: func(in history.Payload) map[string]json.RawMessage {
	var v struct{ N json.RawMessage }
	if in.Decode(&v) != nil {
		return nil
	}
	return map[string]json.RawMessage{"input.total": v.N}
}}}

// TestFieldsThatAreDeclaredLaterAreThoseOfAllRuns: the index is built anew beside the one that is used meanwhile, and what comes
// meanwhile is in both.
func TestFieldsThatAreDeclaredLaterAreThoseOfAllRuns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "index")
	s := newScene(t)
	order := func(i int, input string) {
		e := start(fmt.Sprint("r", i), "order", 1)
		e.Input = history.JSON([]byte(input))
		s.then(fmt.Sprint("o", i), e)
	}
	for i := range 100 {
		order(i, fmt.Sprintf(`{"N":%d}`, i%10))
	}
	order(100, `{"N":null}`)
	order(101, `"of another kind"`)
	recorded := start("r102", "order", 1)
	recorded.Input, recorded.Attributes = history.JSON([]byte(`{"N":7}`)), history.JSON([]byte(`{"input.total":3}`))
	s.then("o102", recorded)
	s.then("trip", start("t", "trip", 1))
	log := newTape(s.records...)

	run := func(o Options, f func(x *Index)) {
		x, err := Open(t.Context(), path, o)
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- x.Run(ctx, log) }()
		f(x)
		stop()
		require.NoError(t, <-done)
		require.NoError(t, x.Close())
	}
	with := func(x *Index) int {
		page, err := x.Find(t.Context(), query.Query{Where: "input.total = 3", Limit: 1000})
		require.NoError(t, err)
		return len(page.Rows)
	}
	run(Options{}, func(x *Index) {
		reach(t, x, s.position)
		require.Equal(t, 1, with(x), "which has recorded it")
	})
	run(Options{Inputs: totals}, func(x *Index) {
		require.Equal(t, s.position, x.Position(), "it can be used at once")
		order(103, `{"N":3}`)
		log.add(s.records[len(s.records)-1])
		reach(t, x, s.position)
		require.Eventually(t, func() bool { return with(x) == 12 }, time.Minute, time.Millisecond)
		require.False(t, x.renews())
		reach(t, x, s.position)
	})
	var again []int
	run(Options{Inputs: totals}, func(x *Index) {
		require.False(t, x.renews(), "it has them")
		again = append(again, with(x))
		fresh, err := Open(t.Context(), memory, Options{Inputs: totals})
		require.NoError(t, err)
		require.NoError(t, fresh.Apply(s.records))
		require.ElementsMatch(t, all(t, fresh, query.Query{}), all(t, x, query.Query{}))
		require.NoError(t, fresh.Close())
	})
	run(Options{}, func(x *Index) { // as by the command line, which knows no code
		again = append(again, with(x))
		order(104, `{"N":3}`)
		log.add(s.records[len(s.records)-1])
		reach(t, x, s.position)
		again = append(again, with(x))
	})
	require.Equal(t, []int{12, 12, 12}, again)
	run(Options{Inputs: totals}, func(x *Index) {
		require.Eventually(t, func() bool { return with(x) == 13 }, time.Minute, time.Millisecond, "it is noticed that one is missing")
	})
	wider := Inputs{"order": {Names: []string{"input.total", "input.more"}, Of: totals["order"].Of}}
	run(Options{Inputs: wider}, func(x *Index) {
		require.Eventually(t, func() bool { return !x.renews() }, time.Minute, time.Millisecond)
		reach(t, x, s.position)
		require.Equal(t, 13, with(x))
	})
}

// TestABuildingBesideIsTriedAgain when the log cannot be read for a while, or something was taken away meanwhile.
func TestABuildingBesideIsTriedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "index")
	s := newScene(t)
	for i := range 20 {
		e := start(fmt.Sprint("r", i), "order", 1)
		e.Input = history.JSON([]byte(`{"N":3}`))
		s.then(fmt.Sprint("o", i), e)
	}
	x, err := Open(t.Context(), path, Options{})
	require.NoError(t, err)
	require.NoError(t, x.Apply(s.records))
	require.NoError(t, x.Close())
	log := newTape(s.records...)
	log.failing = fmt.Errorf("away for a while")
	x, err = Open(t.Context(), path, Options{Inputs: totals})
	require.NoError(t, err)
	x.move(x.Position(), 1) // as when something was taken away
	follow(t, x, log)
	require.Eventually(t, func() bool { return len(all(t, x, query.Query{Where: "input.total = 3"})) == 20 }, time.Minute, time.Millisecond)
	require.Eventually(t, func() bool {
		x.mu.Lock()
		defer x.mu.Unlock()
		return x.building == store.Position{}
	}, time.Minute, time.Millisecond)
}

// TestABuildingBesideAndOneThatReplacesALostFileDoNotMeet: both are made at the same place.
func TestABuildingBesideAndOneThatReplacesALostFileDoNotMeet(t *testing.T) {
	before := much
	much = 10
	t.Cleanup(func() { much = before })
	s := newScene(t)
	for i := range 100 {
		e := start(fmt.Sprint("r", i), "order", 1)
		e.Input = history.JSON([]byte(`{"N":3}`))
		s.then(fmt.Sprint("o", i), e)
	}
	for range 5 {
		path := filepath.Join(t.TempDir(), "index")
		x, err := Open(t.Context(), path, Options{})
		require.NoError(t, err)
		require.NoError(t, x.Apply(s.records))
		require.NoError(t, x.Close())
		x, err = Open(t.Context(), path, Options{Inputs: totals})
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- x.Run(ctx, newTape(s.records...)) }()
		for range 3 {
			require.NoError(t, x.Reset())
			time.Sleep(time.Millisecond)
		}
		require.Eventually(t, func() bool { return len(all(t, x, query.Query{Where: "input.total = 3"})) == 100 }, time.Minute, time.Millisecond)
		stop()
		require.NoError(t, <-done)
		require.NoError(t, x.Close())
	}
}
