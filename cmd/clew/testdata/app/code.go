package main

import (
	"context"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/workflow"
)

// What is done for a delivery.
var (
	Pack  = activity.Define("pack", func(context.Context, string) (activity.None, error) { return activity.None{}, nil })
	Weigh = activity.Define("weigh", func(context.Context, string) (int, error) { return 700, nil })
	Ship  = activity.Define("ship", func(context.Context, string) (string, error) { return "on its way", nil })
)

// How to talk to a delivery.
var (
	Courier = workflow.NewSignal[workflow.None]("courier")
	Stage   = workflow.NewQuery[string]("stage")
)

// The workflows, as they are and as they were.
var (
	Deliver1 = workflow.Define("delivery", deliverBefore)
	Deliver2 = workflow.Define("delivery", deliver)
	Deliver3 = workflow.Define("delivery", deliverGated)
	Return   = workflow.Define("return", refund, workflow.Version(1))
	Audit    = workflow.Define("audit", workflow.NoResult(audit))
	Audited  = workflow.Define("audit", workflow.NoResult(audited))
	Greet    = workflow.Define("greeting", func(_ workflow.Context, text string) (int, error) { return len(text), nil })
)

func definitions(release string) []workflow.Definition {
	switch release {
	case "before":
		return []workflow.Definition{Pack, Ship, Deliver1, Return, Audit, Greet}
	case "gated":
		return []workflow.Definition{Pack, Weigh, Ship, Deliver3, Return, Audit, Greet}
	case "wrong":
		return []workflow.Definition{Greet, Greet}
	}
	return []workflow.Definition{Pack, Weigh, Ship, Deliver2, Audited, Greet}
}

func deliverBefore(ctx workflow.Context, item string) (string, error) {
	stage := "packing"
	Stage.Handle(ctx, func() string { return stage })
	if _, err := workflow.Do(ctx, Pack, item); err != nil {
		return "", err
	}
	stage = "waiting for the courier"
	return ship(ctx, item)
}

func deliver(ctx workflow.Context, item string) (string, error) {
	if _, err := workflow.Do(ctx, Pack, item); err != nil {
		return "", err
	}
	if _, err := workflow.Do(ctx, Weigh, item); err != nil {
		return "", err
	}
	return ship(ctx, item)
}

func deliverGated(ctx workflow.Context, item string) (string, error) {
	if _, err := workflow.Do(ctx, Pack, item); err != nil {
		return "", err
	}
	if workflow.Patched(ctx, "weigh") {
		if _, err := workflow.Do(ctx, Weigh, item); err != nil {
			return "", err
		}
	}
	return ship(ctx, item)
}

func ship(ctx workflow.Context, item string) (string, error) {
	if _, err := Courier.Receive(ctx); err != nil {
		return "", err
	}
	return workflow.Do(ctx, Ship, item)
}

func refund(ctx workflow.Context, item string) (string, error) {
	workflow.Go(ctx, func(ctx workflow.Context) { _ = workflow.Sleep(ctx, 14*24*time.Hour) })
	_, err := Courier.Receive(ctx)
	return "refunded", err
}

func audit(ctx workflow.Context, _ string) error { return workflow.Sleep(ctx, time.Hour) }

func audited(workflow.Context, string) error {
	var books []string
	_ = books[0]
	return nil
}
