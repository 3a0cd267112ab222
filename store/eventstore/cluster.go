package eventstore

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"github.com/clewflow/clew/store"
)

// maxMessage is the largest message that is received: the server's limit and something more.
const maxMessage = 17 << 20

// cluster knows the nodes and which of them leads, and holds the connections to that one.
//
// A node that was lost is asked again only after the others were asked who leads. Who was heard of once is remembered, so
// that a cluster whose first nodes are gone is found again. With one address and no gossip there is nobody to ask, and
// grpc's own reconnecting is all.
type cluster struct {
	address
	lanes   int // connections to a node
	log     *slog.Logger
	counted *counters

	mu      sync.Mutex
	members []string             // that are or were known, the first are the seeds
	heard   []*gossip.MemberInfo // what was told last
	current *node                // that leads as far as is known; nil: it is to be found
	lost    bool                 // others are to be asked before current is used again
	search  *search              // that is under way
	closed  bool
	cancel  context.CancelFunc // of searches
	running sync.WaitGroup     // searches
}

// node is a member that is connected to. Its connections are closed when it is no longer current and nobody uses it.
type node struct {
	address string
	conns   []*grpc.ClientConn
	next    int
	users   int
	retired bool
}

// search is one look for the leader, which all share who need it.
type search struct {
	done chan struct{}
	err  error
}

func newCluster(a address, lanes int, log *slog.Logger, counted *counters) *cluster {
	return &cluster{address: a, lanes: lanes, log: log, counted: counted, members: slices.Clone(a.seeds), cancel: func() {}}
}

// acquire returns a connection to the leader. The caller releases the node.
func (c *cluster) acquire(ctx context.Context) (*node, *grpc.ClientConn, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, nil, fmt.Errorf("%w: %w", store.ErrUnavailable, err)
		}
		c.mu.Lock()
		if c.closed {
			c.mu.Unlock()
			return nil, nil, store.ErrClosed
		}
		if c.current != nil && !c.lost {
			n := c.current
			n.users++
			n.next++
			conn := n.conns[n.next%len(n.conns)]
			c.mu.Unlock()
			return n, conn, nil
		}
		s := c.begin()
		c.mu.Unlock()
		select {
		case <-s.done:
			if s.err != nil {
				return nil, nil, s.err
			}
		case <-ctx.Done():
			return nil, nil, fmt.Errorf("%w: while looking for the leader: %w", store.ErrUnavailable, ctx.Err())
		}
	}
}

// release lets go of a node, and does what a verdict on it demands.
func (c *cluster) release(n *node, v verdict) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n.users--
	if c.current == n {
		switch {
		case v.leader != "" && v.leader != n.address:
			c.log.Info("the leader is another node", "was", n.address, "is", v.leader)
			c.remember(v.leader)
			c.turnTo(v.leader)
		case v.lost && (c.gossip || n.address != c.seeds[0]):
			c.lost = true
		}
	}
	c.closeIdle(n)
}

// begin starts a search, unless one is under way. c.mu is held.
func (c *cluster) begin() *search {
	if c.search != nil {
		return c.search
	}
	s := &search{done: make(chan struct{})}
	ctx, cancel := context.WithTimeout(context.Background(), 2*c.patience())
	c.search, c.cancel = s, cancel
	c.running.Go(func() {
		defer cancel()
		leader, err := c.seek(ctx)
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.search = nil; err == nil && !c.closed {
			err = c.turnTo(leader)
		}
		s.err = err
		close(s.done)
	})
	return s
}

// seek returns the address of the node that leads.
func (c *cluster) seek(ctx context.Context) (string, error) {
	if !c.gossip {
		return c.seeds[0], nil
	}
	members, err := c.ask(ctx)
	if err != nil {
		return "", err
	}
	for _, m := range members {
		if m.GetState() == gossip.MemberInfo_Leader && m.GetIsAlive() {
			return endpoint(m), nil
		}
	}
	return "", fmt.Errorf("%w: the cluster has no leader now", store.ErrUnavailable)
}

func endpoint(m *gossip.MemberInfo) string {
	return net.JoinHostPort(m.GetHttpEndPoint().GetAddress(), strconv.Itoa(int(m.GetHttpEndPoint().GetPort())))
}

// ask asks all members that were ever known which there are. What most of those say about who leads is taken, because a
// node that the others have given up may still believe that it leads.
func (c *cluster) ask(ctx context.Context) ([]*gossip.MemberInfo, error) {
	c.mu.Lock()
	all := slices.Clone(c.members)
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, c.patience())
	defer cancel()
	type answer struct {
		members []*gossip.MemberInfo
		err     error
	}
	answers := make(chan answer, len(all))
	for _, address := range all {
		go func() { // ends with ctx at the latest, and is waited for below
			members, err := c.gossipOf(ctx, address)
			answers <- answer{members, err}
		}()
	}
	votes := map[string]int{}
	var best []*gossip.MemberInfo
	most, enough := 0, false
	var errs []error
	for range all {
		a := <-answers
		if enough {
			continue
		}
		if a.err != nil {
			errs = append(errs, a.err)
			continue
		}
		leader := ""
		for _, m := range a.members {
			if m.GetState() == gossip.MemberInfo_Leader && m.GetIsAlive() {
				leader = endpoint(m)
			}
		}
		if leader == "" {
			if best == nil {
				best = a.members
			}
			continue
		}
		if votes[leader]++; votes[leader] > most {
			best, most = a.members, votes[leader]
		}
		if 2*votes[leader] > len(a.members) {
			enough = true
			cancel()
		}
	}
	if best == nil {
		return nil, fmt.Errorf("%w: no node answers: %w", store.ErrUnavailable, errors.Join(errs...))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard = best
	for _, m := range best {
		c.remember(endpoint(m))
	}
	return best, nil
}

func (c *cluster) gossipOf(ctx context.Context, address string) ([]*gossip.MemberInfo, error) {
	conn, err := c.dial(address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	info, err := gossip.NewGossipClient(conn).Read(ctx, &shared.Empty{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, judge(err, nil, false).err)
	}
	return info.GetMembers(), nil
}

// maxMembers is how many addresses are remembered; a cluster has three to seven, and as many as that may have moved.
const maxMembers = 32

// remember keeps an address for later searches. c.mu is held.
func (c *cluster) remember(address string) {
	if !slices.Contains(c.members, address) && len(c.members) < maxMembers {
		c.members = append(c.members, address)
	}
}

// turnTo makes the node of an address current. c.mu is held.
func (c *cluster) turnTo(address string) error {
	if c.current != nil && c.current.address == address {
		c.lost = false
		return nil
	}
	n := &node{address: address}
	for range c.lanes {
		conn, err := c.dial(address)
		if err != nil {
			n.close()
			return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
		}
		n.conns = append(n.conns, conn)
	}
	if old := c.current; old != nil {
		c.counted.reconnects.Add(1)
		old.retired = true
		c.closeIdle(old)
	}
	c.current, c.lost = n, false
	return nil
}

// closeIdle closes a node that nobody needs. c.mu is held.
func (c *cluster) closeIdle(n *node) {
	if n.retired && n.users == 0 {
		n.close()
	}
}

func (n *node) close() {
	for _, conn := range n.conns {
		_ = conn.Close() // says only that it is closed already
	}
	n.conns = nil
}

// own returns a connection of the caller's own to the node that is preferred for reading along.
func (c *cluster) own(ctx context.Context) (*grpc.ClientConn, error) {
	n, _, err := c.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer c.release(n, verdict{})
	c.mu.Lock()
	address := c.preferred(n.address)
	c.mu.Unlock()
	return c.dial(address)
}

// suspect makes the next who needs a node ask which there are.
func (c *cluster) suspect() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lost = c.gossip
}

// preferred returns the address of a node of the kind that the connection string prefers, otherwise if there is none. c.mu
// is held.
func (c *cluster) preferred(otherwise string) string {
	kinds := map[esdb.NodePreference][]gossip.MemberInfo_VNodeState{
		esdb.NodePreferenceFollower:        {gossip.MemberInfo_Follower},
		esdb.NodePreferenceReadOnlyReplica: {gossip.MemberInfo_ReadOnlyReplica, gossip.MemberInfo_ReadOnlyLeaderless},
		esdb.NodePreferenceRandom:          {gossip.MemberInfo_Leader, gossip.MemberInfo_Follower, gossip.MemberInfo_ReadOnlyReplica},
	}[c.config.NodePreference]
	var fit []string
	for _, m := range c.heard {
		if m.GetIsAlive() && slices.Contains(kinds, m.GetState()) {
			fit = append(fit, endpoint(m))
		}
	}
	if len(fit) == 0 {
		return otherwise
	}
	return fit[rand.IntN(len(fit))]
}

// dial makes a connection; it connects when it is first used.
func (c *cluster) dial(address string) (*grpc.ClientConn, error) {
	var transport credentials.TransportCredentials = insecure.NewCredentials()
	if c.tls != nil {
		transport = credentials.NewTLS(c.tls)
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
			MinConnectTimeout: c.patience(),
		}),
		grpc.WithDisableServiceConfig(),
	}
	if c.config.KeepAliveInterval >= 0 {
		options = append(options, grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: c.config.KeepAliveInterval, Timeout: max(c.config.KeepAliveTimeout, 0), PermitWithoutStream: true,
		}))
	}
	if c.config.Username != "" {
		options = append(options, grpc.WithPerRPCCredentials(login(c.config)))
	}
	return grpc.NewClient(address, options...)
}

// basic is the header that says who calls.
type basic string

func login(c *esdb.Configuration) basic {
	return basic("Basic " + base64.StdEncoding.EncodeToString([]byte(c.Username+":"+c.Password)))
}

// GetRequestMetadata is that of [credentials.PerRPCCredentials].
func (b basic) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": string(b)}, nil
}

// RequireTransportSecurity is that of [credentials.PerRPCCredentials]. A server without TLS may ask who calls all the same.
func (b basic) RequireTransportSecurity() bool { return false }

// String keeps the password out of whatever prints it.
func (b basic) String() string { return "(password)" }

func (c *cluster) close() {
	c.mu.Lock()
	c.closed = true
	c.cancel()
	n := c.current
	c.current = nil
	if n != nil {
		n.retired = true
		n.close() // those who use it are told
	}
	c.mu.Unlock()
	c.running.Wait()
}
