// Order plays the story of a few orders from the outside.
//
// It starts a process of its own that keeps a store in a directory and works on orders, answers for the people who approve
// them, kills the process with SIGKILL while one parcel is on a long journey and another order waits for its approval, and
// starts it again. In the end it compares how each order ended with what its line of orders.json expects, and looks whether
// any card was charged twice. The exit code is 0 if all is as it should be.
package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/clewflow/clew/examples/order/order"
)

//go:embed orders.json
var someOrders []byte

// wish is an order as it comes in, and what becomes of it.
type wish struct {
	ID       string   `json:"id"`
	Customer string   `json:"customer"`
	Item     string   `json:"item"`
	Cents    int      `json:"cents"`
	Card     string   `json:"card"`
	Route    []string `json:"route"`
	Patience duration `json:"patience"`
	Answer   *answer  `json:"answer"`    // nil: nobody answers
	KilledAt string   `json:"killed_at"` // the place at which the process is killed under the parcel
	Expect   string   `json:"expect"`    // the status in the end
}

type answer struct {
	By      string   `json:"by"`
	Granted bool     `json:"granted"`
	After   duration `json:"after"`
}

func (w wish) order() order.Order {
	return order.Order{
		Customer: w.Customer, Item: w.Item, Cents: w.Cents, Card: w.Card, Route: w.Route, Patience: time.Duration(w.Patience),
	}
}

// duration is written like "1.5s".
type duration time.Duration

// UnmarshalText reads what time.ParseDuration reads.
func (d *duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = duration(v)
	return err
}

func main() {
	dir := flag.String("dir", "", "where the store and the books of the card service are kept (default a new directory, removed afterwards)")
	file := flag.String("orders", "", "a file like orders.json (default the one that comes with this program)")
	work := flag.Bool("work", false, "be the process that works on orders; for this program's own use")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	wishes, err := read(*file)
	switch {
	case err != nil:
	case *work:
		err = serve(ctx, *dir, wishes)
	default:
		err = play(ctx, *dir, *file, wishes)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "order:", err)
		stop()
		os.Exit(1)
	}
}

func read(file string) (wishes []wish, err error) {
	text := someOrders
	if file != "" {
		if text, err = os.ReadFile(file); err != nil {
			return nil, err
		}
	}
	if err := json.Unmarshal(text, &wishes); err != nil {
		return nil, fmt.Errorf("reading orders: %w", err)
	}
	return wishes, nil
}
