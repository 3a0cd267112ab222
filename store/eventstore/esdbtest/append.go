package esdbtest

import (
	"context"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// What an append may expect of a stream, beside a revision.
const (
	nothing  int64 = -1 // there is no such stream
	anything int64 = -2
	exists   int64 = -4
)

// maxEvent is how large one event may be.
const maxEvent = 16<<20 - 1<<10

// Append is the call of that name.
func (n *node) Append(call streams.Streams_AppendServer) error {
	ctx := call.Context()
	if _, err := n.admit(ctx); err != nil {
		return err
	}
	var options *streams.AppendReq_Options
	var events []*Event
	size := 0
	for {
		req, err := call.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if o := req.GetOptions(); o != nil {
			options = o
			continue
		}
		e, err := n.proposed(ctx, req.GetProposedMessage())
		if err != nil {
			return err
		}
		if size += len(e.Data) + len(e.Metadata) + 2*len(e.Type); size > n.options.MaxAppend {
			return refuse(ctx, codes.InvalidArgument, "Maximum Append Size of "+strconv.Itoa(n.options.MaxAppend)+" Exceeded.",
				"exception", "maximum-append-size-exceeded", "maximum-append-size", strconv.Itoa(n.options.MaxAppend))
		}
		events = append(events, e)
	}
	stream := string(options.GetStreamIdentifier().GetStreamName())
	if stream == "" {
		return refuse(ctx, codes.InvalidArgument, "the stream has no name")
	}
	expected := expectedOf(options)
	fault := n.fault(Append, stream)
	switch fault.Do {
	case FailBefore:
		return status.Error(codes.Unavailable, "Server Is Not Ready")
	case TimeOut:
		return status.Error(codes.Aborted, "Operation timed out: Prepare phase timeout")
	case Hang:
		<-ctx.Done()
		return ctx.Err()
	case CommitLate:
		n.later(fault.For, func() { _, _ = n.log.append(context.Background(), stream, expected, events) })
		return status.Error(codes.Unavailable, "transport is closing")
	case Delay:
		if err := pause(ctx, fault.For); err != nil {
			return err
		}
	}
	answer, err := n.log.append(ctx, stream, expected, events)
	switch fault.Do {
	case CommitThenFail:
		return status.Error(codes.Unavailable, "transport is closing")
	case CommitThenHang:
		<-ctx.Done()
		return ctx.Err()
	case CommitThenCut:
		n.cut()
		<-ctx.Done()
		return ctx.Err()
	}
	if err != nil {
		return err
	}
	return call.SendAndClose(answer)
}

// later lets an append arrive by itself, or with [Server.Arrive] if after is 0.
func (s *Server) later(after time.Duration, commit func()) {
	if after > 0 {
		time.AfterFunc(after, commit)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.late = append(s.late, commit)
}

func (n *node) proposed(ctx context.Context, p *streams.AppendReq_ProposedMessage) (*Event, error) {
	e := &Event{ID: textOf(p.GetId()), Type: p.GetMetadata()["type"], ContentType: p.GetMetadata()["content-type"], Data: p.GetData(), Metadata: p.GetCustomMetadata()}
	switch {
	case e.ID == "" || e.ID == uuid.Nil.String():
		return nil, refuse(ctx, codes.InvalidArgument, "an event has no id")
	case e.Type == "" || e.ContentType == "":
		return nil, refuse(ctx, codes.InvalidArgument, "Required Metadata Property is missing", "exception", "missing-required-metadata-property")
	case len(e.Data)+len(e.Metadata)+2*len(e.Type) > maxEvent:
		return nil, refuse(ctx, codes.InvalidArgument, "Maximum Append Event Size Exceeded.", "exception", "maximum-append-event-size-exceeded")
	}
	return e, nil
}

func expectedOf(o *streams.AppendReq_Options) int64 {
	switch e := o.GetExpectedStreamRevision().(type) {
	case *streams.AppendReq_Options_Revision:
		return int64(e.Revision)
	case *streams.AppendReq_Options_NoStream:
		return nothing
	case *streams.AppendReq_Options_StreamExists:
		return exists
	}
	return anything
}

// append is what a server does with an append: what it stores, or takes for a repetition, or refuses.
func (l *log) append(ctx context.Context, name string, expected int64, events []*Event) (*streams.AppendResp, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.streams[name]
	if s != nil && s.tombstoned {
		return nil, tombstoned(ctx, name)
	}
	last := s.last()
	if len(events) == 0 {
		return success(&Event{Revision: uint64(max(last, 0))}), nil
	}
	switch {
	case expected == anything || expected == exists:
		if expected == exists && (last < 0 || s.deleted) {
			return wrong(expected, last), nil
		}
		at, known := l.recent.of[events[0].ID]
		if !known || at.stream != name {
			break
		}
		for i, e := range events {
			if p := l.recent.of[e.ID]; p != (place{name, at.revision + uint64(i)}) {
				return wrong(expected, last), nil
			}
		}
		return success(s.at(int64(at.revision) + int64(len(events)) - 1)), nil
	case expected > last:
		return wrong(expected, last), nil
	case expected == nothing && s != nil && s.deleted:
	case expected < last:
		for i, e := range events {
			if have := s.at(expected + 1 + int64(i)); have == nil || have.ID != e.ID {
				return wrong(expected, last), nil
			}
		}
		return success(s.at(expected + int64(len(events)))), nil
	}
	l.write(name, events)
	return success(events[len(events)-1]), nil
}

func success(last *Event) *streams.AppendResp {
	return &streams.AppendResp{Result: &streams.AppendResp_Success_{Success: &streams.AppendResp_Success{
		CurrentRevisionOption: &streams.AppendResp_Success_CurrentRevision{CurrentRevision: last.Revision},
		PositionOption:        &streams.AppendResp_Success_Position{Position: &streams.AppendResp_Position{CommitPosition: last.Position, PreparePosition: last.Position}},
	}}}
}

func wrong(expected, last int64) *streams.AppendResp {
	w := &streams.AppendResp_WrongExpectedVersion{
		CurrentRevisionOption:  &streams.AppendResp_WrongExpectedVersion_CurrentRevision{CurrentRevision: uint64(last)},
		ExpectedRevisionOption: &streams.AppendResp_WrongExpectedVersion_ExpectedRevision{ExpectedRevision: uint64(expected)},
	}
	if last < 0 {
		w.CurrentRevisionOption = &streams.AppendResp_WrongExpectedVersion_CurrentNoStream{CurrentNoStream: &shared.Empty{}}
	}
	switch expected {
	case nothing:
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedNoStream{ExpectedNoStream: &shared.Empty{}}
	case exists:
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedStreamExists{ExpectedStreamExists: &shared.Empty{}}
	case anything:
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedAny{ExpectedAny: &shared.Empty{}}
	}
	return &streams.AppendResp{Result: &streams.AppendResp_WrongExpectedVersion_{WrongExpectedVersion: w}}
}

func tombstoned(ctx context.Context, name string) error {
	return refuse(ctx, codes.FailedPrecondition, "Event stream '"+name+"' is deleted.", "exception", "stream-deleted", "stream-name", name)
}

// Delete is the call of that name: it hides what there is, and the next append goes on behind it.
func (n *node) Delete(ctx context.Context, req *streams.DeleteReq) (*streams.DeleteResp, error) {
	o := req.GetOptions()
	name := string(o.GetStreamIdentifier().GetStreamName())
	expected := anything
	switch e := o.GetExpectedStreamRevision().(type) {
	case *streams.DeleteReq_Options_Revision:
		expected = int64(e.Revision)
	case *streams.DeleteReq_Options_NoStream:
		expected = nothing
	case *streams.DeleteReq_Options_StreamExists:
		expected = exists
	}
	at, err := n.end(ctx, name, expected, n.log.hide)
	return &streams.DeleteResp{PositionOption: &streams.DeleteResp_Position_{Position: &streams.DeleteResp_Position{CommitPosition: at, PreparePosition: at}}}, err
}

// Tombstone is the call of that name: the stream is gone for ever.
func (n *node) Tombstone(ctx context.Context, req *streams.TombstoneReq) (*streams.TombstoneResp, error) {
	o := req.GetOptions()
	name := string(o.GetStreamIdentifier().GetStreamName())
	expected := anything
	switch e := o.GetExpectedStreamRevision().(type) {
	case *streams.TombstoneReq_Options_Revision:
		expected = int64(e.Revision)
	case *streams.TombstoneReq_Options_NoStream:
		expected = nothing
	case *streams.TombstoneReq_Options_StreamExists:
		expected = exists
	}
	at, err := n.end(ctx, name, expected, n.log.bury)
	return &streams.TombstoneResp{PositionOption: &streams.TombstoneResp_Position_{Position: &streams.TombstoneResp_Position{CommitPosition: at, PreparePosition: at}}}, err
}

// end ends a stream in one of two ways. Unlike in an append, a wrong expectation is an error here.
func (n *node) end(ctx context.Context, name string, expected int64, how func(string)) (uint64, error) {
	if _, err := n.admit(ctx); err != nil {
		return 0, err
	}
	l := n.log
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.streams[name]
	last := s.last()
	switch {
	case s != nil && s.tombstoned:
		return 0, tombstoned(ctx, name)
	case expected >= 0 && expected != last, expected == nothing && last >= 0, expected == exists && (last < 0 || s.deleted):
		return 0, refuse(ctx, codes.FailedPrecondition, "wrong expected version", "exception", "wrong-expected-version", "stream-name", name,
			"expected-version", strconv.FormatInt(expected, 10), "actual-version", strconv.FormatInt(last, 10))
	}
	how(name)
	return l.end, nil
}
