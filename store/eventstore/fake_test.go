package eventstore

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// fake is an EventStoreDB as far as this package uses one: one log behind one or more nodes, of which one leads.
type fake struct {
	mu         sync.Mutex
	log        []*written
	streams    map[string][]*written
	tombstoned map[string]bool
	grown      chan struct{}
	end        uint64
	leader     int // index of the node, negative: none
	version    string
	nodes      []*fakeNode
	calls      map[string]int

	onAppend    func(node int, stream string, n int) appendFault // n counts the appends, from 1
	onSubscribe func(n int) subscribeFault                       // n counts the subscriptions, from 1
	late        []func()                                         // appends that are still on their way
	password    string                                           // of the user clew; empty: anybody may do anything
	mayReadAll  bool
	maxAppend   int
}

type written struct {
	id         string
	stream     string
	revision   uint64
	commit     uint64
	kind       string
	content    string
	data, meta []byte
}

// appendFault is what becomes of an append.
type appendFault int

const (
	fine appendFault = iota
	failsBefore
	failsAfter
	hangsBefore
	hangsAfter
	cutsAfter
	arrivesLate
	timesOut
)

// subscribeFault is what becomes of a subscription.
type subscribeFault struct {
	silentAfter int // events; 0: never
	dropAfter   int // events; 0: never
	err         error
	repeat      bool // it begins one event too early
}

// fakeNode is one listener.
type fakeNode struct {
	streams.UnimplementedStreamsServer
	*fake
	index   int
	address string
	server  *grpc.Server
	options []grpc.ServerOption
}

type fakeFeatures struct {
	serverfeatures.UnimplementedServerFeaturesServer
	*fake
}

type fakeGossip struct {
	gossip.UnimplementedGossipServer
	*fake
}

func newFake(t testing.TB, nodes int, options ...grpc.ServerOption) *fake {
	f := &fake{streams: map[string][]*written{}, tombstoned: map[string]bool{}, end: 1000, version: "23.10.7", calls: map[string]int{}, mayReadAll: true, maxAppend: 1 << 20}
	for i := range nodes {
		n := &fakeNode{fake: f, index: i, options: options}
		f.nodes = append(f.nodes, n)
		n.start(t)
	}
	t.Cleanup(func() {
		for _, n := range f.nodes {
			n.server.Stop()
		}
	})
	return f
}

// start begins to listen, at the same address as before.
func (n *fakeNode) start(t testing.TB) {
	address := n.address
	if address == "" {
		address = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", address)
	require.NoError(t, err)
	n.address = l.Addr().String()
	n.server = grpc.NewServer(append(n.options,
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
		grpc.MaxConcurrentStreams(100), grpc.MaxRecvMsgSize(17<<20))...)
	streams.RegisterStreamsServer(n.server, n)
	serverfeatures.RegisterServerFeaturesServer(n.server, fakeFeatures{fake: n.fake})
	gossip.RegisterGossipServer(n.server, fakeGossip{fake: n.fake})
	server := n.server
	go func() { _ = server.Serve(l) }()
}

func (f *fake) url() string {
	if len(f.nodes) == 1 {
		return "esdb://" + f.nodes[0].address + "?tls=false"
	}
	var all []string
	for _, n := range f.nodes {
		all = append(all, n.address)
	}
	return "esdb://" + strings.Join(all, ",") + "?tls=false&gossipTimeout=1"
}

// lead makes a node the leader.
func (f *fake) lead(i int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.leader = i
}

// arrive lets the appends arrive that are late.
func (f *fake) arrive() {
	f.mu.Lock()
	late := f.late
	f.late = nil
	f.mu.Unlock()
	for _, commit := range late {
		commit()
	}
}

// foreign writes an event of somebody else's.
func (f *fake) foreign(stream, kind string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.write(stream, []*written{{id: uuid.NewString(), kind: kind, data: []byte("{}")}})
}

func (f *fake) write(stream string, events []*written) {
	for _, e := range events {
		e.stream, e.revision, e.commit = stream, uint64(len(f.streams[stream])), f.end
		f.end += uint64(100 + len(e.data) + len(e.meta))
		f.log = append(f.log, e)
		f.streams[stream] = append(f.streams[stream], e)
	}
	if f.grown != nil {
		close(f.grown)
		f.grown = nil
	}
}

func (f *fake) count(what string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[what]++
	return f.calls[what]
}

func (f *fake) counted(what string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[what]
}

func fail(ctx context.Context, code codes.Code, message string, trailer ...string) error {
	if len(trailer) > 0 {
		_ = grpc.SetTrailer(ctx, metadata.Pairs(trailer...))
	}
	return status.Error(code, message)
}

// admit checks who calls, and whether the node may answer.
func (n *fakeNode) admit(ctx context.Context) error {
	md, _ := metadata.FromIncomingContext(ctx)
	if n.password != "" {
		want := "Basic " + base64.StdEncoding.EncodeToString([]byte("clew:"+n.password))
		if got := md.Get("authorization"); len(got) != 1 || got[0] != want {
			return fail(ctx, codes.Unauthenticated, "who are you?")
		}
	}
	n.mu.Lock()
	leader := n.leader
	n.mu.Unlock()
	if len(md.Get("requires-leader")) == 0 || leader == n.index {
		return nil
	}
	if leader < 0 {
		return fail(ctx, codes.Unavailable, "Server Is Not Ready")
	}
	host, port, _ := net.SplitHostPort(n.nodes[leader].address)
	return fail(ctx, codes.NotFound, "not here", "exception", "not-leader", "leader-endpoint-host", host, "leader-endpoint-port", port)
}

func (f fakeFeatures) GetSupportedMethods(context.Context, *shared.Empty) (*serverfeatures.SupportedMethods, error) {
	return &serverfeatures.SupportedMethods{EventStoreServerVersion: f.version}, nil
}

func (f fakeGossip) Read(context.Context, *shared.Empty) (*gossip.ClusterInfo, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info := &gossip.ClusterInfo{}
	for _, n := range f.nodes {
		host, port, _ := net.SplitHostPort(n.address)
		p, _ := strconv.Atoi(port)
		m := &gossip.MemberInfo{State: gossip.MemberInfo_Follower, IsAlive: true, HttpEndPoint: &gossip.EndPoint{Address: host, Port: uint32(p)}}
		if n.index == f.leader {
			m.State = gossip.MemberInfo_Leader
		}
		info.Members = append(info.Members, m)
	}
	return info, nil
}

func (n *fakeNode) Append(call streams.Streams_AppendServer) error {
	ctx := call.Context()
	if err := n.admit(ctx); err != nil {
		return err
	}
	var options *streams.AppendReq_Options
	var events []*written
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
		p := req.GetProposedMessage()
		e := &written{id: text(p.GetId()), kind: p.Metadata["type"], content: p.Metadata["content-type"], data: p.Data, meta: p.CustomMetadata}
		if size += len(e.data) + len(e.meta) + 2*len(e.kind); size > n.maxAppend {
			return fail(ctx, codes.InvalidArgument, "too large", "exception", "maximum-append-size-exceeded", "maximum-append-size", strconv.Itoa(n.maxAppend))
		}
		events = append(events, e)
	}
	stream := string(options.GetStreamIdentifier().GetStreamName())
	expected := int64(-1)
	if r, ok := options.GetExpectedStreamRevision().(*streams.AppendReq_Options_Revision); ok {
		expected = int64(r.Revision)
	}
	fault := fine
	if n.onAppend != nil && !strings.HasPrefix(stream, "$$") {
		fault = n.onAppend(n.index, stream, n.count("append"))
	}
	switch fault {
	case failsBefore:
		return status.Error(codes.Unavailable, "lost")
	case timesOut:
		return status.Error(codes.Aborted, "Operation timed out: prepare")
	case hangsBefore:
		<-ctx.Done()
		return ctx.Err()
	case arrivesLate:
		n.mu.Lock()
		n.late = append(n.late, func() { _, _ = n.commit(context.Background(), stream, expected, events) })
		n.mu.Unlock()
		return status.Error(codes.Unavailable, "on its way")
	}
	answer, err := n.commit(ctx, stream, expected, events)
	switch fault {
	case failsAfter:
		return status.Error(codes.Unavailable, "lost")
	case hangsAfter:
		<-ctx.Done()
		return ctx.Err()
	case cutsAfter:
		go n.server.Stop()
		<-ctx.Done()
		return ctx.Err()
	}
	if err != nil {
		return err
	}
	return call.SendAndClose(answer)
}

func text(id *shared.UUID) string {
	if s := id.GetStructured(); s != nil {
		var u uuid.UUID
		for i := range 8 {
			u[i], u[8+i] = byte(uint64(s.MostSignificantBits)>>(56-8*i)), byte(uint64(s.LeastSignificantBits)>>(56-8*i))
		}
		return u.String()
	}
	return id.GetString_()
}

func (f *fake) commit(ctx context.Context, stream string, expected int64, events []*written) (*streams.AppendResp, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.tombstoned[stream] {
		return nil, fail(ctx, codes.FailedPrecondition, "deleted", "exception", "stream-deleted", "stream-name", stream)
	}
	all := f.streams[stream]
	current := int64(len(all)) - 1
	wrong := &streams.AppendResp{Result: &streams.AppendResp_WrongExpectedVersion_{WrongExpectedVersion: &streams.AppendResp_WrongExpectedVersion{
		CurrentRevisionOption:  &streams.AppendResp_WrongExpectedVersion_CurrentRevision{CurrentRevision: uint64(current)},
		ExpectedRevisionOption: &streams.AppendResp_WrongExpectedVersion_ExpectedRevision{ExpectedRevision: uint64(expected)}}}}
	if current < 0 {
		wrong.GetWrongExpectedVersion().CurrentRevisionOption = &streams.AppendResp_WrongExpectedVersion_CurrentNoStream{CurrentNoStream: empty}
	}
	switch {
	case expected > current:
		return wrong, nil
	case expected < current:
		for i, e := range events {
			if at := expected + 1 + int64(i); at > current || all[at].id != e.id {
				return wrong, nil
			}
		}
	default:
		f.write(stream, events)
	}
	last := f.streams[stream][expected+int64(len(events))]
	return &streams.AppendResp{Result: &streams.AppendResp_Success_{Success: &streams.AppendResp_Success{
		CurrentRevisionOption: &streams.AppendResp_Success_CurrentRevision{CurrentRevision: last.revision},
		PositionOption:        &streams.AppendResp_Success_Position{Position: &streams.AppendResp_Position{CommitPosition: last.commit, PreparePosition: last.commit}},
	}}}, nil
}

func (n *fakeNode) Tombstone(ctx context.Context, req *streams.TombstoneReq) (*streams.TombstoneResp, error) {
	if err := n.admit(ctx); err != nil {
		return nil, err
	}
	stream := string(req.GetOptions().GetStreamIdentifier().GetStreamName())
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.tombstoned[stream] {
		return nil, fail(ctx, codes.FailedPrecondition, "deleted", "exception", "stream-deleted", "stream-name", stream)
	}
	n.write(stream, []*written{{id: uuid.NewString(), kind: "$streamDeleted"}})
	n.tombstoned[stream] = true
	at := n.log[len(n.log)-1].commit
	return &streams.TombstoneResp{PositionOption: &streams.TombstoneResp_Position_{Position: &streams.TombstoneResp_Position{CommitPosition: at, PreparePosition: at}}}, nil
}

// visible are the events of a stream that its metadata do not hide.
func (f *fake) visible(stream string) []*written {
	all := f.streams[stream]
	var meta struct {
		Before uint64 `json:"$tb"`
		Max    int    `json:"$maxCount"`
	}
	if m := f.streams[metadataOf(stream)]; len(m) > 0 {
		_ = json.Unmarshal(m[len(m)-1].data, &meta)
	}
	all = all[min(meta.Before, uint64(len(all))):]
	if meta.Max > 0 && len(all) > meta.Max {
		all = all[len(all)-meta.Max:]
	}
	return all
}

func (e *written) answer() *streams.ReadResp {
	return &streams.ReadResp{Content: &streams.ReadResp_Event{Event: &streams.ReadResp_ReadEvent{
		Event: &streams.ReadResp_ReadEvent_RecordedEvent{
			Id: structured(e.id), StreamIdentifier: named(e.stream), StreamRevision: e.revision,
			CommitPosition: e.commit, PreparePosition: e.commit, Data: e.data, CustomMetadata: e.meta,
			Metadata: map[string]string{"type": e.kind, "content-type": "application/json", "created": "17000000000000000"},
		},
		Position: &streams.ReadResp_ReadEvent_CommitPosition{CommitPosition: e.commit},
	}}}
}

func structured(id string) *shared.UUID {
	u := uuid.MustParse(id)
	var most, least int64
	for i := range 8 {
		most, least = most<<8|int64(u[i]), least<<8|int64(u[8+i])
	}
	return &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{MostSignificantBits: most, LeastSignificantBits: least}}}
}

func (n *fakeNode) Read(req *streams.ReadReq, call streams.Streams_ReadServer) error {
	ctx, o := call.Context(), req.GetOptions()
	if err := n.admit(ctx); err != nil {
		return err
	}
	if o.GetSubscription() != nil {
		return n.subscribe(o, call)
	}
	n.count("read")
	var events []*written
	n.mu.Lock()
	if s := o.GetStream(); s != nil {
		stream := string(s.GetStreamIdentifier().GetStreamName())
		if n.tombstoned[stream] {
			n.mu.Unlock()
			return fail(ctx, codes.FailedPrecondition, "deleted", "exception", "stream-deleted", "stream-name", stream)
		}
		if len(n.streams[stream]) == 0 {
			n.mu.Unlock()
			return call.Send(&streams.ReadResp{Content: &streams.ReadResp_StreamNotFound_{StreamNotFound: &streams.ReadResp_StreamNotFound{StreamIdentifier: s.StreamIdentifier}}})
		}
		events = slices.Clone(n.visible(stream))
		if o.ReadDirection == streams.ReadReq_Options_Backwards {
			slices.Reverse(events)
		} else {
			events = slices.DeleteFunc(events, func(e *written) bool { return e.revision < s.GetRevision() })
		}
	} else {
		if !n.mayReadAll {
			n.mu.Unlock()
			return fail(ctx, codes.PermissionDenied, "no", "exception", "access-denied")
		}
		at := o.GetAll().GetPosition().GetCommitPosition()
		if o.GetAll().GetPosition() != nil && !slices.ContainsFunc(n.log, func(e *written) bool { return e.commit == at }) {
			n.mu.Unlock()
			return fail(ctx, codes.InvalidArgument, "no such position")
		}
		for _, e := range n.log {
			if o.ReadDirection == streams.ReadReq_Options_Backwards && (o.GetAll().GetEnd() != nil || e.commit < at) ||
				o.ReadDirection == streams.ReadReq_Options_Forwards && e.commit >= at {
				if matches(o, e) {
					events = append(events, e)
				}
			}
		}
		if o.ReadDirection == streams.ReadReq_Options_Backwards {
			slices.Reverse(events)
		}
	}
	n.mu.Unlock()
	for _, e := range events[:min(uint64(len(events)), o.GetCount())] {
		if err := call.Send(e.answer()); err != nil {
			return err
		}
	}
	return nil
}

func matches(o *streams.ReadReq_Options, e *written) bool {
	prefixes := o.GetFilter().GetStreamIdentifier().GetPrefix()
	return len(prefixes) == 0 || slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(e.stream, p) })
}

func (n *fakeNode) subscribe(o *streams.ReadReq_Options, call streams.Streams_ReadServer) error {
	fault := subscribeFault{}
	if times := n.count("subscribe"); n.onSubscribe != nil {
		fault = n.onSubscribe(times)
	}
	if fault.err != nil {
		return fault.err
	}
	if err := call.Send(&streams.ReadResp{Content: &streams.ReadResp_Confirmation{Confirmation: &streams.ReadResp_SubscriptionConfirmation{SubscriptionId: "s"}}}); err != nil {
		return err
	}
	at, sent, next := o.GetAll().GetPosition().GetCommitPosition(), 0, 0
	n.mu.Lock()
	for next < len(n.log) && n.log[next].commit <= at {
		next++
	}
	n.mu.Unlock()
	if fault.repeat && next > 0 {
		next--
	}
	live := false
	for {
		n.mu.Lock()
		batch := n.log[next:]
		next = len(n.log)
		if n.grown == nil {
			n.grown = make(chan struct{})
		}
		grown := n.grown
		n.mu.Unlock()
		var checked uint64
		for _, e := range batch {
			checked = e.commit
			if !matches(o, e) {
				continue
			}
			if fault.silentAfter > 0 && sent >= fault.silentAfter {
				<-call.Context().Done()
				return call.Context().Err()
			}
			if fault.dropAfter > 0 && sent >= fault.dropAfter {
				return status.Error(codes.Aborted, "Operation timed out: dropped")
			}
			if err := call.Send(e.answer()); err != nil {
				return err
			}
			sent++
		}
		if !live {
			live = true
			if err := call.Send(&streams.ReadResp{Content: &streams.ReadResp_CaughtUp_{CaughtUp: &streams.ReadResp_CaughtUp{}}}); err != nil {
				return err
			}
		}
		if checked > 0 {
			if err := call.Send(&streams.ReadResp{Content: &streams.ReadResp_Checkpoint_{Checkpoint: &streams.ReadResp_Checkpoint{CommitPosition: checked, PreparePosition: checked}}}); err != nil {
				return err
			}
		}
		select {
		case <-grown:
		case <-call.Context().Done():
			return call.Context().Err()
		}
	}
}
