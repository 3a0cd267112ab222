package storetest

import (
	"context"
	"iter"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/memory"
)

// liar is a log with a flaw; n counts its appends.
type liar struct {
	store.Log
	n      atomic.Int64
	append func(l *liar, n int64, ctx context.Context, id history.ID, entries []history.Entry) error
	read   func(records []store.Record) []store.Record
}

func (l *liar) Append(ctx context.Context, id history.ID, entries ...history.Entry) error {
	if l.append == nil {
		return l.Log.Append(ctx, id, entries...)
	}
	return l.append(l, l.n.Add(1), ctx, id, entries)
}

func (l *liar) Read(ctx context.Context, id history.ID, from uint64) iter.Seq2[store.Record, error] {
	if l.read == nil {
		return l.Log.Read(ctx, id, from)
	}
	records, err := collect(l.Log.Read(ctx, id, from))
	return func(yield func(store.Record, error) bool) {
		for _, r := range l.read(records) {
			if !yield(r, nil) {
				return
			}
		}
		if err != nil {
			yield(store.Record{}, err)
		}
	}
}

// TestFlawedLogsAreFound: the test of the test. Each flaw must be found with one of a few seeds, and no log without one.
func TestFlawedLogsAreFound(t *testing.T) {
	flaws := map[string]func() *liar{
		"none": func() *liar { return &liar{Log: memory.New()} },
		"acknowledges and does not store": func() *liar {
			return &liar{Log: memory.New(), append: func(l *liar, n int64, ctx context.Context, id history.ID, entries []history.Entry) error {
				if n%5 == 0 {
					return nil
				}
				return l.Log.Append(ctx, id, entries...)
			}}
		},
		"lets two win at one place": func() *liar {
			return &liar{Log: memory.New(), append: func(l *liar, n int64, ctx context.Context, id history.ID, entries []history.Entry) error {
				_ = l.Log.Append(ctx, id, entries...)
				return nil
			}}
		},
		"reads what was a while ago": func() *liar {
			return &liar{Log: memory.New(), read: func(records []store.Record) []store.Record { return records[:len(records)*2/3] }}
		},
		"stores and says that it has not": func() *liar {
			return &liar{Log: memory.New(), append: func(l *liar, n int64, ctx context.Context, id history.ID, entries []history.Entry) error {
				if err := l.Log.Append(ctx, id, entries...); err != nil || n%4 != 0 {
					return err
				}
				return store.ErrConflict
			}}
		},
		"stores what it calls unavailable": func() *liar {
			return &liar{Log: memory.New(), append: func(l *liar, n int64, ctx context.Context, id history.ID, entries []history.Entry) error {
				if err := l.Log.Append(ctx, id, entries...); err != nil || n%4 != 0 {
					return err
				}
				return store.ErrUnavailable
			}}
		},
		"stores the first of two": func() *liar {
			return &liar{Log: memory.New(), append: func(l *liar, n int64, ctx context.Context, id history.ID, entries []history.Entry) error {
				return l.Log.Append(ctx, id, entries[0])
			}}
		},
	}
	for name, flawed := range flaws {
		t.Run(name, func(t *testing.T) {
			found := false
			for seed := range uint64(5) {
				found = found || !judged(drive(t, flawed(), seed))
			}
			require.Equal(t, name != "none", found)
		})
	}
}
