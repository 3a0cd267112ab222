package eventstore

import (
	"errors"
	"io"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// brokenCall is over when the options have been sent. Why is said as late as by gRPC: after it was given up, if it has said what it had again.
type brokenCall struct {
	streams.Streams_AppendClient
	why    error
	after  int // messages
	gone   chan struct{}
	closed bool
}

func (c *brokenCall) Send(*streams.AppendReq) error {
	if c.after--; c.after < 0 {
		return io.EOF
	}
	return nil
}

func (c *brokenCall) CloseAndRecv() (*streams.AppendResp, error) {
	c.closed = true // and a server would store what it has
	return &streams.AppendResp{Result: &streams.AppendResp_Success_{Success: &streams.AppendResp_Success{}}}, nil
}

func (c *brokenCall) RecvMsg(any) error {
	if c.why == nil {
		<-c.gone
		return status.Error(codes.Canceled, "context canceled")
	}
	return c.why
}

// TestAnAppendThatWasNotSaidWholeIsNotCompleted: the server would take a part for the whole.
func TestAnAppendThatWasNotSaidWholeIsNotCompleted(t *testing.T) {
	why := status.Error(codes.InvalidArgument, "Maximum Append Size Exceeded")
	for after := range 3 {
		for _, c := range []*brokenCall{{after: after, why: why}, {after: after, gone: make(chan struct{})}} {
			answer, complete, err := say(c, &streams.AppendReq_Options{}, make([]proposal, 2), func() { close(c.gone) })
			require.Nil(t, answer)
			require.False(t, complete)
			require.False(t, c.closed)
			require.Error(t, err)
			if c.why != nil {
				require.True(t, errors.Is(err, why))
				continue
			}
			require.Equal(t, codes.Unavailable, status.Code(err))
		}
	}
	c := &brokenCall{after: 3}
	answer, complete, err := say(c, &streams.AppendReq_Options{}, make([]proposal, 2), nil)
	require.NoError(t, err)
	require.True(t, complete && c.closed)
	require.NotNil(t, answer)
}
