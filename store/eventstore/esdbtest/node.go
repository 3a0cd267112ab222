package esdbtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// node is one listener.
type node struct {
	streams.UnimplementedStreamsServer
	*Server
	index   int
	address string

	gate    sync.Mutex
	serving *serving // nil: nobody listens
	old     []*serving
	conns   map[*conn]bool
	paused  chan struct{}  // nil: it is not
	running sync.WaitGroup // goroutines of all servings
}

// serving is a node from when it listens until it does not any more.
type serving struct {
	server   *grpc.Server
	listener *listener
}

func (n *node) listen() error {
	l, err := net.Listen("tcp", n.address)
	if err != nil {
		return err
	}
	options := []grpc.ServerOption{
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
		grpc.MaxConcurrentStreams(100), grpc.MaxRecvMsgSize(17 << 20), grpc.WaitForHandlers(true),
	}
	if n.tls != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(n.tls)))
	}
	s := &serving{grpc.NewServer(options...), &listener{Listener: l, n: n}}
	streams.RegisterStreamsServer(s.server, n)
	serverfeatures.RegisterServerFeaturesServer(s.server, features{n: n})
	gossip.RegisterGossipServer(s.server, gossiping{n: n})
	n.gate.Lock()
	defer n.gate.Unlock()
	if n.serving != nil {
		return errors.Join(fmt.Errorf("node %d listens already", n.index), l.Close())
	}
	n.serving = s
	n.running.Go(func() { _ = s.server.Serve(s.listener) })
	return nil
}

// stop ends everything that a node has begun, and waits for it. Connections are broken first: gRPC itself would wait for those that are
// in their handshake, which may never come to an end.
func (n *node) stop() {
	n.gate.Lock()
	all := n.old
	if n.serving != nil {
		all = append(all, n.serving)
	}
	n.old, n.serving = nil, nil
	n.gate.Unlock()
	for _, s := range all {
		_ = s.listener.Close() // says only that it is closed already
	}
	n.cut()
	for _, s := range all {
		s.server.Stop()
	}
	n.running.Wait()
	n.resume()
}

// Refuse stops listening, at a node, until the function that it returns is called.
func (s *Server) Refuse(node int) (again func() error) {
	n := s.nodes[node]
	n.stop()
	return n.listen
}

// Cut breaks all connections of a node. New ones are accepted.
func (s *Server) Cut(node int) { s.nodes[node].cut() }

func (n *node) cut() {
	n.gate.Lock()
	all := slices.Collect(maps.Keys(n.conns))
	n.gate.Unlock()
	for _, c := range all {
		_ = c.Close()
	}
}

// GoAway asks the clients of a node to connect anew, as a server does that is about to stop; calls that are under way are not cut. A
// node that does not listen does nothing. Errors: those of listening once more.
func (s *Server) GoAway(node int) error {
	n := s.nodes[node]
	n.gate.Lock()
	old := n.serving
	if old == nil {
		n.gate.Unlock()
		return nil
	}
	n.old, n.serving = append(n.old, old), nil
	n.running.Go(old.server.GracefulStop)
	n.gate.Unlock()
	_ = old.listener.Close() // says only that it is closed already
	return n.listen()
}

// Pause lets nothing through any more, in no direction, and breaks nothing: as if the network swallowed everything. New connections
// are accepted and hang in their handshake.
func (s *Server) Pause(node int) {
	n := s.nodes[node]
	n.gate.Lock()
	defer n.gate.Unlock()
	if n.paused == nil {
		n.paused = make(chan struct{})
	}
}

// Resume lets everything through again.
func (s *Server) Resume(node int) { s.nodes[node].resume() }

func (n *node) resume() {
	n.gate.Lock()
	defer n.gate.Unlock()
	if n.paused != nil {
		close(n.paused)
		n.paused = nil
	}
}

type listener struct {
	net.Listener
	n      *node
	closed bool // n.gate is held
}

// Accept closes what comes while the listener is being closed: nobody else would.
func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	one := &conn{Conn: c, n: l.n, closed: make(chan struct{})}
	l.n.gate.Lock()
	defer l.n.gate.Unlock()
	if l.closed {
		return nil, errors.Join(net.ErrClosed, c.Close())
	}
	l.n.conns[one] = true
	return one, nil
}

func (l *listener) Close() error {
	l.n.gate.Lock()
	l.closed = true
	l.n.gate.Unlock()
	return l.Listener.Close()
}

// conn is a connection that can be held up.
type conn struct {
	net.Conn
	n      *node
	once   sync.Once
	closed chan struct{}
}

func (c *conn) wait() {
	c.n.gate.Lock()
	paused := c.n.paused
	c.n.gate.Unlock()
	if paused != nil {
		select {
		case <-paused:
		case <-c.closed:
		}
	}
}

func (c *conn) Read(b []byte) (int, error) {
	k, err := c.Conn.Read(b)
	c.wait()
	return k, err
}

func (c *conn) Write(b []byte) (int, error) {
	c.wait()
	return c.Conn.Write(b)
}

func (c *conn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		c.n.gate.Lock()
		delete(c.n.conns, c)
		c.n.gate.Unlock()
	})
	return c.Conn.Close()
}

type features struct {
	serverfeatures.UnimplementedServerFeaturesServer
	n *node
}

func (f features) GetSupportedMethods(ctx context.Context, _ *shared.Empty) (*serverfeatures.SupportedMethods, error) {
	switch fault := f.n.fault(Features, ""); fault.Do {
	case Hang:
		<-ctx.Done()
		return nil, ctx.Err()
	case FailBefore:
		return nil, status.Error(codes.Unavailable, "Server Is Not Ready")
	case Delay:
		if err := pause(ctx, fault.For); err != nil {
			return nil, err
		}
	}
	all := &serverfeatures.SupportedMethods{EventStoreServerVersion: f.n.options.Version}
	for _, name := range []string{"read", "append", "delete", "tombstone"} {
		all.Methods = append(all.Methods, &serverfeatures.SupportedMethod{ServiceName: "event_store.client.streams.streams", MethodName: name})
	}
	return all, nil
}

type gossiping struct {
	gossip.UnimplementedGossipServer
	n *node
}

func (g gossiping) Read(context.Context, *shared.Empty) (*gossip.ClusterInfo, error) {
	info, leader := &gossip.ClusterInfo{}, g.n.leads()
	for _, n := range g.n.nodes {
		host, port, _ := net.SplitHostPort(n.address)
		p, _ := strconv.Atoi(port)
		n.gate.Lock()
		m := &gossip.MemberInfo{State: gossip.MemberInfo_Follower, IsAlive: n.serving != nil, HttpEndPoint: &gossip.EndPoint{Address: host, Port: uint32(p)}}
		n.gate.Unlock()
		if n.index == leader {
			m.State = gossip.MemberInfo_Leader
		}
		info.Members = append(info.Members, m)
	}
	return info, nil
}

// refuse makes an error of a call, with what clients understand beside.
func refuse(ctx context.Context, code codes.Code, message string, trailer ...string) error {
	if len(trailer) > 0 {
		_ = grpc.SetTrailer(ctx, metadata.Pairs(trailer...))
	}
	return status.Error(code, message)
}
