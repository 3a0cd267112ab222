package lookup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/store"
)

// AsOf makes an index of what a log said at a moment, and of nothing that came later. Questions to it are of that moment too: what is
// relative to now is held against it, and runs that were open then are open.
//
// It reads the log from its beginning: up to the position, or, if the moment is a time, up to its head, because entries of several
// executions need not stand in the order of their times. What retention has taken away is missing from it. The file at path must not exist;
// whoever closes the index removes it. The path ":memory:" keeps it in memory, some 500 bytes a run. Errors: [query.ErrInvalid] for a
// moment that is not there yet, those of the log, that of ctx.
func AsOf(ctx context.Context, path string, log store.Log, of query.AsOf, options Options) (x *Index, err error) {
	head, err := log.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("lookup: finding the end of the log: %w", err)
	}
	if of.Position > head.Commit {
		return nil, &query.Invalid{Field: "AsOf", Value: of.String(), Want: "a position up to " + head.String() + ", where the log ends"}
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	b, err := beginBuilding(path, wantedOf(options).anew(), options.Inputs)
	if err != nil {
		return nil, fmt.Errorf("lookup: making an index of %s: %w", of, err)
	}
	then, err := b.readPast(ctx, log, of, head, options.Logger)
	if err == nil && path == memory {
		err = errors.Join(b.c.index(), b.c.exec(ctx, userVersion(b.words.kept)))
	} else if err == nil {
		err = b.finish()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lookup: making an index of %s: %w", of, err), b.giveUp())
	}
	if path == memory {
		x = newIndex(path, options)
		x.words.Store(&b.words)
		x.writer <- b.c
		x.move(b.last, 0)
	} else if x, err = Open(ctx, path, options); err != nil {
		return nil, err
	}
	x.of, x.then = of, then
	return x, nil
}

// readPast applies what the log had at a moment, and says when that was.
func (b *building) readPast(ctx context.Context, log store.Log, of query.AsOf, head store.Position, logger *slog.Logger) (then time.Time, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if then = of.Time; head.IsZero() {
		return then, nil
	}
	var records []store.Record
	bytes, said := 0, time.Now()
	for record, err := range log.Follow(ctx, store.Position{}) {
		if err != nil {
			return then, fmt.Errorf("following the log: %w", err)
		}
		if of.Position > 0 && record.Position.Commit > of.Position {
			break
		}
		if of.Has(record.Position.Commit, record.Entry.At) {
			records = append(records, record)
			bytes += record.Entry.Size()
			if of.Time.IsZero() && record.Entry.At.After(then) {
				then = record.Entry.At
			}
		}
		if len(records) >= buildRecords || bytes >= buildBytes {
			if err := b.apply(records); err != nil {
				return then, err
			}
			clear(records)
			records, bytes = records[:0], 0
		}
		if time.Since(said) >= progressEvery {
			said = time.Now()
			logger.Info("an index of the past is being made", "of", of.String(), "position", record.Position, "head", head)
		}
		if !head.After(record.Position) {
			break
		}
	}
	if err := ctx.Err(); err != nil {
		return then, err
	}
	return then, b.apply(records)
}

// giveUp closes and removes what is not to be gone on with.
func (b *building) giveUp() (err error) {
	if b.c != nil {
		err = b.c.close()
	}
	if b.path != memory {
		err = errors.Join(err, removeDatabase(b.path))
	}
	return err
}

// now is the time against which questions are held.
func (x *Index) now() time.Time {
	if !x.then.IsZero() {
		return x.then.UTC()
	}
	return time.Now().UTC()
}

// Remove closes an index and removes its file.
func (x *Index) Remove() error { return errors.Join(x.Close(), x.remove()) }

// Words reports whether words are kept, for TEXT, and of which types of workflow; nil: of all.
func (x *Index) Words() (kept bool, of []string) {
	w := x.words.Load()
	return w.kept, w.of
}
