package runtime

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// A store that does not answer holds up one who asks about holds, and the others wait for him; each can give up.
func TestWhoWaitsForTheRecordOfActsCanGiveUp(t *testing.T) {
	a := newAdmin()
	a.turn <- struct{}{} // somebody reads
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, a.enter(ctx, nil), context.Canceled)
	a.leave()
}
