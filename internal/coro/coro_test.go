package coro_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/internal/coro"
)

func TestCoroutinesRunFirstInFirstOut(t *testing.T) {
	var g coro.Group
	var bell coro.Bell
	var said []string
	for _, name := range []string{"a", "b", "c"} {
		g.Go(name, func() {
			said = append(said, name+"1")
			g.Wait(&bell)
			said = append(said, name+"2")
		})
	}
	require.Nil(t, g.Run())
	assert.Equal(t, "a1 b1 c1", strings.Join(said, " "))
	assert.Len(t, g.Blocked(), 3)

	bell.Ring()
	require.Nil(t, g.Run())
	assert.Equal(t, "a1 b1 c1 a2 b2 c2", strings.Join(said, " "))
	assert.True(t, g.Idle())
}

func TestOneOfSeveralBellsWakes(t *testing.T) {
	var g coro.Group
	var one, other coro.Bell
	rounds := 0
	g.Go("c", func() {
		for {
			g.Wait(&one, &other)
			rounds++
		}
	})
	g.Run()
	other.Ring()
	one.Ring() // already awake: once only
	g.Run()
	assert.Equal(t, 1, rounds)
	one.Ring()
	g.Run()
	assert.Equal(t, 2, rounds)
	g.Stop()
}

func TestConditionsAreTriedInTheOrderOfRegistrationAndAgainFromTheFirst(t *testing.T) {
	var g coro.Group
	n := 0
	var said []string
	g.Go("first", func() {
		g.Await(func() bool { return n >= 2 })
		said = append(said, "first")
		n = 3
	})
	g.Go("second", func() {
		g.Await(func() bool { return n == 1 })
		said = append(said, "second")
		n = 2
	})
	g.Go("third", func() {
		g.Await(func() bool { return n >= 2 })
		said = append(said, "third")
	})
	g.Go("starter", func() { n = 1 })
	require.Nil(t, g.Run())
	assert.Equal(t, []string{"second", "first", "third"}, said)
}

func TestPanicKeepsTheAuthorsStack(t *testing.T) {
	var g coro.Group
	g.Go("bad", func() { authorsBug() })
	p := g.Run()
	require.NotNil(t, p)
	assert.Equal(t, "oh", p.Value)
	assert.Equal(t, "bad", p.Coroutine)
	assert.Contains(t, p.Stack, "authorsBug")
}

func authorsBug() { panic("oh") }

func TestPanicOfAConditionIsTheCoroutines(t *testing.T) {
	var g coro.Group
	calls := 0
	g.Go("c", func() {
		g.Await(func() bool {
			if calls++; calls > 1 {
				panic("cond")
			}
			return false
		})
	})
	p := g.Run()
	require.NotNil(t, p)
	assert.Equal(t, "cond", p.Value)
	g.Stop()
}

func TestStopUnwindsWithDeferredCalls(t *testing.T) {
	var g coro.Group
	var bell coro.Bell
	cleaned := 0
	for range 3 {
		g.Go("c", func() {
			defer func() { cleaned++ }()
			g.Wait(&bell)
			t.Error("went on after Stop")
		})
	}
	g.Go("never begun", func() {})
	g.Run()
	g.Stop()
	assert.Equal(t, 3, cleaned)
	assert.True(t, g.Idle())
}

func TestACoroutineThatIsAloneRunsOnAndNoOther(t *testing.T) {
	var g coro.Group
	var bell coro.Bell
	var ran []string
	cleaned, tried, holds := 0, 0, false
	g.Go("waits", func() {
		defer func() { cleaned++ }()
		g.Wait(&bell)
		ran = append(ran, "woken")
	})
	g.Go("tries", func() {
		defer func() { cleaned++ }()
		g.Await(func() bool { tried++; return holds })
		ran = append(ran, "held")
	})
	g.Run()
	before := tried
	var own coro.Bell
	g.Go("alone", func() {
		bell.Ring()
		g.Alone()
		holds = true
		ran = append(ran, "alone")
		g.Wait(&own)
		g.Await(func() bool { return len(ran) > 1 }, &own)
		ran = append(ran, "still alone")
	})
	g.Go("behind", func() { ran = append(ran, "behind") })
	assert.Nil(t, g.Run())
	assert.Equal(t, []string{"alone"}, ran)
	own.Ring()
	bell.Ring()
	assert.Nil(t, g.Run())
	own.Ring()
	assert.Nil(t, g.Run())
	assert.Equal(t, []string{"alone", "still alone"}, ran)
	assert.Equal(t, before, tried, "what others wait for is not looked at either")
	g.Stop()
	assert.Equal(t, 2, cleaned)
	assert.True(t, g.Idle())
}

func BenchmarkRoundTrip(b *testing.B) {
	var g coro.Group
	var bell coro.Bell
	g.Go("c", func() {
		for {
			g.Wait(&bell)
		}
	})
	g.Run()
	for b.Loop() {
		bell.Ring()
		g.Run()
	}
	g.Stop()
}
