package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

// request is what a client asks of a node: a line of JSON on its standard input.
type request struct {
	Number int    `json:"number"` // of the line, for the answer
	ID     string `json:"id"`     // of the request: the same if it is repeated
	Order  string `json:"order"`
	Start  int    `json:"start,omitempty"`  // with so many parcels; 0: it is a signal
	Parcel string `json:"parcel,omitempty"` // that was packed
}

// answer is what a node says to it, on its standard output.
type answer struct {
	Number  int    `json:"number"`
	Error   string `json:"error,omitempty"`
	Unknown bool   `json:"unknown,omitempty"` // whether it was recorded; the request may be repeated anywhere
}

// attend answers requests until ctx ends.
func attend(ctx context.Context, rt *runtime.Runtime, lines <-chan string) {
	var mu sync.Mutex
	var all sync.WaitGroup
	defer all.Wait()
	for {
		select {
		case line := <-lines:
			all.Go(func() {
				a := grant(ctx, rt, line)
				mu.Lock()
				defer mu.Unlock()
				_ = json.NewEncoder(os.Stdout).Encode(a) // if nobody hears it any more, standard input says so
			})
		case <-ctx.Done():
			return
		}
	}
}

// grant does what a line asks for.
func grant(ctx context.Context, rt *runtime.Runtime, line string) answer {
	var r request
	err := json.Unmarshal([]byte(line), &r)
	switch {
	case err != nil:
		err = fmt.Errorf("the request %q cannot be read: %w", line, err)
	case r.Start > 0:
		_, err = runtime.Start(ctx, rt, r.Order, order, purchase{Order: r.Order, Parcels: r.Start}, []workflow.Option{runtime.RequestID(r.ID)}...)
	default:
		err = rt.Signal(ctx, r.Order, packed.With(r.Parcel), runtime.RequestID(r.ID))
	}
	a := answer{Number: r.Number}
	if err != nil {
		a.Error = err.Error()
		a.Unknown = ctx.Err() != nil || errors.Is(err, runtime.ErrUnavailable) || errors.Is(err, runtime.ErrClosed)
	}
	return a
}
