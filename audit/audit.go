// Package audit holds what is recorded against what was recorded.
//
// [Verify] reads whole histories: that each entry follows the one before, that nothing in one was changed, that what is kept in
// files beside the log is there, and that what is missing was taken away on purpose, which the streams of package history's
// family "admin" say. A [Finding] names the first wrong entry of a history.
//
// The hashes of a history tie each entry to those before it, so a history alone cannot show that its newest entries are gone, or
// that all of it was written anew. An [Anchor] can: it is a copy of the hashes of all heads, kept where whoever could change the log
// cannot change it. Since then histories may have grown, and nothing else.
package audit

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"iter"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// Kind says what is wrong.
type Kind string

// What can be wrong.
const (
	Damaged    Kind = "damaged"    // it is not what was recorded: changed, moved or inserted
	Missing    Kind = "missing"    // it was recorded, and is not there
	Unrecorded Kind = "unrecorded" // it was taken away, and nobody recorded that
	Returned   Kind = "returned"   // it was taken away on purpose, and is there again
)

// Finding is something that is wrong.
type Finding struct {
	ID   history.ID
	Seq  uint64 // of the first wrong entry; 0: the whole of it
	Kind Kind
	Text string // a sentence without its end
}

func (f Finding) String() string {
	name := f.ID.String()
	if f.ID.Namespace == "" {
		name = f.ID.Workflow // of what is no execution
	}
	return fmt.Sprintf("%s: %s: %s", f.Kind, name, f.Text)
}

// Report is what [Verify] found.
type Report struct {
	Executions int // whose histories were read
	Own        int // streams of clew's own, likewise
	Entries    int // that are good
	Redacted   int // payloads that were taken away on purpose
	Deleted    int // acts of deletion
	Unfinished int // acts that are recorded and not done yet
	Blobs      int // files that are there and whole
	Keys       int // that an archive has with it
	Anchored   int // heads of an anchor that were found
	Bad        int // streams with something wrong

	Archive  bool              // it is an archive, and is whole
	SignedBy ed25519.PublicKey // the key that has signed it; nil: none has, or it is no archive

	Findings []Finding
}

// maxFindings bounds what is told; what is wrong beyond is counted.
const maxFindings = 1000

func (r *Report) add(f Finding) {
	if len(r.Findings) < maxFindings {
		r.Findings = append(r.Findings, f)
	}
}

// Source is what is verified. A [store.Log] is one.
type Source interface {
	Read(ctx context.Context, id history.ID, from uint64) iter.Seq2[store.Record, error]
}

// follower is a source that says in which order all was recorded.
type follower interface {
	Head(ctx context.Context) (store.Position, error)
	Follow(ctx context.Context, after store.Position) iter.Seq2[store.Record, error]
}

// streams yields all streams of a source. One that does not list them is followed from its beginning.
func streams(ctx context.Context, source Source) iter.Seq2[store.Stream, error] {
	if l, ok := source.(store.Lister); ok {
		return l.Streams(ctx)
	}
	return func(yield func(store.Stream, error) bool) {
		f, ok := source.(follower)
		if !ok {
			yield(store.Stream{}, fmt.Errorf("audit: %T cannot say which histories it holds", source))
			return
		}
		var all []store.Stream
		place := map[history.ID]int{}
		err := follow(ctx, f, func(r store.Record) {
			i, ok := place[r.ID]
			if !ok {
				i, place[r.ID] = len(all), len(all)
				all = append(all, store.Stream{ID: r.ID})
			}
			all[i].Last = r.Entry.Seq
		})
		if err != nil {
			yield(store.Stream{}, err)
			return
		}
		for _, s := range all {
			if !yield(s, nil) {
				return
			}
		}
	}
}

// follow shows every record up to the head.
func follow(ctx context.Context, f follower, see func(store.Record)) error {
	head, err := f.Head(ctx)
	if err != nil || head.IsZero() {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	for r, err := range f.Follow(ctx, store.Position{}) {
		if err != nil {
			return err
		}
		if r.Position.After(head) {
			return nil
		}
		see(r)
		if r.Position == head {
			return nil
		}
	}
	return ctx.Err()
}
