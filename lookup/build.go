package lookup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// building is an index that is made from the beginning of a log, in a file beside that of the index, which it replaces when all was read.
// Nobody looks into it meanwhile, and if it comes to nothing another one is made: so it needs neither a journal nor syncs, and no index
// before its end.
type building struct {
	c       *conn
	path    string
	open    openRuns // all that are open, unless there are too many
	whole   bool     // open has all open runs: one that is not among them has closed or never begun
	ids     bool     // runs can be found by their ids in the file
	words   words
	inputs  Inputs
	shapes  shapes
	last    store.Position
	records int
}

// Limits of what is gathered for one batch of a building. A run that begins and ends within one is written once.
var (
	buildRuns    = 20_000
	buildRecords = 200_000
	buildBytes   = 64 << 20
)

// maxWhole is how many open runs a building keeps in memory, some 500 bytes each.
var maxWhole = 200_000

// errBuilt says that an index was built, and that the log is to be followed from its place.
var errBuilt = errors.New("lookup: the index was built")

// build reads the log up to head into a new file, and puts that in the place of the index. It returns [errBuilt] if all went well.
func (x *Index) build(ctx context.Context, log store.Log, head store.Position) (err error) {
	x.builds.Lock()
	defer x.builds.Unlock()
	epoch, _ := x.place()
	b, err := beginBuilding(x.path+".new", *x.words.Load(), x.inputs)
	if err != nil {
		return fmt.Errorf("lookup: building the index: %w", err)
	}
	defer func() {
		if !errors.Is(err, errBuilt) {
			_ = b.giveUp() // another one is made
		}
		x.built(store.Position{})
	}()
	began := time.Now()
	x.logger.Info("the index is built", "path", x.path, "head", head)
	for end := false; !end; { // until there is little left to read when it takes its place
		if err := x.readInto(ctx, log, b, head, epoch); err != nil {
			return err
		}
		now, err := log.Head(ctx)
		if end = err != nil || !farFrom(head, now); !end {
			head = now
		}
	}
	if err := b.finish(); err != nil {
		return fmt.Errorf("lookup: building the index: %w", err)
	}
	if err := x.replace(b.path, epoch); err != nil {
		return err
	}
	x.logger.Info("the index was built", "path", x.path, "position", b.last, "records", b.records, "took", time.Since(began))
	return errBuilt
}

func beginBuilding(path string, words words, inputs Inputs) (*building, error) {
	b := &building{path: path, open: openRuns{}, whole: true, words: words, inputs: inputs}
	if path != memory {
		if err := removeDatabase(path); err != nil {
			return nil, err
		}
	}
	c, err := connect(b.path, "journal_mode = off", "synchronous = off", "locking_mode = exclusive", "cache_size = -128000", "temp_store = memory")
	if err != nil {
		return nil, err
	}
	b.c = c
	all := slices.Clone(schema)
	if b.words.kept {
		all = append(all, wordsSchema...)
	}
	for _, text := range all {
		if err := c.exec(context.Background(), text); err != nil {
			return nil, errors.Join(fmt.Errorf("making the tables: %w", err), b.giveUp())
		}
	}
	if err := errors.Join(words.write(c), inputs.write(c)); err != nil {
		return nil, errors.Join(err, b.giveUp())
	}
	return b, nil
}

// readInto applies the log to b until it has reached head, or the index has begun anew.
func (x *Index) readInto(ctx context.Context, log store.Log, b *building, head store.Position, epoch int) error {
	ctx, stop := context.WithCancel(ctx)
	g := newGathering(buildRuns, buildRecords, buildBytes)
	var reading sync.WaitGroup
	reading.Go(func() { g.end(g.read(ctx, log, b.last)) })
	defer reading.Wait()
	defer stop()
	said := time.Now()
	for head.After(b.last) {
		if err := x.fill(ctx, &g, head); err != nil {
			return err
		}
		if now, _ := x.place(); now != epoch {
			return ErrAnew
		}
		records, err := g.take()
		if len(records) > 0 {
			if err := b.apply(records); err != nil {
				return fmt.Errorf("lookup: building the index: %w", err)
			}
			x.built(b.last)
			if time.Since(said) >= progressEvery {
				said = time.Now()
				x.logger.Info("the index is being built", "path", x.path, "position", b.last, "head", head, "records", b.records)
			}
			g.give(records)
		}
		if err != nil && head.After(b.last) {
			return err
		}
	}
	return nil
}

// fill waits until a batch is full or has the record at head.
func (x *Index) fill(ctx context.Context, g *gathering, head store.Position) error {
	for !g.reached(head) {
		select {
		case <-g.news:
		case <-time.After(longest): // the head may have come; nothing says so
		case <-x.closed:
			return ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// reached reports whether there is no point in waiting for more.
func (g *gathering) reached(head store.Position) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.full() || g.ended != nil || len(g.records) > 0 && !head.After(g.records[len(g.records)-1].Position)
}

// apply is [Index.Apply] for a building.
func (b *building) apply(records []store.Record) error {
	records = news(records, b.last)
	if len(records) == 0 {
		return nil
	}
	last := records[len(records)-1].Position
	batch := batch{c: b.c, open: b.open, words: b.words, inputs: b.inputs, tally: map[tallied]int{}, runs: make(map[history.ID]*run, len(records)/4+1), shapes: &b.shapes, building: b}
	if err := b.c.within("BEGIN IMMEDIATE", func() error { return batch.write(records, last) }); err != nil {
		return fmt.Errorf("records %s to %s: %w", records[0].Position, last, err)
	}
	b.last = last
	b.records += len(records)
	b.open.take(&batch)
	if len(b.open) > maxWhole {
		if err := b.index(); err != nil {
			return err
		}
		b.whole = false
	}
	if !b.whole {
		b.open.trim()
	}
	return nil
}

// index makes it possible to look runs up by their ids. It costs a quarter of the pace, so it is made when it is needed: if an id comes
// back after its run has closed, or more runs are open than are kept.
func (b *building) index() error {
	if b.ids {
		return nil
	}
	b.ids = true
	return b.c.exec(context.Background(), strings.Replace(idIndex, "CREATE INDEX", "CREATE INDEX IF NOT EXISTS", 1))
}

// finish makes the indexes, marks the file as an index, and syncs it.
func (b *building) finish() error {
	if err := b.c.index(); err != nil {
		return err
	}
	if err := b.c.exec(context.Background(), userVersion(b.words.kept)); err != nil {
		return err
	}
	c := b.c
	b.c = nil
	if err := c.close(); err != nil {
		return err
	}
	f, err := os.OpenFile(b.path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// replace puts the file at path in the place of the index. It waits for lookups that are under way.
func (x *Index) replace(path string, epoch int) error {
	c, err := x.take(context.Background(), x.writer)
	if err != nil {
		return err
	}
	if now, _ := x.place(); now != epoch {
		x.writer <- c
		return ErrAnew // something was taken away that may have been read before
	}
	c, err = x.exchange(c, func() error { return os.Rename(path, x.path) })
	x.writer <- c
	return err
}

// built notes how far a building has come; zero: none is under way.
func (x *Index) built(position store.Position) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.building = position
}
