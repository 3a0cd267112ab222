package lookup

import (
	"context"
	"database/sql/driver"
	"fmt"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/store"
)

const (
	runsOf       = "SELECT position, type, status, started, version FROM run WHERE id = ? AND +namespace = ?"
	dropRun      = "DELETE FROM run WHERE position = ?"
	dropAll      = "DELETE FROM attribute WHERE run = ?"
	dropRequests = "DELETE FROM request WHERE namespace = ? AND id = ?"
	dropWords    = "DELETE FROM words WHERE rowid IN (SELECT id FROM doc WHERE run = ?)"
	dropDocs     = "DELETE FROM doc WHERE run = ?"
	gatherWords  = "INSERT INTO words (words) VALUES ('optimize')"
)

// Refold makes the rows of an execution anew, of what the log still has of it: records, in order. It is for when something was taken
// away from the log, so that the index shows what one that is built anew would. Records that are not yet applied are left to be, and read
// once more from the log.
func (x *Index) Refold(id history.ID, records []store.Record) error {
	c, err := x.take(context.Background(), x.writer)
	if err != nil {
		return err
	}
	defer func() { x.writer <- c }()
	position := x.Position()
	for n := len(records); n > 0 && records[n-1].Position.After(position); n-- {
		records = records[:n-1]
	}
	delete(x.open, id)
	b := batch{c: c, open: x.open, words: *x.words.Load(), shapes: &x.shapes, tally: map[tallied]int{}, runs: map[history.ID]*run{}}
	// What is deleted is written over with zeros in the file.
	if err = c.pragmas("secure_delete = on"); err == nil {
		err = c.within("BEGIN IMMEDIATE", func() error {
			if err := b.drop(id); err != nil {
				return err
			}
			return b.write(records, position)
		})
	}
	if off := c.pragmas("secure_delete = off"); err == nil {
		err = off
	}
	if err != nil {
		clear(x.open) // some have been folded
		return fmt.Errorf("lookup: making the rows of %s anew: %w", id, err)
	}
	x.open.keep(&b)
	x.move(position, 1) // what was read and is not yet applied is read again: it may be of what was taken away
	return nil
}

// drop removes all rows of an execution.
func (b *batch) drop(id history.ID) error {
	ctx := context.Background()
	var positions []int64
	err := b.c.query(ctx, runsOf, []driver.Value{id.Workflow, id.Namespace}, func(row []driver.Value) error {
		v := &values{row}
		position := v.seq()
		of := tallied{id.Namespace, v.text(), query.Status(v.seq()), int64(v.seq()) / int64(aDay)}
		b.tally[of]--
		r := &run{}
		r.Namespace, r.Type = of.namespace, of.kind
		b.countVersion(r, v.int(), -1)
		positions = append(positions, int64(position))
		return nil
	})
	drop := func(text string, args ...driver.Value) {
		if err == nil {
			err = b.c.exec(ctx, text, args...)
		}
	}
	for _, p := range positions {
		drop(dropAll, p)
		if b.words.kept {
			drop(dropWords, p)
			drop(dropDocs, p)
		}
		drop(dropRun, p)
	}
	drop(dropRequests, id.Namespace, id.Workflow)
	drop(dropActs, id.Workflow, id.Namespace)
	if b.words.kept && len(positions) > 0 {
		drop(gatherWords) // words are only marked as deleted until they are
	}
	return err
}
