package dispatch

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
)

// together does both at once.
func together(one, other func()) {
	var both sync.WaitGroup
	both.Go(one)
	both.Go(other)
	both.Wait()
}

// TestALaterOfferWinsOverATake: an attempt that is put off while others look for what is due is put off.
func TestALaterOfferWinsOverATake(t *testing.T) {
	for range 5000 {
		q := New(10)
		q.Offer(attempt("x"), after(time.Second), epoch)
		together(
			func() { q.Offer(attempt("x"), after(time.Hour), after(time.Second)) },
			func() { q.Take(after(time.Second), func(error) {}) },
		)
		require.Equal(t, after(time.Hour), nothing(t, q, after(time.Second)))
		require.Zero(t, q.Newest(key("x", 1)), "it waits")
	}
}

// TestALimitThatIsLiftedStaysSo: also while others look for what is overdue.
func TestALimitThatIsLiftedStaysSo(t *testing.T) {
	for range 5000 {
		q := New(10)
		h := inHandOf(t, q, "x", history.Policy{StartToClose: time.Second})
		together(
			func() { q.Unlimit(h.Key) },
			func() { q.Overdue(after(time.Second)) },
		)
		names, _ := overdue(q, after(time.Hour))
		require.Empty(t, names)
	}
}
