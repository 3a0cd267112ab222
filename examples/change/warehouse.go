package change

import (
	"context"
	"fmt"
	"sync"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/workflow"
)

// Warehouse notes what it does.
type Warehouse struct {
	mu    sync.Mutex
	notes []string
}

// Activities are what a warehouse does, for a runtime with whatever version of the workflows.
func (w *Warehouse) Activities() []workflow.Definition {
	return []workflow.Definition{
		Pack.Bind(activity.NoResult(w.noting("packed"))),
		Weigh.Bind(w.weigh),
		Ship.Bind(w.ship),
		Refund.Bind(activity.NoResult(w.noting("refunded"))),
		Bill.Bind(activity.NoResult(w.noting("billed"))),
	}
}

// Notes are what was done.
func (w *Warehouse) Notes() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.notes...)
}

func (w *Warehouse) note(what, item string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notes = append(w.notes, what+" "+item)
}

func (w *Warehouse) noting(what string) func(context.Context, string) error {
	return func(_ context.Context, item string) error {
		w.note(what, item)
		return nil
	}
}

func (w *Warehouse) weigh(_ context.Context, item string) (grams int, err error) {
	w.note("weighed", item)
	return 100 * len(item), nil
}

func (w *Warehouse) ship(_ context.Context, p Parcel) (tracking string, err error) {
	w.note("shipped", p.Item)
	if p.Grams == 0 {
		return p.Item + ", not weighed", nil
	}
	return fmt.Sprintf("%s, %d g", p.Item, p.Grams), nil
}
