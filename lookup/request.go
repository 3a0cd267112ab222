package lookup

import (
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"fmt"

	"github.com/google/uuid"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// request is a row of the table request: in which run of an execution a request took effect.
type request struct {
	id     history.ID
	digest [16]byte
	run    uint64
	seq    uint64
}

// KeepsRequest reports whether the index has a row for a request of this id. It has none for a UUIDv7: nearly all of them
// were made for one call, and they say when, so nobody searches for them in the past.
func KeepsRequest(id string) bool {
	if id == "" {
		return false
	}
	parsed, err := uuid.Parse(id)
	return err != nil || parsed.Version() != 7
}

// requested notes the request by which the last entry of r came. Of several entries the last counts: a start that ends a run first takes effect in
// the run that it begins.
func (b *batch) requested(r *run, by string) {
	if KeepsRequest(by) {
		id := history.ID{Namespace: r.Namespace, Workflow: r.ID}
		b.requests = append(b.requests, request{id, digest(by), r.position, r.Seq})
	}
}

func digest(id string) [16]byte {
	sum := sha256.Sum256([]byte(id))
	return [16]byte(sum[:16])
}

func (b *batch) insertRequest(r *request) error {
	err := b.c.exec(context.Background(), insertRequest, r.id.Namespace, r.id.Workflow, r.digest[:], int64(r.run), int64(r.seq))
	if err != nil {
		return fmt.Errorf("inserting a request to %s: %w", r.id, err)
	}
	return nil
}

// Requested finds the run, and its chain, in which a request to an execution took effect, as far as the log goes up to a
// position. It waits until the index is there, but not for one that is far behind. Of requests that the index does not keep, see
// [KeepsRequest], it knows none. Errors: [ErrBehind], [ErrClosed], [ErrAnew], that of ctx.
func (x *Index) Requested(ctx context.Context, id history.ID, request string, upTo store.Position) (run, chain string, ok bool, err error) {
	if now := x.Position(); farFrom(now, upTo) {
		return "", "", false, &Behind{Position: now, Want: upTo}
	}
	if err := x.Reached(ctx, upTo); err != nil {
		return "", "", false, err
	}
	d := digest(request)
	err = x.read(ctx, func(c *conn, position store.Position) error {
		if upTo.After(position) { // it has begun anew meanwhile
			return &Behind{Position: position, Want: upTo}
		}
		return c.query(ctx, findRequest, []driver.Value{id.Namespace, id.Workflow, d[:]}, func(row []driver.Value) error {
			v := &values{row}
			run, chain, ok = v.text(), v.text(), true
			return nil
		})
	})
	return run, chain, ok, err
}
