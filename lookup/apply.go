package lookup

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/store"
)

// Apply applies records to the index, all or none, in one transaction with the new position. They must follow each other
// as in the log, and the first must not leave a gap behind [Index.Position]; those at or below it, or one before them, change nothing. If the
// file turns out to be damaged, it is given up and the error has [ErrAnew] in its chain.
func (x *Index) Apply(records []store.Record) error {
	c, err := x.take(context.Background(), x.writer)
	if err != nil {
		return err
	}
	c, err = x.apply(c, records)
	x.writer <- c
	return err
}

// applyIn is Apply for one who began to follow the log in an epoch; if the index has begun anew since, the records may
// leave a gap and are not applied.
func (x *Index) applyIn(epoch int, records []store.Record) error {
	c, err := x.take(context.Background(), x.writer)
	if err != nil {
		return err
	}
	if now, _ := x.place(); now != epoch {
		err = ErrAnew
	} else {
		c, err = x.apply(c, records)
	}
	x.writer <- c
	return err
}

// place returns the epoch and a channel that is closed when it, or the position, changes.
func (x *Index) place() (epoch int, moved <-chan struct{}) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.epoch, x.moved
}

// apply returns the writer's connection to be put back.
func (x *Index) apply(c *conn, records []store.Record) (*conn, error) {
	records = news(records, x.Position())
	if len(records) == 0 {
		return c, nil
	}
	last := records[len(records)-1].Position
	b := batch{c: c, open: x.open, words: *x.words.Load(), inputs: x.inputs, noted: x.noted, shapes: &x.shapes, tally: map[tallied]int{}, runs: make(map[history.ID]*run, len(records)/4+1)}
	err := c.within("BEGIN IMMEDIATE", func() error { return b.write(records, last) })
	if err == nil {
		x.open.keep(&b)
		x.move(last, 0)
		return c, nil
	}
	clear(x.open) // some have been folded
	err = fmt.Errorf("lookup: applying records %s to %s: %w", records[0].Position, last, err)
	if !damaged(err) {
		return c, err
	}
	x.logger.Warn("the index is damaged and is built anew", "path", x.path, "error", err)
	c, again := x.anew(c)
	if again != nil {
		return c, fmt.Errorf("%w: %w", ErrAnew, again)
	}
	return c, ErrAnew
}

// news are the records behind a position, each of them once: a log may deliver one again, also in between.
func news(records []store.Record, position store.Position) []store.Record {
	for len(records) > 0 && !records[0].Position.After(position) {
		records = records[1:]
	}
	for i := 1; i < len(records); i++ {
		if !records[i].Position.After(records[i-1].Position) { // hardly ever
			return append(slices.Clone(records[:i]), news(records[i:], records[i-1].Position)...)
		}
	}
	return records
}

// batch folds records before it writes, so that each run is written once however many of its entries there are.
type batch struct {
	c        *conn
	open     openRuns
	runs     map[history.ID]*run // the newest of each execution; nil if there is none
	begun    []*run              // new ones, in the order of the log
	changed  []*run              // those that were in the table
	requests []request
	members  map[history.ID]*store.Record // the newest of each
	values   []driver.Value
	tally    map[tallied]int // how many more there are
	versions map[versioned]int
	words    words // that are kept
	inputs   Inputs
	noted    noted
	docs     []doc
	shapes   *shapes
	building *building // nil: the index itself is written
}

// doc is the words of an entry.
type doc struct {
	run  uint64
	text string
}

func (b *batch) write(records []store.Record, last store.Position) error {
	for i := range records {
		if err := b.fold(&records[i]); err != nil {
			return err
		}
	}
	for _, r := range b.begun {
		if err := b.insert(r); err != nil {
			return err
		}
	}
	for _, r := range b.changed {
		if err := b.update(r); err != nil {
			return err
		}
	}
	for i := range b.requests {
		if err := b.insertRequest(&b.requests[i]); err != nil {
			return err
		}
	}
	if err := b.writeMembers(); err != nil {
		return err
	}
	if err := b.writeTally(); err != nil {
		return err
	}
	if err := b.writeVersions(); err != nil {
		return err
	}
	if err := b.writeWords(); err != nil {
		return err
	}
	return b.c.exec(context.Background(), writePlace, int64(last.Commit), int64(last.Prepare))
}

func (b *batch) fold(record *store.Record) error {
	e := record.Entry
	if err := b.acted(record); err != nil {
		return err
	}
	if record.ID.Family() != "" {
		b.announced(record)
		if err := b.held(record); err != nil {
			return err
		}
		return b.halted(record)
	}
	if started, ok := e.Event.(*history.Started); ok {
		build, err := b.buildBefore(record)
		if err != nil {
			return err
		}
		if err := b.lacks(started); err != nil {
			return err
		}
		r := begin(record.Position.Commit, record.ID, e, started, b.inputs.of(started), build)
		if r.Depth, err = b.depth(record.ID, started); err != nil {
			return err
		}
		b.runs[record.ID] = r
		b.begun = append(b.begun, r)
		b.requested(r, e.Request)
		r.wakes(record.Tail)
		b.read(r, e.Event)
		return nil
	}
	r, err := b.newest(record.ID)
	if err != nil || r == nil || !r.open() {
		return err // no run, as in the streams that hold no workflow
	}
	if changesAttributes(e.Event) && !r.loaded {
		if err := b.load(r); err != nil {
			return err
		}
	}
	r.evolve(e)
	r.wakes(record.Tail)
	b.read(r, e.Event)
	b.requested(r, e.Request)
	if !r.dirty {
		r.dirty = true
		b.changed = append(b.changed, r)
	}
	return nil
}

// buildBefore returns the build of the run before the one that record begins, if record leaves its own out.
func (b *batch) buildBefore(record *store.Record) (string, error) {
	if record.Entry.Seq == 1 || record.Entry.Build != "" {
		return "", nil
	}
	before, err := b.newest(record.ID)
	if err == nil && before == nil && b.building != nil { // it has closed
		if err = b.building.index(); err == nil {
			before, err = b.stored(record.ID)
		}
	}
	if err != nil || before == nil {
		return "", err
	}
	return before.Build, nil
}

// newest returns the newest run of an execution, nil if there is none.
func (b *batch) newest(id history.ID) (*run, error) {
	if r, ok := b.runs[id]; ok {
		return r, nil
	}
	r := b.open[id]
	if r == nil && (b.building == nil || !b.building.whole) {
		var err error
		if r, err = b.stored(id); err != nil {
			return nil, err
		}
	}
	b.runs[id] = r
	return r, nil
}

// stored reads the newest run of an execution from the table.
func (b *batch) stored(id history.ID) (r *run, err error) {
	err = b.c.query(context.Background(), newestRun, []driver.Value{id.Workflow, id.Namespace}, func(row []driver.Value) error {
		r, _ = scan(row)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the run of %s: %w", id, err)
	}
	return r, nil
}

// load reads the attributes of a run that is in the table. Few runs change them, so those that go on do not keep them.
func (b *batch) load(r *run) error {
	err := b.c.query(context.Background(), loadAttributes, []driver.Value{int64(r.position)}, func(row []driver.Value) error {
		v := &values{row}
		r.attributes, r.loaded = readAttributes(v.text()), true
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading the attributes of run %d of %s/%s: %w", r.Number, r.Namespace, r.ID, err)
	}
	return nil
}

func (b *batch) insert(r *run) error {
	b.values = r.shown(r.moving(r.standing(r.fixed(b.values[:0]))))
	text, values := b.shapes.insert(b.values)
	if err := b.c.exec(context.Background(), text, values...); err != nil {
		return fmt.Errorf("inserting run %d of %s/%s: %w", r.Number, r.Namespace, r.ID, err)
	}
	b.count(r, r.Status, 1)
	b.countVersion(r, r.Version, 1)
	if err := b.writeChanges(r); err != nil {
		return err
	}
	if len(r.memo) > 0 {
		if err := writeMemo(context.Background(), b.c, r.position, r.memo); err != nil {
			return fmt.Errorf("inserting the memo of run %d of %s/%s: %w", r.Number, r.Namespace, r.ID, err)
		}
	}
	if len(r.attributes) == 0 {
		return nil
	}
	if err := writeAttributes(context.Background(), b.c, r.position, r.attributes); err != nil {
		return fmt.Errorf("inserting the attributes of run %d of %s/%s: %w", r.Number, r.Namespace, r.ID, err)
	}
	return nil
}

// update leaves the columns alone that the indexes are of, unless the status has changed.
func (b *batch) update(r *run) error {
	text := updateRun
	b.values = b.values[:0]
	if r.Status != r.was {
		text = restateRun
		b.count(r, r.was, -1)
		b.count(r, r.Status, 1)
		b.values = r.standing(b.values)
	}
	b.values = append(r.moving(b.values), int64(r.position))
	if err := b.c.exec(context.Background(), text, b.values...); err != nil {
		return fmt.Errorf("updating run %d of %s/%s: %w", r.Number, r.Namespace, r.ID, err)
	}
	if err := b.writeChanges(r); err != nil {
		return err
	}
	if r.moved {
		b.countVersion(r, r.from, -1)
		b.countVersion(r, r.Version, 1)
		if err := b.c.exec(context.Background(), moveRun, int64(r.Version), int64(r.position)); err != nil {
			return fmt.Errorf("updating the version of run %d of %s/%s: %w", r.Number, r.Namespace, r.ID, err)
		}
	}
	if r.reset {
		if err := b.reattribute(r); err != nil {
			return fmt.Errorf("updating the attributes of run %d of %s/%s: %w", r.Number, r.Namespace, r.ID, err)
		}
	}
	if r.rememo {
		if err := b.rememo(r); err != nil {
			return fmt.Errorf("updating the memo of run %d of %s/%s: %w", r.Number, r.Namespace, r.ID, err)
		}
	}
	return nil
}

// rememo writes a memo that has changed.
func (b *batch) rememo(r *run) error {
	ctx := context.Background()
	if err := b.c.exec(ctx, rememo, text(string(r.memo)), int64(r.position)); err != nil {
		return err
	}
	if err := b.c.exec(ctx, dropMemo, int64(r.position)); err != nil || len(r.memo) == 0 {
		return err
	}
	return writeMemo(ctx, b.c, r.position, r.memo)
}

// reattribute writes attributes that have changed.
func (b *batch) reattribute(r *run) error {
	ctx := context.Background()
	if err := b.c.exec(ctx, reattribute, text(string(r.attributes.Payload().Data)), int64(r.position)); err != nil {
		return err
	}
	if err := b.c.exec(ctx, dropAttributes, int64(r.position)); err != nil {
		return err
	}
	return writeAttributes(ctx, b.c, r.position, r.attributes)
}

// openRuns are open runs as they are in the table, so that those that go on need not be read from it.
type openRuns map[history.ID]*run

const maxOpenRuns = 10_000

// keep takes over what a batch has written, as far as there is room.
func (o openRuns) keep(b *batch) {
	o.take(b)
	o.trim()
}

func (o openRuns) take(b *batch) {
	for id, r := range b.runs {
		if r == nil || !r.open() && r.Status != query.Continued { // what continues one may leave its build out
			delete(o, id)
			continue
		}
		r.dirty, r.reset, r.rememo, r.moved, r.was = false, false, false, false, r.Status
		r.loaded, r.attributes, r.memo, r.changes = false, nil, nil, nil
		o[id] = r
	}
}

func (o openRuns) trim() {
	for id := range o {
		if len(o) <= maxOpenRuns {
			return
		}
		delete(o, id) // any: which it is decides nothing but the time it takes to read it again
	}
}

// read takes the words of an entry, where they are kept.
func (b *batch) read(r *run, e history.Event) {
	if !b.words.has(r.Type) {
		return
	}
	if words := query.Words(query.TextOf(e)); len(words) > 0 {
		b.docs = append(b.docs, doc{r.position, strings.Join(words, " ")})
	}
}

func (b *batch) writeWords() error {
	for _, d := range b.docs {
		err := b.c.exec(context.Background(), insertDoc, int64(d.run))
		if err == nil {
			err = b.c.exec(context.Background(), insertWords, d.text)
		}
		if err != nil {
			return fmt.Errorf("inserting words: %w", err)
		}
	}
	return nil
}
