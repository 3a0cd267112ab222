package sla_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/clewflow/clew/examples/sla"
	"github.com/clewflow/clew/runtime"
)

// Every day an invoice run should begin. Today none did.
func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	desk := &sla.Desk{Out: os.Stdout, Owners: map[string]string{"invoice": "ann"}}
	rt, err := runtime.Open(ctx, runtime.Config{Store: "memory:"}, desk.Definitions()...)
	if err != nil {
		log.Fatal(err)
	}
	defer rt.Close()
	go rt.Run(ctx)

	finding, err := runtime.Do(ctx, rt, "sla-invoice-2026-01-05", sla.Check, sla.Promise{Type: "invoice", Within: time.Hour, Every: 24 * time.Hour})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("missing:", finding.Missing)
	// Output:
	// ALERT: no run of invoice
	// missing: invoice
}
