package main

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/clewflow/clew/store/eventstore/esdbtest"
)

// What the server is told by the one who starts it.
const (
	listenVariable = "CLUSTER_LISTEN" // at which address
	fileVariable   = "CLUSTER_FILE"   // where it keeps everything, so that it survives
)

// serve is the stand-in for the server, until it is to end. It says its address when it listens.
func serve(address string) error {
	ctx, _, release := leash()
	defer release()
	server, err := esdbtest.Start(esdbtest.Options{Address: address, File: os.Getenv(fileVariable)})
	for range 50 { // somebody else may have the port of the one before, for a moment
		if err == nil || !pause(ctx, 200*time.Millisecond) {
			break
		}
		server, err = esdbtest.Start(esdbtest.Options{Address: address, File: os.Getenv(fileVariable)})
	}
	if err != nil {
		return err
	}
	fmt.Println(server.Address(0))
	<-ctx.Done()
	return server.Close()
}

// startServer returns when the server listens.
func (s *stage) startServer(address string) error {
	listens := make(chan string, 1)
	p, err := spawn("the server", s.complaints("server"), s.kin, func(line string) { listens <- line }, listenVariable+"="+address, fileVariable+"="+s.file())
	if err != nil {
		return err
	}
	s.server = p
	select {
	case s.address = <-listens:
		return nil
	case <-p.ended:
		return fmt.Errorf("the server ended before it listened: %v", p.err)
	}
}

// restart kills the server and starts it again from its file. Until then nobody reaches it, so whoever has something in hand may
// lose it.
func (s *stage) restart(down time.Duration) error {
	s.watch.struck("")
	if err := s.server.end(syscall.SIGKILL); err != nil {
		return err
	}
	<-s.server.ended
	time.Sleep(down)
	err := s.startServer(s.address)
	s.watch.healed("", time.Now())
	return err
}
