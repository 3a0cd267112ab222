package runtime

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"

	"github.com/clewflow/clew/audit"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/socket"
)

// Verify holds what the store holds against its hashes, against what is said to have been taken away, and against an anchor if there is
// one: the whole store, unless scope says less. What is wrong is in the report. The error says that something could not be read.
func (r *Runtime) Verify(ctx context.Context, scope audit.Scope) (audit.Report, error) {
	if scope.Blobs == nil {
		scope.Blobs = r.vault.Blobs()
	}
	return audit.Verify(ctx, r.log, scope)
}

// Anchor writes where all histories of the store end. Keep it where nobody can change it who can change the store: [Runtime.Verify]
// then finds histories that were cut off, written anew or removed since. See [audit.Read] and [audit.Sign].
func (r *Runtime) Anchor(ctx context.Context, w io.Writer) (heads int, err error) {
	return audit.Write(ctx, w, r.log, r.now())
}

// scopeOf is what a tool wants to be verified.
func scopeOf(q socket.Verification) (audit.Scope, error) {
	scope := audit.Scope{Namespace: q.Namespace, Only: q.Only}
	if len(q.Anchor) == 0 {
		return scope, nil
	}
	anchor, err := audit.Read(bytes.NewReader(q.Anchor))
	if err != nil {
		return scope, fmt.Errorf("runtime: verifying: %w", err)
	}
	scope.Against = anchor
	return scope, nil
}

func (s reading) Verify(ctx context.Context, q socket.Verification) (audit.Report, error) {
	scope, err := scopeOf(q)
	if err != nil {
		return audit.Report{}, err
	}
	return s.r.Verify(ctx, scope)
}

func (s reading) Anchor(ctx context.Context) ([]byte, error) {
	var b bytes.Buffer
	_, err := s.r.Anchor(ctx, &b)
	return b.Bytes(), err
}

// Administered yields what was done to the record of the namespace: which payloads and which entries were taken away, by whom, when and
// why. An error ends it.
func (r *Runtime) Administered(ctx context.Context) iter.Seq2[history.Entry, error] {
	return func(yield func(history.Entry, error) bool) {
		for record, err := range r.log.Read(ctx, history.AdminOf(r.config.Namespace), 1) {
			if !yield(record.Entry, err) || err != nil {
				return
			}
		}
	}
}
