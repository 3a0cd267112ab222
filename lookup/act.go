package lookup

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/store"
)

// Act is where it is recorded that an operator did something.
type Act struct {
	Position uint64     // in the log
	At       time.Time  // when it was recorded
	Operator string     // who
	ID       history.ID // of the execution to which it was done; the workflow is empty where it is the namespace itself
	Kind     string     // of the event
	Stream   history.ID // that says so
	Seq      uint64     // of the entry that says so
}

// Acts asks for what operators did, the newest first.
type Acts struct {
	Namespace string
	Operator  string    // who; empty: anybody
	ID        string    // the execution to which it was done; empty: any
	Since     time.Time // zero: from the beginning
	Until     time.Time // before; zero: up to now
	Before    uint64    // the position of the last of the page before; 0: the first page
	Limit     int       // of a page; 0: 100
}

// acted notes what an operator did.
func (b *batch) acted(record *store.Record) error {
	operator, is := strings.CutPrefix(string(record.Entry.By), string(history.Operator)+":")
	if !is || record.ID.Family() == "node" {
		return nil
	}
	e, about, stream := record.Entry, record.ID, record.ID.Workflow
	switch namespace, is := record.ID.Administers(); {
	case is:
		about = history.ID{Namespace: namespace}
	case record.ID.Family() != "":
		_, about.Namespace, _ = strings.Cut(record.ID.Namespace, "@")
		about.Workflow = ""
	}
	switch v := e.Event.(type) {
	case *history.Redacted:
		about = v.ID
	case *history.Deleted:
		about = v.ID
	case *history.Imported:
		about = v.ID
	case *history.Disclosed:
		about = v.ID
	case *history.Held:
		about = v.ID
	case *history.Released:
		about = v.ID
	}
	err := b.c.exec(context.Background(), insertAct, int64(record.Position.Commit), e.At.UnixNano(), operator, about.Namespace, text(about.Workflow),
		e.Event.Kind(), record.ID.Family(), stream, int64(e.Seq))
	if err != nil {
		return fmt.Errorf("noting what an operator did: %w", err)
	}
	return nil
}

// Acts answers with one page of what operators did. Like [Index.Find] it does not wait for anything.
func (x *Index) Acts(ctx context.Context, q Acts) (all []Act, err error) {
	f := &filter{}
	f.add("namespace = ?", q.Namespace)
	if q.Operator != "" {
		f.add("operator = ?", q.Operator)
	}
	if q.ID != "" {
		f.add("id = ?", q.ID)
	}
	if !q.Since.IsZero() {
		f.add("at >= ?", query.Nanos(q.Since))
	}
	if !q.Until.IsZero() {
		f.add("at < ?", query.Nanos(q.Until))
	}
	if q.Before > 0 {
		f.add("position < ?", int64(q.Before))
	}
	limit := q.Limit
	if limit <= 0 {
		limit = 100
	}
	err = x.read(ctx, func(c *conn, _ store.Position) error {
		all = nil
		text := "SELECT position, at, operator, namespace, id, kind, family, stream, seq FROM act" + f.where() + fmt.Sprintf(" ORDER BY position DESC LIMIT %d", limit)
		return c.query(ctx, text, f.values, func(row []driver.Value) error {
			v := &values{row}
			a := Act{Position: v.seq(), At: v.time(), Operator: v.text()}
			a.ID.Namespace, a.ID.Workflow, a.Kind = v.text(), v.text(), v.text()
			a.Stream.Namespace = a.ID.Namespace
			if family := v.text(); family != "" {
				a.Stream.Namespace = family + "@" + a.ID.Namespace
			}
			a.Stream.Workflow, a.Seq = v.text(), v.seq()
			all = append(all, a)
			return nil
		})
	})
	return all, err
}
