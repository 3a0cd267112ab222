package eventstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/clewflow/clew/store"
)

// stubs is a server that is spoken to through the generated stubs of the client's module.
type stubs struct {
	cluster *cluster
	root    string
}

var _ server = (*stubs)(nil)

// What a filtered read or subscription looks through at a time. Prefixes are compared by the rules of a language there, so
// they are ASCII.
const window = 500

var empty = &shared.Empty{}

// call is one try of a call. f reports whether the server may have received all that it needs to act on it.
func (s *stubs) call(ctx context.Context, f func(ctx context.Context, c streams.StreamsClient) (sent bool, trailer metadata.MD, err error)) error {
	n, conn, err := s.cluster.acquire(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(leaderOnly(ctx))
	defer cancel()
	sent, trailer, err := f(ctx, streams.NewStreamsClient(conn))
	var v verdict
	if err != nil {
		v = judge(err, trailer, sent)
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		v.lost = false // it was the caller who gave up
	}
	s.cluster.release(n, v)
	return v.err
}

// leaderOnly makes a node that does not lead refuse the call instead of passing it on or answering from what it has.
func leaderOnly(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "requires-leader", "true")
}

func (s *stubs) append(ctx context.Context, stream string, expected int64, events []proposal) (last uint64, err error) {
	options := &streams.AppendReq_Options{StreamIdentifier: named(stream)}
	if expected == noStream {
		options.ExpectedStreamRevision = &streams.AppendReq_Options_NoStream{NoStream: empty}
	} else {
		options.ExpectedStreamRevision = &streams.AppendReq_Options_Revision{Revision: uint64(expected)}
	}
	var answer *streams.AppendResp
	err = s.call(ctx, func(ctx context.Context, c streams.StreamsClient) (bool, metadata.MD, error) {
		ctx, giveUp := context.WithCancel(ctx)
		defer giveUp()
		call, err := c.Append(ctx)
		if err != nil {
			return false, nil, err
		}
		var complete bool
		answer, complete, err = say(call, options, events, giveUp)
		return complete, call.Trailer(), err
	})
	if err != nil {
		return 0, err
	}
	if wrong := answer.GetWrongExpectedVersion(); wrong != nil {
		if wrong.GetCurrentNoStream() != nil {
			return 0, fmt.Errorf("%w: there is no such stream", store.ErrConflict)
		}
		return 0, fmt.Errorf("%w: the stream ends at revision %d", store.ErrConflict, wrong.GetCurrentRevision())
	}
	if success := answer.GetSuccess(); success != nil {
		return success.GetCurrentRevision(), nil
	}
	return 0, fmt.Errorf("%w: the server's answer says nothing", store.ErrUnknownOutcome)
}

// whyOver is how long the reason is waited for why a call was over before all was sent.
const whyOver = time.Second

// say sends an append and receives the answer. The server acts on a call when it has heard that it is complete; if that was not said it has
// done nothing.
//
// A send that fails says only that the call is over; why is received. It must not be closed then: gRPC itself may say on another connection
// what was sent before, and the server would take the part for the whole, and store it, or nothing, and say that all went well. And since it may do
// that without being asked to close, it is given up if there is no answer soon.
func say(call streams.Streams_AppendClient, options *streams.AppendReq_Options, events []proposal, giveUp func()) (answer *streams.AppendResp, complete bool, err error) {
	err = call.Send(&streams.AppendReq{Content: &streams.AppendReq_Options_{Options: options}})
	for i := 0; i < len(events) && err == nil; i++ {
		err = call.Send(&streams.AppendReq{Content: &streams.AppendReq_ProposedMessage_{ProposedMessage: proposed(events[i])}})
	}
	switch {
	case err == nil:
		answer, err = call.CloseAndRecv()
		return answer, true, err
	case !errors.Is(err, io.EOF):
		return nil, false, err
	}
	defer time.AfterFunc(whyOver, giveUp).Stop()
	if err = call.RecvMsg(new(streams.AppendResp)); err == nil || status.Code(err) == codes.Canceled {
		err = status.Error(codes.Unavailable, "the call was over before all was sent")
	}
	return nil, false, err
}

func named(stream string) *shared.StreamIdentifier {
	return &shared.StreamIdentifier{StreamName: []byte(stream)}
}

func proposed(p proposal) *streams.AppendReq_ProposedMessage {
	return &streams.AppendReq_ProposedMessage{
		Id:             &shared.UUID{Value: &shared.UUID_String_{String_: p.id.String()}},
		Metadata:       map[string]string{"type": p.kind, "content-type": "application/json"},
		CustomMetadata: p.meta,
		Data:           p.data,
	}
}

func (s *stubs) setMetadata(ctx context.Context, stream string, expected int64, id uuid.UUID, data []byte) error {
	_, err := s.append(ctx, metadataOf(stream), expected, []proposal{{id: id, kind: "$metadata", data: data}})
	return err
}

func (s *stubs) readStream(ctx context.Context, stream string, from uint64, way direction, count int) (page, error) {
	option := &streams.ReadReq_Options_StreamOptions{
		StreamIdentifier: named(stream), RevisionOption: &streams.ReadReq_Options_StreamOptions_Revision{Revision: from},
	}
	if way == backwards {
		option.RevisionOption = &streams.ReadReq_Options_StreamOptions_End{End: empty}
	}
	return s.read(ctx, way, count, &streams.ReadReq_Options{
		StreamOption: &streams.ReadReq_Options_Stream{Stream: option},
		FilterOption: &streams.ReadReq_Options_NoFilter{NoFilter: empty},
	})
}

func (s *stubs) readAll(ctx context.Context, from store.Position, way direction, count int) (page, error) {
	return s.read(ctx, way, count, &streams.ReadReq_Options{StreamOption: all(from), FilterOption: s.filter()})
}

func all(from store.Position) *streams.ReadReq_Options_All {
	o := &streams.ReadReq_Options_AllOptions{}
	switch commit, prepare := numbers(from); {
	case isStart(from):
		o.AllOption = &streams.ReadReq_Options_AllOptions_Start{Start: empty}
	case from == edge:
		o.AllOption = &streams.ReadReq_Options_AllOptions_End{End: empty}
	default:
		o.AllOption = &streams.ReadReq_Options_AllOptions_Position{
			Position: &streams.ReadReq_Options_Position{CommitPosition: commit, PreparePosition: prepare},
		}
	}
	return &streams.ReadReq_Options_All{All: o}
}

func (s *stubs) filter() *streams.ReadReq_Options_Filter {
	return &streams.ReadReq_Options_Filter{Filter: &streams.ReadReq_Options_FilterOptions{
		Filter: &streams.ReadReq_Options_FilterOptions_StreamIdentifier{
			StreamIdentifier: &streams.ReadReq_Options_FilterOptions_Expression{Prefix: []string{s.root}},
		},
		Window: &streams.ReadReq_Options_FilterOptions_Max{Max: window}, CheckpointIntervalMultiplier: 1,
	}}
}

func (s *stubs) read(ctx context.Context, way direction, count int, o *streams.ReadReq_Options) (p page, err error) {
	o.CountOption = &streams.ReadReq_Options_Count{Count: uint64(count)}
	if way == backwards {
		o.ReadDirection = streams.ReadReq_Options_Backwards
	}
	o.UuidOption = &streams.ReadReq_Options_UUIDOption{Content: &streams.ReadReq_Options_UUIDOption_String_{String_: empty}}
	invalid := false
	err = s.call(ctx, func(ctx context.Context, c streams.StreamsClient) (bool, metadata.MD, error) {
		call, err := c.Read(ctx, &streams.ReadReq{Options: o})
		if err != nil {
			return false, nil, err
		}
		for size := 0; ; {
			answer, err := call.Recv()
			if errors.Is(err, io.EOF) {
				return false, nil, nil
			}
			if err != nil {
				invalid = isInvalid(err)
				return false, call.Trailer(), err
			}
			p.missing = p.missing || answer.GetStreamNotFound() != nil
			if e := answer.GetEvent().GetEvent(); e != nil {
				p.events = append(p.events, event(e))
				size += len(e.GetData()) + len(e.GetCustomMetadata())
			}
			if p.full = len(p.events) >= count || len(p.events) > 1 && size >= pageBytes; p.full {
				return false, nil, nil // what is on its way still is dropped with the call's context
			}
		}
	})
	if invalid && o.GetAll() != nil {
		err = fmt.Errorf("%w (%w)", errPosition, err)
	}
	return p, err
}

func event(e *streams.ReadResp_ReadEvent_RecordedEvent) recorded {
	return recorded{
		stream: string(e.GetStreamIdentifier().GetStreamName()), revision: e.GetStreamRevision(), kind: e.GetMetadata()["type"],
		at: position(e.GetCommitPosition(), e.GetPreparePosition()), data: e.GetData(), meta: e.GetCustomMetadata(),
	}
}

func (s *stubs) subscribeAll(ctx context.Context, after store.Position) iter.Seq2[delivery, error] {
	return func(yield func(delivery, error) bool) {
		conn, err := s.cluster.own(ctx)
		if err != nil {
			yield(delivery{}, err)
			return
		}
		defer conn.Close()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		call, err := streams.NewStreamsClient(conn).Read(ctx, &streams.ReadReq{Options: &streams.ReadReq_Options{
			StreamOption: all(after),
			CountOption:  &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}},
			FilterOption: s.filter(),
			UuidOption:   &streams.ReadReq_Options_UUIDOption{Content: &streams.ReadReq_Options_UUIDOption_String_{String_: empty}},
		}})
		for err == nil {
			var answer *streams.ReadResp
			if answer, err = call.Recv(); err != nil {
				break
			}
			d := delivery{}
			if e := answer.GetEvent().GetEvent(); e != nil {
				r := event(e)
				d.event = &r
			}
			if c := answer.GetCheckpoint(); c != nil {
				d.checkpoint = position(c.GetCommitPosition(), c.GetPreparePosition())
			}
			if !yield(d, nil) {
				return
			}
		}
		yield(delivery{}, s.dropped(call, err))
	}
}

// dropped says why a subscription has ended.
func (s *stubs) dropped(call streams.Streams_ReadClient, err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: the server has ended the subscription", store.ErrUnavailable)
	}
	if isTooSlow(err) {
		return errSlow
	}
	if isInvalid(err) {
		return fmt.Errorf("%w (%w)", errPosition, err)
	}
	var trailer metadata.MD
	if call != nil {
		trailer = call.Trailer()
	}
	v := judge(err, trailer, false)
	if v.lost {
		s.cluster.suspect()
	}
	return v.err
}

func (s *stubs) tombstone(ctx context.Context, stream string) error {
	return s.call(ctx, func(ctx context.Context, c streams.StreamsClient) (bool, metadata.MD, error) {
		var trailer metadata.MD
		_, err := c.Tombstone(ctx, &streams.TombstoneReq{Options: &streams.TombstoneReq_Options{
			StreamIdentifier: named(stream), ExpectedStreamRevision: &streams.TombstoneReq_Options_Any{Any: empty},
		}}, grpc.Trailer(&trailer))
		return true, trailer, err
	})
}

// version returns what the server calls its version, nothing if it does not say.
func (s *stubs) version(ctx context.Context) (string, error) {
	n, conn, err := s.cluster.acquire(ctx)
	if err != nil {
		return "", err
	}
	methods, err := serverfeatures.NewServerFeaturesClient(conn).GetSupportedMethods(ctx, empty)
	var v verdict
	if err != nil && !isUnknownCall(err) {
		v = judge(err, nil, false)
	}
	s.cluster.release(n, v)
	return methods.GetEventStoreServerVersion(), v.err
}

func (s *stubs) close() error {
	s.cluster.close()
	return nil
}
