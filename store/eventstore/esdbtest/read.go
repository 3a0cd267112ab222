package esdbtest

import (
	"context"
	"encoding/binary"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Read is the call of that name: reads of a stream or of $all, and subscriptions.
func (n *node) Read(req *streams.ReadReq, call streams.Streams_ReadServer) error {
	ctx, o := call.Context(), req.GetOptions()
	user, err := n.admit(ctx)
	if err != nil {
		return err
	}
	match, err := filterOf(ctx, o)
	switch {
	case err != nil:
		return err
	case o.GetUuidOption().GetContent() == nil:
		return refuse(ctx, codes.InvalidArgument, "the form of ids is not chosen")
	case o.GetAll() != nil && !user.ReadAll:
		return refuse(ctx, codes.PermissionDenied, "Access Denied", "exception", "access-denied")
	case o.GetSubscription() != nil:
		return n.subscribe(o, match, call)
	}
	name := string(o.GetStream().GetStreamIdentifier().GetStreamName())
	switch fault := n.fault(Read, name); fault.Do {
	case FailBefore:
		return status.Error(codes.Unavailable, "Server Is Not Ready")
	case TimeOut:
		return status.Error(codes.Aborted, "Operation timed out: Read")
	case Hang:
		<-ctx.Done()
		return ctx.Err()
	case Delay:
		if err := pause(ctx, fault.For); err != nil {
			return err
		}
	}
	if o.GetStream() != nil {
		return n.readStream(ctx, name, o, call)
	}
	return n.readAll(ctx, o, match, call)
}

func (n *node) readStream(ctx context.Context, name string, o *streams.ReadReq_Options, call streams.Streams_ReadServer) error {
	l := n.log
	l.mu.Lock()
	s := l.streams[name]
	last := s.last()
	if n.leads() != n.index { // what has not reached a follower
		for e := s.at(last); e != nil && l.find(e.Position) >= l.seen(false); e = s.at(last) {
			last--
		}
	}
	switch {
	case s != nil && s.tombstoned:
		l.mu.Unlock()
		return tombstoned(ctx, name)
	case s.at(last) == nil || s.deleted:
		l.mu.Unlock()
		return call.Send(&streams.ReadResp{Content: &streams.ReadResp_StreamNotFound_{
			StreamNotFound: &streams.ReadResp_StreamNotFound{StreamIdentifier: o.GetStream().GetStreamIdentifier()},
		}})
	}
	var some []*Event
	first := int64(s.shown(l.now()))
	most := int64(min(o.GetCount(), 1<<31))
	if o.GetReadDirection() == streams.ReadReq_Options_Backwards {
		from := last
		if r, ok := o.GetStream().GetRevisionOption().(*streams.ReadReq_Options_StreamOptions_Revision); ok {
			from = min(last, int64(min(r.Revision, 1<<62)))
		}
		for i := from; i >= first && int64(len(some)) < most; i-- {
			some = append(some, s.at(i))
		}
	} else {
		from := first
		if r, ok := o.GetStream().GetRevisionOption().(*streams.ReadReq_Options_StreamOptions_Revision); ok {
			from = max(first, int64(min(r.Revision, 1<<62)))
		}
		if o.GetStream().GetEnd() != nil {
			from = last + 1
		}
		for i := from; i <= last && int64(len(some)) < most; i++ {
			some = append(some, s.at(i))
		}
	}
	l.mu.Unlock()
	return sendAll(some, o, call)
}

func (n *node) readAll(ctx context.Context, o *streams.ReadReq_Options, match func(*Event) bool, call streams.Streams_ReadServer) error {
	l := n.log
	l.mu.Lock()
	all := l.events[:l.seen(n.leads() == n.index)]
	backwards := o.GetReadDirection() == streams.ReadReq_Options_Backwards
	i := 0
	switch {
	case o.GetAll().GetPosition() != nil:
		at := o.GetAll().GetPosition().GetCommitPosition()
		if at > l.end {
			l.mu.Unlock()
			return refuse(ctx, codes.InvalidArgument, "Unexpected ReadAllResult: InvalidPosition")
		}
		i = min(l.find(at), len(all))
	case o.GetAll().GetEnd() != nil:
		i = len(all)
	}
	var some []*Event
	most := int(min(o.GetCount(), 1<<31))
	if backwards {
		for i--; i >= 0 && len(some) < most; i-- {
			if match(all[i]) {
				some = append(some, all[i])
			}
		}
	} else {
		for ; i < len(all) && len(some) < most; i++ {
			if match(all[i]) {
				some = append(some, all[i])
			}
		}
	}
	l.mu.Unlock()
	return sendAll(some, o, call)
}

func sendAll(events []*Event, o *streams.ReadReq_Options, call streams.Streams_ReadServer) error {
	for _, e := range events {
		if err := call.Send(e.answer(o)); err != nil {
			return err
		}
	}
	return nil
}

func (e *Event) answer(o *streams.ReadReq_Options) *streams.ReadResp {
	return &streams.ReadResp{Content: &streams.ReadResp_Event{Event: &streams.ReadResp_ReadEvent{
		Event: &streams.ReadResp_ReadEvent_RecordedEvent{
			Id: idOf(e.ID, o), StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(e.Stream)}, StreamRevision: e.Revision,
			CommitPosition: e.Position, PreparePosition: e.Position, Data: e.Data, CustomMetadata: e.Metadata,
			Metadata: map[string]string{"type": e.Type, "content-type": e.ContentType, "created": strconv.FormatInt(e.Created.UnixNano()/100, 10)},
		},
		Position: &streams.ReadResp_ReadEvent_CommitPosition{CommitPosition: e.Position},
	}}}
}

func idOf(id string, o *streams.ReadReq_Options) *shared.UUID {
	if o.GetUuidOption().GetString_() != nil {
		return &shared.UUID{Value: &shared.UUID_String_{String_: id}}
	}
	u, _ := uuid.Parse(id) // one that is none is all zeroes, as it would be there
	return &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
		MostSignificantBits: int64(binary.BigEndian.Uint64(u[:8])), LeastSignificantBits: int64(binary.BigEndian.Uint64(u[8:])),
	}}}
}

func textOf(id *shared.UUID) string {
	if s := id.GetStructured(); s != nil {
		var u uuid.UUID
		binary.BigEndian.PutUint64(u[:8], uint64(s.MostSignificantBits))
		binary.BigEndian.PutUint64(u[8:], uint64(s.LeastSignificantBits))
		return u.String()
	}
	return id.GetString_()
}

// filterOf is the filter of a read or subscription; without one everything matches.
func filterOf(ctx context.Context, o *streams.ReadReq_Options) (func(*Event) bool, error) {
	f := o.GetFilter()
	if f == nil {
		return func(*Event) bool { return true }, nil
	}
	if o.GetSubscription() != nil && f.GetCheckpointIntervalMultiplier() == 0 {
		return nil, refuse(ctx, codes.InvalidArgument, "the interval of checkpoints is 0")
	}
	of, by := f.GetStreamIdentifier(), func(e *Event) string { return e.Stream }
	if f.GetEventType() != nil {
		of, by = f.GetEventType(), func(e *Event) string { return e.Type }
	}
	if len(of.GetPrefix()) > 0 {
		return func(e *Event) bool {
			return slices.ContainsFunc(of.GetPrefix(), func(p string) bool { return strings.HasPrefix(by(e), p) })
		}, nil
	}
	pattern, err := regexp.Compile(of.GetRegex())
	if err != nil {
		return nil, refuse(ctx, codes.InvalidArgument, err.Error())
	}
	return func(e *Event) bool { return pattern.MatchString(by(e)) }, nil
}
