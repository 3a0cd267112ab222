package audit

import (
	"context"
	"slices"

	"github.com/clewflow/clew/history"
)

// acts are what was done to the record, by the execution to which it was done.
type acts map[history.ID]*actsOn

type actsOn struct {
	redacted []*redaction
	deleted  []*deletion
	imported *history.Imported // nil: it began here
}

type redaction struct {
	*history.Redacted
	done bool
}

type deletion struct {
	*history.Deleted
	done bool
}

// read adds what a stream says. What is wrong with that is met when the stream itself is verified.
func (a acts) read(ctx context.Context, source Source, id history.ID) {
	open := map[uint64]*bool{} // whether the acts are done, by their Seqs
	for r, err := range source.Read(ctx, id, 1) {
		if err != nil {
			return
		}
		a.take(r.Entry, open)
	}
}

func (a acts) take(e history.Entry, open map[uint64]*bool) {
	switch v := e.Event.(type) {
	case *history.Redacted:
		x := &redaction{Redacted: v}
		open[e.Seq] = &x.done
		on := a.on(v.ID)
		on.redacted = append(on.redacted, x)
	case *history.Deleted:
		x := &deletion{Deleted: v}
		open[e.Seq] = &x.done
		on := a.on(v.ID)
		on.deleted = append(on.deleted, x)
		on.redacted = slices.DeleteFunc(on.redacted, func(r *redaction) bool { return r.To <= v.To }) // of entries that are gone
		if on.imported != nil && on.imported.To <= v.To {
			on.imported = nil
		}
	case *history.Imported:
		if on := a.on(v.ID); v.Undone == "" {
			on.imported = v
		} else {
			on.imported = nil
		}
	case *history.Erased:
		for _, seq := range v.Acts {
			if done := open[seq]; done != nil {
				*done = true
				delete(open, seq)
			}
		}
	}
}

func (a acts) on(id history.ID) *actsOn {
	if a[id] == nil {
		a[id] = &actsOn{}
	}
	return a[id]
}

// nothing is what was done to most executions.
var nothing = &actsOn{}

func (a acts) of(id history.ID) *actsOn {
	if on := a[id]; on != nil {
		return on
	}
	return nothing
}

// cut is the deletion that ends before a Seq; nil if there is none.
func (a *actsOn) cut(first uint64) *deletion {
	for i := len(a.deleted) - 1; i >= 0; i-- {
		if d := a.deleted[i]; d.To+1 == first {
			return d
		}
	}
	return nil
}

// removed reports whether an entry is one of those that were deleted.
func (a *actsOn) removed(seq uint64, hash history.Hash) bool {
	for _, d := range a.deleted {
		if d.From <= seq && seq < d.To || seq == d.To && hash == d.Hash {
			return true
		}
	}
	return false
}

// covers reports whether a payload was taken away on purpose.
func (a *actsOn) covers(seq uint64, field string) bool {
	for _, r := range a.redacted {
		if r.Covers(seq, field) {
			return true
		}
	}
	for _, d := range a.deleted {
		if !d.done && d.From <= seq && seq <= d.To {
			return true // it is on its way out
		}
	}
	return false
}
