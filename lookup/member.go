package lookup

import (
	"context"
	"database/sql/driver"
	"fmt"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// How the namespaces of the streams begin of which only the last entry is of use, see [history.ID.Family].
const (
	nodes  = "node@"
	quotas = "quota@"
)

// announced notes what a node says of itself, or others of it, and how nodes share a limit.
func (b *batch) announced(record *store.Record) {
	if family := record.ID.Family(); family != "node" && family != "quota" {
		return
	}
	if b.members == nil {
		b.members = map[history.ID]*store.Record{}
	}
	b.members[record.ID] = record
}

func (b *batch) writeMembers() error {
	ctx := context.Background()
	for id, r := range b.members {
		var err error
		switch r.Entry.Event.(type) {
		case *history.NodeAnnounced, *history.QuotasSet:
			err = b.c.exec(ctx, insertMember, id.Namespace, id.Workflow, int64(r.Position.Commit), int64(r.Position.Prepare), history.AppendEntry(nil, r.Entry))
		default:
			err = b.c.exec(ctx, dropMember, id.Namespace, id.Workflow)
		}
		if err != nil {
			return fmt.Errorf("noting the member %s: %w", id, err)
		}
	}
	return nil
}

// Members are the last announcements of the nodes of a namespace that are neither gone nor buried at a position of the log.
func (x *Index) Members(ctx context.Context, namespace string) (all []store.Record, at store.Position, err error) {
	return x.last(ctx, nodes+namespace)
}

// Quotas are the last entries of the streams of a namespace that say how its nodes share limits, at a position of the log.
func (x *Index) Quotas(ctx context.Context, namespace string) (all []store.Record, at store.Position, err error) {
	return x.last(ctx, quotas+namespace)
}

func (x *Index) last(ctx context.Context, namespace string) (all []store.Record, at store.Position, err error) {
	err = x.read(ctx, func(c *conn, position store.Position) error {
		all, at = nil, position
		return c.query(ctx, readMembers, []driver.Value{namespace}, func(row []driver.Value) error {
			v := &values{row}
			r := store.Record{ID: history.ID{Namespace: namespace, Workflow: v.text()}, Position: store.Position{Commit: v.seq(), Prepare: v.seq()}}
			wire, _ := v.take().([]byte)
			e, err := history.UnmarshalEntry(append([]byte(nil), wire...))
			if err != nil {
				return fmt.Errorf("reading the last entry of %s: %w", r.ID, err)
			}
			r.Entry = e
			all = append(all, r)
			return nil
		})
	})
	return all, at, err
}
