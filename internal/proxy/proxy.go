// Package proxy stands between a client and a server, and can cut or hold up what passes.
package proxy

import (
	"context"
	"io"
	"net"
	"sync"
	"time"
)

// dialWithin is how long the server has to take a connection.
const dialWithin = 10 * time.Second

// Proxy forwards connections to one address. All methods may be called from many goroutines.
type Proxy struct {
	listener net.Listener
	dial     func(context.Context) (net.Conn, error)
	running  sync.WaitGroup

	mu     sync.Mutex
	links  map[net.Conn]func() // by the client's connection: what breaks both
	cut    bool
	held   chan struct{} // nil: nothing is held up
	closed bool
}

// Listen begins to forward to an address from one of its own, see [Proxy.Address].
func Listen(to string) (*Proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := net.Dialer{Timeout: dialWithin}
	return between(l, func(ctx context.Context) (net.Conn, error) { return server.DialContext(ctx, "tcp", to) }), nil
}

// between forwards what a listener accepts to what dial connects to.
func between(l net.Listener, dial func(context.Context) (net.Conn, error)) *Proxy {
	p := &Proxy{listener: l, dial: dial, links: map[net.Conn]func(){}}
	p.running.Go(p.accept)
	return p
}

// Address is where clients connect.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// Cut breaks all connections, and all that are made until Heal.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	p.breakAll()
}

// Heal lets connections be made again.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = false
}

// Stall lets nothing pass any more and breaks nothing, until Resume.
func (p *Proxy) Stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held == nil {
		p.held = make(chan struct{})
	}
}

// Resume lets pass what was held up.
func (p *Proxy) Resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held != nil {
		close(p.held)
		p.held = nil
	}
}

// Close ends everything, and returns when nothing runs any more. It waits for no server, also not for one that is being dialled.
func (p *Proxy) Close() error {
	err := p.listener.Close()
	p.mu.Lock()
	p.closed = true
	p.breakAll()
	p.mu.Unlock()
	p.running.Wait()
	return err
}

func (p *Proxy) breakAll() {
	for _, sever := range p.links {
		sever()
	}
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.join(client) })
	}
}

// enter makes a client known to those who break connections, unless it is to be broken at once.
func (p *Proxy) enter(client net.Conn, sever func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut || p.closed {
		return false
	}
	p.links[client] = sever
	return true
}

func (p *Proxy) leave(client net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, client)
}

// join forwards between a client and the server until one of them ends, or they are severed.
func (p *Proxy) join(client net.Conn) {
	defer client.Close()
	ctx, sever := context.WithCancel(context.Background())
	defer sever()
	if !p.enter(client, sever) {
		return
	}
	defer p.leave(client)
	server, err := p.dial(ctx)
	if err != nil {
		return
	}
	var both sync.WaitGroup
	for from, to := range map[net.Conn]net.Conn{client: server, server: client} {
		both.Go(func() {
			defer sever() // the end of one direction is the end of both
			_, _ = io.Copy(to, gated{from, p, ctx.Done()})
		})
	}
	<-ctx.Done()
	_, _ = client.Close(), server.Close() // wakes those who read and write
	both.Wait()
}

// gated reads as long as nothing is held up.
type gated struct {
	net.Conn
	p       *Proxy
	severed <-chan struct{}
}

func (g gated) Read(b []byte) (int, error) {
	n, err := g.Conn.Read(b)
	g.p.mu.Lock()
	held := g.p.held
	g.p.mu.Unlock()
	if held != nil {
		select {
		case <-held:
		case <-g.severed:
			return 0, net.ErrClosed
		}
	}
	return n, err
}
