package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/clewflow/clew/runtime"
)

// What a node is told by the one who starts it.
const (
	nameVariable    = "CLUSTER_NODE"
	storeVariable   = "CLEW_STORE" // which runtime.Open reads by itself
	leaseVariable   = "CLUSTER_LEASE"
	witnessVariable = "CLUSTER_WITNESS"
)

// work is a node: it works on the orders of the store, and does what it is asked on its standard input, until it is to end.
func work(name string) error {
	lease, err := time.ParseDuration(os.Getenv(leaseVariable))
	if err != nil {
		return err
	}
	ctx, lines, release := leash()
	defer release()
	rt, err := join(ctx, runtime.Config{
		Node: name, Lease: lease, Drain: 2 * time.Second,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})).With("process", name),
	})
	if err != nil {
		return err
	}
	defer rt.Close()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		attend(ctx, rt, lines)
	}()
	err = rt.Run(ctx)
	release() // if Run has ended by itself, nobody is attended to any more
	<-answered
	return err
}

// join opens the store, as often as it takes: a server that is being started anew is no reason to give up.
func join(ctx context.Context, c runtime.Config) (*runtime.Runtime, error) {
	for {
		rt, err := runtime.Open(ctx, c, order, charge, ship)
		if err == nil || ctx.Err() != nil || !errors.Is(err, runtime.ErrUnavailable) {
			return rt, err
		}
		c.Logger.Warn("the store cannot be opened, and is tried again", "error", err)
		pause(ctx, 200*time.Millisecond)
	}
}

// pause waits, or until ctx ends, which it reports.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
