package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
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

// work is a node: it works on the orders of the store until it is asked to end.
func work(name string) error {
	lease, err := time.ParseDuration(os.Getenv(leaseVariable))
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	rt, err := runtime.Open(ctx, runtime.Config{
		Node: name, Lease: lease, Drain: 2 * time.Second,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})).With("process", name),
	}, order, charge, ship)
	if err != nil {
		return err
	}
	defer rt.Close()
	return rt.Run(ctx)
}
