package esdbtest

import (
	"context"
	"net"
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

	gate   sync.Mutex
	server *grpc.Server
	conns  map[*conn]bool
	paused chan struct{} // nil: it is not
}

func (n *node) listen() error {
	l, err := net.Listen("tcp", n.address)
	if err != nil {
		return err
	}
	n.address = l.Addr().String()
	options := []grpc.ServerOption{
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
		grpc.MaxConcurrentStreams(100), grpc.MaxRecvMsgSize(17 << 20),
	}
	if n.tls != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(n.tls)))
	}
	server := grpc.NewServer(options...)
	streams.RegisterStreamsServer(server, n)
	serverfeatures.RegisterServerFeaturesServer(server, features{n: n})
	gossip.RegisterGossipServer(server, gossiping{n: n})
	n.gate.Lock()
	n.server = server
	n.gate.Unlock()
	go func() { _ = server.Serve(&listener{l, n}) }()
	return nil
}

func (n *node) stop() {
	n.gate.Lock()
	server := n.server
	n.server = nil
	n.gate.Unlock()
	if server != nil {
		server.Stop()
	}
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
	defer n.gate.Unlock()
	for c := range n.conns {
		_ = c.Conn.Close()
	}
}

// GoAway asks the clients of a node to connect anew, as a server does that is about to stop; calls that are under way are not cut.
func (s *Server) GoAway(node int) error {
	n := s.nodes[node]
	n.gate.Lock()
	old := n.server
	n.gate.Unlock()
	go old.GracefulStop()
	for range 100 {
		if err := n.listen(); err == nil {
			return nil
		}
		time.Sleep(10 * time.Millisecond) // until the old one does not listen any more
	}
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
	n *node
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	one := &conn{Conn: c, n: l.n, closed: make(chan struct{})}
	l.n.gate.Lock()
	l.n.conns[one] = true
	l.n.gate.Unlock()
	return one, nil
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
		time.Sleep(fault.For)
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
		m := &gossip.MemberInfo{State: gossip.MemberInfo_Follower, IsAlive: n.server != nil, HttpEndPoint: &gossip.EndPoint{Address: host, Port: uint32(p)}}
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
