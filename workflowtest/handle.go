package workflowtest

import (
	"context"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/memory"
)

// handle is a life's hold on the disk. Closing it is the death of the process.
type handle struct {
	*memory.Log
	w *World
}

func (h *handle) isClosed() bool {
	_, err := h.Head(context.Background())
	return err != nil
}

// Append is that of [store.Log].
func (h *handle) Append(ctx context.Context, id history.ID, entries ...history.Entry) error {
	err := h.Log.Append(ctx, id, entries...)
	if err == nil {
		h.w.record(id, entries)
	}
	return err
}

// AppendTail is that of [store.Tails].
func (h *handle) AppendTail(ctx context.Context, id history.ID, tail *store.Tail, entries ...history.Entry) error {
	err := h.Log.AppendTail(ctx, id, tail, entries...)
	if err == nil {
		h.w.record(id, entries)
	}
	return err
}
