package runtime_test

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/memory"
	"github.com/clewflow/clew/workflow"
)

// dyingLog is a log whose user dies at its n-th append, which is stored or not. n is counted from 0 over all executions.
type dyingLog struct {
	mortal
	mu     sync.Mutex
	at     int
	stored bool
	n      int
}

func (d *dyingLog) AppendTail(ctx context.Context, id history.ID, tail *store.Tail, entries ...history.Entry) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.alive(); err != nil {
		return err
	}
	dies := d.n == d.at
	d.n++
	if dies {
		if d.stored {
			_ = d.mortal.AppendTail(ctx, id, tail, entries...)
		}
		close(d.dead)
		return store.ErrClosed
	}
	return d.mortal.AppendTail(ctx, id, tail, entries...)
}

// inFaulty has a process begin something and die at its n-th append. Another begins it again, and the first argument looks
// at what comes of it. appends is how many appends the first process made before it died, or in four hours.
func inFaulty(t *testing.T, n int, stored bool, look func(w *world, appends func() int), begin func(w *world), definitions ...workflow.Definition) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, disk: memory.NewDisk(), c: runtime.Config{Replay: replay.Strict, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Drain: time.Millisecond}}
		if n%2 == 1 {
			w.c.Memory = runtime.Forget
		}
		disk := w.disk.Open()
		log := &dyingLog{mortal: mortal{Log: disk, Tails: disk, dead: make(chan struct{})}, at: n, stored: stored}
		w.c.Log = log
		rt, err := runtime.Open(t.Context(), w.c, definitions...)
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- rt.Run(ctx) }()
		w.rt = rt
		<-rt.Ready()
		begun := make(chan struct{})
		go func() { defer close(begun); begin(w) }()
		select {
		case <-log.dead:
		case <-time.After(4 * hour):
		}
		stop()
		<-ran
		require.NoError(t, rt.Close())
		<-begun
		w.open(definitions...)
		begin(w)
		look(w, func() int { return log.n })
		w.close()
		w.verify(definitions...)
	})
}
