package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/vault"
)

// Scope says what is verified.
type Scope struct {
	Namespace string      // only its executions and the streams of clew's own that are about it; empty: all
	Only      history.ID  // only this execution; zero: all
	Against   *Anchor     // what must be there; nil: nothing is known of that
	Blobs     vault.Blobs // what is kept beside the log is there; nil: that is not looked at

	Progress func(Report) // is told now and then how far things are; nil: nobody is
}

func (s Scope) includes(id history.ID) bool {
	if s.Only != (history.ID{}) {
		return id == s.Only
	}
	_, of, own := strings.Cut(id.Namespace, "@")
	if !own {
		of = id.Namespace
	}
	return s.Namespace == "" || of == s.Namespace
}

// Verify reads what a scope includes and holds it against its hashes, against what is said to have been taken away, and against an anchor
// if there is one. What is wrong is in the report; the error says that something could not be read, so that nobody knows.
func Verify(ctx context.Context, source Source, scope Scope) (Report, error) {
	a := &auditor{source: source, scope: scope, acts: acts{}, bad: map[history.ID]bool{}, read: map[history.ID]uint64{}}
	err := a.verify(ctx)
	return a.report, err
}

type auditor struct {
	source   Source
	scope    Scope
	acts     acts
	report   Report
	bad      map[history.ID]bool
	read     map[history.ID]uint64 // how many entries of each stream are there
	exported bool                  // it is an export that does not say what was taken away
	archive  archived              // what was read, if it is an archive
	reading  *exported             // nil: it is no export
}

func (a *auditor) verify(ctx context.Context) error {
	if only := a.scope.Only; only != (history.ID{}) {
		return a.only(ctx, only)
	}
	var all []store.Stream
	for s, err := range streams(ctx, a.source) {
		if err != nil && !isAbout(err) {
			return err
		}
		if err != nil {
			a.finding(history.ID{Workflow: "the list of all histories"}, 0, Damaged, "it cannot be read further: %v", err)
			break
		}
		if _, about := s.ID.Administers(); about {
			a.acts.read(ctx, a.source, s.ID)
		}
		if a.scope.includes(s.ID) {
			all = append(all, s)
		}
	}
	for _, s := range all {
		if err := a.stream(ctx, s); err != nil {
			return err
		}
	}
	a.vanished()
	if err := a.order(ctx); err != nil {
		return err
	}
	return a.tails(ctx)
}

// only verifies one history.
func (a *auditor) only(ctx context.Context, id history.ID) error {
	a.acts.read(ctx, a.source, history.AdminOf(id.Namespace))
	if err := a.history(ctx, id, a.source.Read(ctx, id, 1)); err != nil {
		return err
	}
	t, ok := a.source.(store.Tailed)
	if !ok || a.bad[id] {
		return nil
	}
	tail, ok, err := t.Tail(ctx, id)
	if err == nil && ok {
		err = a.tail(ctx, tail)
	}
	if err != nil && isAbout(err) {
		a.finding(id, 0, Damaged, "%v", err)
		err = nil
	}
	return err
}

// isAbout reports whether an error says something of what is recorded, and not of the way to it.
func isAbout(err error) bool {
	return errors.Is(err, store.ErrCorrupt) || errors.Is(err, history.ErrUnreadable) || errors.Is(err, history.ErrUnknownKind)
}

func (a *auditor) finding(id history.ID, seq uint64, kind Kind, format string, args ...any) {
	if !a.bad[id] {
		a.report.Bad++
	}
	a.bad[id] = true
	a.report.add(Finding{ID: id, Seq: seq, Kind: kind, Text: fmt.Sprintf(format, args...)})
}

// stream verifies one history of the source.
func (a *auditor) stream(ctx context.Context, s store.Stream) error {
	if err := a.history(ctx, s.ID, a.source.Read(ctx, s.ID, 1)); err != nil {
		return err
	}
	if a.scope.Progress != nil {
		a.scope.Progress(a.report)
	}
	return nil
}

// history verifies one history.
func (a *auditor) history(ctx context.Context, id history.ID, records iter.Seq2[store.Record, error]) error {
	h := &thread{auditor: a, id: id, acts: a.acts.of(id)}
	h.anchored, h.isAnchored = a.scope.Against.head(id)
	for r, err := range records {
		if err != nil && !isAbout(err) {
			return err
		}
		if !h.entry(ctx, r.Entry, err) {
			break
		}
	}
	a.read[id] = h.count
	h.end()
	if !h.wrong && h.count > 0 {
		if id.Family() == "" {
			a.report.Executions++
		} else {
			a.report.Own++
		}
		a.report.Entries += int(h.count)
	}
	return nil
}

// thread is one history while it is verified.
type thread struct {
	*auditor
	id         history.ID
	acts       *actsOn
	chain      history.Chain
	count      uint64
	closed     bool // the last entry ends a run
	wrong      bool
	anchored   Head
	isAnchored bool
	returned   bool // something is there again that was deleted: said once
	without    int  // payloads whose bytes nobody here has taken away
}

func (h *thread) finding(seq uint64, kind Kind, format string, args ...any) {
	h.wrong = true
	h.auditor.finding(h.id, seq, kind, format, args...)
}

// entry verifies the next entry, and reports whether it makes sense to go on.
func (h *thread) entry(ctx context.Context, e history.Entry, err error) bool {
	next := h.chain.Seq + 1
	if errors.Is(err, history.ErrUnknownKind) && e.Size() > 0 {
		err = nil // its hash can be checked all the same
	}
	if err != nil {
		h.finding(next, Damaged, "what follows entry %d cannot be read: %v", h.chain.Seq, err)
		return false
	}
	if h.count == 0 && e.Seq > 1 && !h.begin(e.Seq) {
		return false
	}
	if err := h.chain.Check(e); err != nil {
		kind := Damaged
		if e.Seq > next && h.count > 0 {
			kind = Missing
		}
		h.finding(next, kind, "%v", err)
		return false
	}
	h.count++
	return h.content(ctx, e)
}

// passing reports whether a stream is one of which a log need not keep what is old: the announcements of nodes, and how they share limits.
func passing(id history.ID) bool { return id.Family() == "node" || id.Family() == "quota" }

// begin begins with a later entry than the first, if those before were deleted.
func (h *thread) begin(first uint64) bool {
	if passing(h.id) {
		return true
	}
	if h.reading != nil && h.reading.archive.cut != nil && h.reading.archive.cut.Seq+1 == first {
		h.chain = *h.reading.archive.cut
		return true
	}
	cut := h.acts.cut(first)
	if cut == nil {
		h.finding(1, Missing, "%v at entry 1: it and all before entry %d are missing, and nobody recorded that they were deleted", history.ErrBroken, first)
		return false
	}
	h.chain = history.Chain{Seq: cut.To, Hash: cut.Hash}
	return true
}

// content verifies what the hash of an entry does not say.
func (h *thread) content(ctx context.Context, e history.Entry) bool {
	if s, ok := e.Event.(*history.Started); ok && !h.own(s.ID) {
		h.finding(e.Seq, Damaged, "entry %d was recorded for %s", e.Seq, s.ID)
		return false
	} else if h.closed && !ok {
		h.finding(e.Seq, Damaged, "entry %d follows the end of a run and begins none", e.Seq)
		return false
	}
	h.closed = closes(e.Event)
	if h.isAnchored && h.anchored.Seq == e.Seq {
		h.report.Anchored++
		if h.anchored.Hash != e.Hash && !h.acts.removed(e.Seq, h.anchored.Hash) {
			h.finding(e.Seq, Damaged, "entry %d is not the one in the anchor: the history was written anew", e.Seq)
			return false
		}
	}
	for _, d := range h.acts.deleted {
		if d.done && d.To == e.Seq && d.Hash == e.Hash {
			h.finding(e.Seq, Returned, "entry %d was deleted, and is there again", e.Seq)
		}
	}
	if e.Event != nil {
		for field, p := range history.Payloads(e.Event) {
			h.payload(ctx, e.Seq, field, p)
		}
	}
	return true
}

// own reports whether a run of that id may stand in the history: one that was taken over has the id that it had elsewhere.
func (h *thread) own(id history.ID) bool {
	switch {
	case id == h.id, id == (history.ID{}), h.id.Namespace == "":
		return true
	case h.archive.whole: // it does not say what was taken over where it was exported
		return id.Workflow == h.id.Workflow
	}
	return h.acts.imported != nil && id == h.acts.imported.From
}

// bare reports whether a payload came without its bytes when the history was taken over.
func (h *thread) bare(seq uint64) bool {
	i := h.acts.imported
	if i == nil || seq > i.To {
		return false
	}
	h.without++
	return h.without <= i.Redacted
}

func (h *thread) payload(ctx context.Context, seq uint64, field string, p history.Payload) {
	covered := h.acts.covers(seq, field)
	switch {
	case p.Redacted():
		h.report.Redacted++
		if !covered && !h.bare(seq) && !h.exported && !vault.Keyed(p) {
			h.finding(seq, Unrecorded, "the payload %q of entry %d was taken away, and nobody recorded that", field, seq)
		}
		return
	case covered:
		for _, r := range h.acts.redacted {
			if r.done && r.Covers(seq, field) && !h.returned {
				h.returned = true
				h.finding(seq, Returned, "the payload %q of entry %d was taken away, and is there again", field, seq)
			}
		}
	}
	sum, far := p.Blob()
	if far && h.archive.whole && !h.archive.files[sum] {
		h.finding(seq, Missing, "the file of the payload %q of entry %d is not in the archive", field, seq)
	}
	if !far || h.scope.Blobs == nil {
		return
	}
	switch err := whole(ctx, h.scope.Blobs, sum); {
	case err == nil:
		h.report.Blobs++
	case errors.Is(err, vault.ErrNoBlob):
		h.finding(seq, Missing, "the file of the payload %q of entry %d is not there: %v", field, seq, err)
	default:
		h.finding(seq, Damaged, "the file of the payload %q of entry %d: %v", field, seq, err)
	}
}

func whole(ctx context.Context, blobs vault.Blobs, sum history.Sum) error {
	r, err := blobs.Open(ctx, sum)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, r)
	return errors.Join(err, r.Close())
}

// end verifies that the history goes as far as is known from elsewhere, and counts what is not done yet.
func (h *thread) end() {
	for _, d := range h.acts.deleted {
		h.report.Deleted++
		if !d.done {
			h.report.Unfinished++
		}
	}
	for _, r := range h.acts.redacted {
		if !r.done {
			h.report.Unfinished++
		}
	}
	if h.wrong || !h.isAnchored || h.anchored.Seq <= h.chain.Seq && h.count > 0 && h.anchored.Seq > h.chain.Seq-h.count {
		return
	}
	if h.acts.removed(h.anchored.Seq, h.anchored.Hash) {
		h.report.Anchored++
		return
	}
	if h.count == 0 {
		h.finding(0, Missing, "the anchor says that it had %d entries; now there is nothing, and nobody recorded that it was deleted", h.anchored.Seq)
		return
	}
	h.finding(h.chain.Seq+1, Missing, "it ends at entry %d, and had %d according to the anchor", h.chain.Seq, h.anchored.Seq)
}

// closes reports whether an event ends a run.
func closes(e history.Event) bool {
	switch e.(type) {
	case *history.Completed, *history.Failed, *history.Cancelled, *history.Terminated, *history.TimedOut, *history.Continued:
		return true
	}
	return false
}

// vanished finds the histories of the anchor that nobody has read, and counts what was deleted whole.
func (a *auditor) vanished() {
	rest := map[history.ID]bool{}
	for id := range a.acts {
		rest[id] = true
	}
	if a.scope.Against != nil {
		for id := range a.scope.Against.Heads {
			rest[id] = true
		}
	}
	var ids []history.ID
	for id := range rest {
		if _, read := a.read[id]; !read && a.scope.includes(id) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, compare)
	for _, id := range ids {
		h := &thread{auditor: a, id: id, acts: a.acts.of(id)}
		h.anchored, h.isAnchored = a.scope.Against.head(id)
		h.end()
	}
}

func compare(a, b history.ID) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Workflow, b.Workflow))
}

// order verifies that the order of the whole log holds each entry once. Only a source that was read whole can be asked.
func (a *auditor) order(ctx context.Context) error {
	f, ok := a.source.(follower)
	if _, lists := a.source.(store.Lister); !ok || !lists || a.scope.Namespace != "" {
		return nil
	}
	whole := history.ID{Workflow: "the order of the whole log"}
	ordered := map[history.ID]uint64{}
	err := follow(ctx, f, func(r store.Record) { ordered[r.ID]++ })
	if err != nil && (!isAbout(err) || ctx.Err() != nil) {
		return err
	}
	if err != nil {
		if len(a.bad) == 0 { // else it was said where
			a.finding(whole, 0, Damaged, "it cannot be read further: %v", err)
		}
		return nil
	}
	var ids []history.ID
	for id, n := range a.read {
		if n > ordered[id] && !a.bad[id] {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, compare)
	for _, id := range ids {
		a.finding(id, 0, Damaged, "%d of its %d entries are not in the order of the whole log", a.read[id]-ordered[id], a.read[id])
	}
	return nil
}

// tails verifies that each history goes as far as the row says that was written with its last entry.
func (a *auditor) tails(ctx context.Context) error {
	t, ok := a.source.(store.Tails)
	if !ok {
		return nil
	}
	for tail, err := range t.AllTails(ctx) {
		switch {
		case err != nil && !isAbout(err):
			return err
		case err != nil:
			a.finding(history.ID{Workflow: "the rows of open executions"}, 0, Damaged, "%v", err)
			return nil
		case !a.scope.includes(tail.ID) || a.bad[tail.ID]:
			continue
		}
		if err := a.tail(ctx, tail); err != nil {
			return err
		}
	}
	return nil
}

func (a *auditor) tail(ctx context.Context, tail store.Tail) error {
	for r, err := range a.source.Read(ctx, tail.ID, tail.Seq) {
		switch {
		case err != nil && !isAbout(err):
			return err
		case err != nil:
			a.finding(tail.ID, tail.Seq, Damaged, "what follows entry %d cannot be read: %v", tail.Seq-1, err)
		case r.Entry.Hash != tail.Hash:
			a.finding(tail.ID, tail.Seq, Damaged, "entry %d is not the one that the row of the open execution names", tail.Seq)
		}
		return nil
	}
	a.finding(tail.ID, a.read[tail.ID]+1, Missing, "it ends before entry %d, to which it went when that was recorded", tail.Seq)
	return nil
}
