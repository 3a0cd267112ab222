package lookup

import (
	"context"
	"database/sql/driver"
	"fmt"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

const nodes = "node@" // how the namespaces of the streams of nodes begin, see [history.ID.Family]

// announced notes what a node says of itself, or others of it.
func (b *batch) announced(record *store.Record) {
	if record.ID.Family() != "node" {
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
		if _, lives := r.Entry.Event.(*history.NodeAnnounced); lives {
			err = b.c.exec(ctx, insertMember, id.Namespace, id.Workflow, int64(r.Position.Commit), int64(r.Position.Prepare), history.AppendEntry(nil, r.Entry))
		} else {
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
	err = x.read(ctx, func(c *conn, position store.Position) error {
		all, at = nil, position
		return c.query(ctx, readMembers, []driver.Value{nodes + namespace}, func(row []driver.Value) error {
			v := &values{row}
			r := store.Record{ID: history.ID{Namespace: nodes + namespace, Workflow: v.text()}, Position: store.Position{Commit: v.seq(), Prepare: v.seq()}}
			wire, _ := v.take().([]byte)
			e, err := history.UnmarshalEntry(append([]byte(nil), wire...))
			if err != nil {
				return fmt.Errorf("reading the member %s: %w", r.ID, err)
			}
			r.Entry = e
			all = append(all, r)
			return nil
		})
	})
	return all, at, err
}
