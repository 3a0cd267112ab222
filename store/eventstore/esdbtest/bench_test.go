package esdbtest

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// BenchmarkAppend is the stand-in's own limit: appends of two events through bare stubs, each to a stream of its own.
func BenchmarkAppend(b *testing.B) {
	for _, callers := range []int{1, 100} {
		b.Run(fmt.Sprint("callers=", callers), func(b *testing.B) {
			s := start(b, Options{})
			conn, err := grpc.NewClient(s.Address(0), grpc.WithTransportCredentials(insecure.NewCredentials()))
			require.NoError(b, err)
			defer conn.Close()
			c := streams.NewStreamsClient(conn)
			body := make([]byte, 300)
			var n atomic.Int64
			b.ResetTimer()
			var g errgroup.Group
			for range callers {
				g.Go(func() error {
					for i := n.Add(1); i <= int64(b.N); i = n.Add(1) {
						if err := appendOnce(b, c, fmt.Sprint("s-", i), body); err != nil {
							return err
						}
					}
					return nil
				})
			}
			require.NoError(b, g.Wait())
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
		})
	}
}

func appendOnce(b *testing.B, c streams.StreamsClient, stream string, body []byte) error {
	call, err := c.Append(b.Context())
	if err != nil {
		return err
	}
	_ = call.Send(&streams.AppendReq{Content: &streams.AppendReq_Options_{Options: &streams.AppendReq_Options{
		StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(stream)}, ExpectedStreamRevision: &streams.AppendReq_Options_NoStream{NoStream: &shared.Empty{}},
	}}}) // what went wrong is said by CloseAndRecv
	for range 2 {
		_ = call.Send(&streams.AppendReq{Content: &streams.AppendReq_ProposedMessage_{ProposedMessage: &streams.AppendReq_ProposedMessage{
			Id:       &shared.UUID{Value: &shared.UUID_String_{String_: uuid.NewString()}},
			Metadata: map[string]string{"type": "t", "content-type": "application/json"}, Data: body,
		}}})
	}
	_, err = call.CloseAndRecv()
	return err
}
