package workflowtest

import (
	"context"
	"errors"
	"fmt"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/stage"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/memory"
)

// handle is a life's hold on the disk. Each append waits at the stage first. Closing it is the death of the process.
type handle struct {
	*memory.Log
	life *life
}

func (h *handle) isClosed() bool {
	_, err := h.Head(context.Background())
	return err != nil
}

// Append is that of [store.Log].
func (h *handle) Append(ctx context.Context, id history.ID, entries ...history.Entry) error {
	return h.append(id, entries, func() error { return h.Log.Append(ctx, id, entries...) })
}

// AppendTail is that of [store.Tails].
func (h *handle) AppendTail(ctx context.Context, id history.ID, tail *store.Tail, entries ...history.Entry) error {
	return h.append(id, entries, func() error { return h.Log.AppendTail(ctx, id, tail, entries...) })
}

var errDied = errors.New("the process has died")

func (h *handle) append(id history.ID, entries []history.Entry, do func() error) error {
	w := h.life.world
	fate, err := w.stage.Wait(h.life.ctx, stage.Place{Rank: appends, Execution: id.Workflow, Number: w.known.begin(id)})
	if err != nil {
		return fmt.Errorf("%w: %w", store.ErrUnavailable, errDied)
	}
	if !fate.lost {
		if err := do(); err != nil {
			return err
		}
		w.known.record(id, entries)
		w.stage.Tell()
	}
	switch {
	case fate.dies:
		<-h.life.ctx.Done()
		return fmt.Errorf("%w: %w", store.ErrUnavailable, errDied)
	case fate.unsure:
		return store.ErrUnknownOutcome
	case fate.lost:
		return store.ErrUnavailable
	}
	return nil
}
