// Package esdbtest is a stand-in for an EventStoreDB, for tests and demonstrations. It is no database: it has one lock, keeps
// everything in memory, and what it writes to a file survives the death of a process and not that of the machine.
//
// A [Server] speaks the wire protocol of the real one, through the stubs of its client, and follows its rules: what an append with an
// expected revision does, and its repetition; the order of $all, filters and checkpoints; metadata, truncation, deletion and
// tombstones; one leader among several nodes; limits, passwords and TLS. It does more than a real one in one respect: it can be told
// to misbehave, see [Server.Inject] and the methods beside it.
//
// What is known of the real server's rules is in docs/eventstore.md. Where the two differ, the stand-in is wrong.
package esdbtest

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Options are settings. The zero value works: one node in memory, at any free port, without TLS and passwords.
type Options struct {
	Address   string           // to listen at, of the first node; empty: 127.0.0.1 at any port
	File      string           // what is appended is written to it too, and read from it first; empty: none
	Nodes     int              // of the cluster; 0: 1
	TLS       bool             // with a certificate of an authority of its own, see [Server.CA]
	Users     map[string]User  // empty: nobody is asked who he is
	MaxAppend int              // bytes; 0: 1 MiB, as servers up to 25.0 have it
	Version   string           // that it says to be of; empty: 23.10.7
	Now       func() time.Time // the clock; nil: time.Now
}

// User is somebody who may use the server.
type User struct {
	Password string
	ReadAll  bool // may read $all
}

// Server is one or several nodes over one log.
type Server struct {
	options Options
	log     *log
	nodes   []*node
	tls     *tls.Config
	ca      []byte

	mu     sync.Mutex
	leader int // index of a node; below 0: there is none
	faults []*Fault
	late   []func() // appends that are still on their way
	calls  map[string]int
}

// Start starts a server. It listens when Start returns.
func Start(o Options) (*Server, error) {
	if o.Nodes == 0 {
		o.Nodes = 1
	}
	if o.MaxAppend == 0 {
		o.MaxAppend = 1 << 20
	}
	if o.Version == "" {
		o.Version = "23.10.7"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Server{options: o, log: newLog(o.Now), calls: map[string]int{}}
	if o.File != "" {
		if err := s.log.keep(o.File); err != nil {
			return nil, fmt.Errorf("esdbtest: %w", err)
		}
	}
	if o.TLS {
		if err := s.certify(); err != nil {
			return nil, errors.Join(fmt.Errorf("esdbtest: making certificates: %w", err), s.log.close())
		}
	}
	for i := range o.Nodes {
		n := &node{Server: s, index: i, address: "127.0.0.1:0", conns: map[*conn]bool{}}
		if i == 0 && o.Address != "" {
			n.address = o.Address
		}
		s.nodes = append(s.nodes, n)
		if err := n.listen(); err != nil {
			return nil, errors.Join(fmt.Errorf("esdbtest: %w", err), s.Close())
		}
		n.address = n.serving.listener.Addr().String()
	}
	return s, nil
}

// URL is a connection string, with the name and password of a user if one is given.
func (s *Server) URL(user ...string) string {
	var all []string
	for _, n := range s.nodes {
		all = append(all, n.address)
	}
	url := "esdb://"
	if len(user) > 0 {
		url += user[0] + ":" + s.options.Users[user[0]].Password + "@"
	}
	url += strings.Join(all, ",")
	if s.tls == nil {
		return url + "?tls=false"
	}
	return url + "?tls=true"
}

// Address is where a node listens.
func (s *Server) Address(node int) string { return s.nodes[node].address }

// Close ends everything, and waits for it. Clients see their connections break, also those that have not come to an end of connecting.
func (s *Server) Close() error {
	for _, n := range s.nodes {
		n.stop()
	}
	return s.log.close()
}

// Lead makes a node the leader; below 0 none is.
func (s *Server) Lead(node int) {
	s.mu.Lock()
	s.leader = node
	s.mu.Unlock()
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.log.wake() // subscriptions at who leads now see what they had not
}

// Lag lets followers answer reads and subscriptions as if the last n events had not reached them.
func (s *Server) Lag(n int) {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.log.lag = n
	s.log.wake()
}

func (s *Server) leads() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leader
}

// Events are all that are in the log, in its order.
func (s *Server) Events() []Event {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	all := make([]Event, len(s.log.events))
	for i, e := range s.log.events {
		all[i] = *e
	}
	return all
}

// Stream are the events of a stream, hidden ones too unless they are scavenged.
func (s *Server) Stream(name string) []Event {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	var all []Event
	if of := s.log.streams[name]; of != nil {
		for _, e := range of.events {
			all = append(all, *e)
		}
	}
	return all
}

// Write appends events of somebody else's, such as those with which a real server counts.
func (s *Server) Write(stream string, kinds ...string) {
	for _, kind := range kinds {
		s.log.mu.Lock()
		s.log.write(stream, []*Event{{ID: newID(), Type: kind, ContentType: "application/json", Data: []byte("{}")}})
		s.log.mu.Unlock()
	}
}

// Scavenge removes what is hidden, as operators of a real server do now and then.
func (s *Server) Scavenge() {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.log.scavenge()
}

// Forget empties the memory of recent ids, as a restart of a real server does.
func (s *Server) Forget() {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.log.recent.clear()
}

// Calls is how many calls there were of a kind: [Append], [Read], [Subscribe].
func (s *Server) Calls(kind string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[kind]
}
