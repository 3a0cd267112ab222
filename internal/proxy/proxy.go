// Package proxy stands between a client and a server, and can cut or hold up what passes.
package proxy

import (
	"io"
	"net"
	"sync"
)

// Proxy forwards connections to one address. All methods may be called from many goroutines.
type Proxy struct {
	to       string
	listener net.Listener
	running  sync.WaitGroup

	mu     sync.Mutex
	pairs  map[net.Conn]net.Conn // client's and server's
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
	p := &Proxy{to: to, listener: l, pairs: map[net.Conn]net.Conn{}}
	p.running.Go(p.accept)
	return p, nil
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

// Close ends everything, and returns when nothing runs any more.
func (p *Proxy) Close() error {
	err := p.listener.Close()
	p.Resume()
	p.mu.Lock()
	p.closed = true
	p.breakAll()
	p.mu.Unlock()
	p.running.Wait()
	return err
}

func (p *Proxy) breakAll() {
	for client, server := range p.pairs {
		_, _ = client.Close(), server.Close()
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

// join forwards between a client and the server until one of them ends.
func (p *Proxy) join(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer server.Close()
	p.mu.Lock()
	if p.cut || p.closed {
		p.mu.Unlock()
		return
	}
	p.pairs[client] = server
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.pairs, client)
	}()
	var both sync.WaitGroup
	for from, to := range map[net.Conn]net.Conn{client: server, server: client} {
		both.Go(func() {
			_, _ = io.Copy(to, gated{from, p}) // its end is the end of both
			_, _ = client.Close(), server.Close()
		})
	}
	both.Wait()
}

// gated reads as long as nothing is held up.
type gated struct {
	net.Conn
	p *Proxy
}

func (g gated) Read(b []byte) (int, error) {
	n, err := g.Conn.Read(b)
	g.p.mu.Lock()
	held := g.p.held
	g.p.mu.Unlock()
	if held != nil {
		<-held
	}
	return n, err
}
