package runtime

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/clewflow/clew/audit"
	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/vault"
)

// Import is what came of one execution of an archive.
type Import struct {
	ID      string
	Entries int
	Here    bool   `json:",omitempty"` // it was here already, as it is in the archive
	Refused string `json:",omitempty"` // why it was not taken over; empty: it was, now or before
}

// ArchiveKeys are the master keys under which the keys in an archive are wrapped.
func ArchiveKeys(masters ...vault.Master) CallOption {
	return callOption(func(s *callSettings) { s.masters = append(s.masters, masters...) })
}

// ImportFile takes the executions of an archive, or of an export, over into the namespace of this runtime, each whole or not at all and exactly as
// it was recorded. The file is verified first: if anything in it is wrong, nothing is taken over. The files that an execution refers to are
// copied, and its keys are kept with those of the vault here, wrapped as they are. An execution is refused that is open, whose id
// is in use here, whose front was cut, which was deleted here on purpose, or of which something cannot be opened here, because the
// archive does not hold it, the vault does not know how, or a master key is missing. One that is here already, as it is in the archive, stays
// as it is. What is taken over is recorded first, see [Runtime.Administered]; what a crash interrupts is to be imported once more.
// Options: [ArchiveKeys], [Reason], [Operator]. Errors: ErrInvalid if the file is not what was written, ErrUnavailable.
func (r *Runtime) ImportFile(ctx context.Context, path string, opts ...CallOption) (all []Import, err error) {
	s := callSettingsOf(opts)
	i := &importer{rt: r, reason: s.reason, masters: s.masters}
	if i.by, err = actor(s); err != nil {
		return nil, err
	}
	if i.from, err = audit.OpenArchive(path); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, i.from.Close()) }()
	report, err := i.from.Verify(audit.Scope{})
	if err == nil && report.Bad > 0 {
		err = &commands.Invalid{Field: "the archive " + path, Value: report.Findings[0].String(), Want: "one as it was written; nothing was taken over"}
	}
	if err == nil {
		err = i.remember(ctx)
	}
	if err != nil {
		return nil, err
	}
	for x, err := range i.from.Executions() {
		if err != nil {
			return all, err
		}
		if x.ID.Family() != "" {
			continue // what was done there to the record is no execution
		}
		one := Import{ID: x.ID.Workflow, Entries: len(x.Entries)}
		var refused *commands.Invalid
		switch err := i.one(ctx, x, &one); {
		case errors.As(err, &refused):
			one.Refused = "it is " + refused.Value + ": want " + refused.Want
		case errors.Is(err, ErrAlreadyExists), errors.Is(err, ErrStillRunning), errors.Is(err, ErrTooLarge):
			one.Refused = err.Error()
		case err != nil:
			return all, err
		}
		all = append(all, one)
	}
	return all, nil
}

// importer takes executions over.
type importer struct {
	rt      *Runtime
	from    *audit.Archive
	by      history.Actor
	reason  string
	masters []vault.Master
	gone    map[history.Hash]history.Actor // the ends of what was deleted here, and by whom
	taken   map[history.Hash]taking        // the ends of what was taken over here
}

// taking is what is recorded of a takeover.
type taking struct {
	recorded bool // and not undone
	undone   int  // times
}

// remember reads what was done to the record here.
func (i *importer) remember(ctx context.Context) error {
	i.gone, i.taken = map[history.Hash]history.Actor{}, map[history.Hash]taking{}
	for e, err := range i.rt.Administered(ctx) {
		if err != nil {
			return fmt.Errorf("runtime: reading what was taken away: %w", err)
		}
		switch v := e.Event.(type) {
		case *history.Deleted:
			i.gone[v.Hash] = cmp.Or(e.By, history.Client)
		case *history.Imported:
			t := i.taken[v.Hash]
			if t.recorded = v.Undone == ""; !t.recorded {
				t.undone++
			}
			i.taken[v.Hash] = t
		}
	}
	return nil
}

// refuse is an error for an execution that cannot be taken over.
func refuse(value, want string) error {
	return &commands.Invalid{Field: "an execution of an archive", Value: value, Want: want}
}

// importable says why an execution cannot be taken over, if so, whatever is here.
func importable(x history.Exported) error {
	if err := commands.CheckID("workflow id", x.ID.Workflow); err != nil {
		return err
	}
	if len(x.Entries) == 0 || x.Entries[0].Seq != 1 {
		return refuse("without its beginning", "one whose older runs were not cut off")
	}
	if history.Fold(x.Entries...).Open() {
		return fmt.Errorf("%w: %s goes on where it was exported; end it there and export it again, or begin it anew here with its input", ErrStillRunning, x.ID.Workflow)
	}
	for _, e := range x.Entries {
		if e.Event == nil {
			return refuse(fmt.Sprintf("with entry %d that this release cannot read", e.Seq), "one of this release or an earlier one")
		}
	}
	return nil
}

func (i *importer) one(ctx context.Context, x history.Exported, one *Import) error {
	if err := importable(x); err != nil {
		return err
	}
	r, last := i.rt, x.Entries[len(x.Entries)-1]
	id := r.id(x.ID.Workflow)
	if by, is := i.gone[last.Hash]; is {
		return fmt.Errorf("%w: %s was deleted here on purpose, by %s", ErrAlreadyExists, id.Workflow, by)
	}
	_, err := r.between(ctx, id, func(m *memory) (Erasure, error) {
		all, err := r.entries(ctx, id)
		switch {
		case err != nil:
			return Erasure{}, err
		case len(all) == len(x.Entries) && all[len(all)-1].Hash == last.Hash:
			one.Here = true
			return Erasure{}, nil
		case len(all) > 0 || m.state.Status != 0:
			return Erasure{}, fmt.Errorf("%w: the id %s is in use here", ErrAlreadyExists, id.Workflow)
		}
		m.erased = true // what is known of it is read again
		return Erasure{}, i.take(ctx, id, x)
	})
	return err
}

// take takes an execution over whose id is free: first what its entries need, then what is recorded of it, then the entries.
func (i *importer) take(ctx context.Context, id history.ID, x history.Exported) error {
	if err := i.fits(id, x); err != nil {
		return err
	}
	back, err := i.belongings(ctx, id, x)
	if err != nil {
		return err
	}
	last := x.Entries[len(x.Entries)-1]
	act := &history.Imported{ID: id, From: x.ID, To: last.Seq, Hash: last.Hash, Redacted: redactedOf(x.Entries), Reason: i.reason}
	t := i.taken[last.Hash]
	request := fmt.Sprintf("import:%s:%d", last.Hash, t.undone)
	if !t.recorded { // else a crash came between
		if _, err := i.rt.admin.record(ctx, i.rt, i.by, request, act); err != nil {
			return errors.Join(err, back(ctx))
		}
	}
	for err = i.rt.log.Append(ctx, id, x.Entries...); errors.Is(err, store.ErrUnknownOutcome) && sleep(ctx, 10*time.Millisecond); {
		err = i.rt.log.Append(ctx, id, x.Entries...)
	}
	switch {
	case err == nil, errors.Is(err, store.ErrUnknownOutcome), errors.Is(err, store.ErrUnavailable): // it may be there, or come to be: import it once more
		return err
	case errors.Is(err, store.ErrConflict):
		err = fmt.Errorf("%w: the id %s is in use here", ErrAlreadyExists, id.Workflow)
	case errors.Is(err, store.ErrTooLarge):
		err = fmt.Errorf("%w: the store cannot take %s over at once: %w", ErrTooLarge, id.Workflow, err)
	}
	undone := *act
	undone.Undone = err.Error()
	_, unrecorded := i.rt.admin.record(ctx, i.rt, i.by, "undo:"+request, &undone)
	if failed := errors.Join(unrecorded, back(ctx)); failed != nil {
		return failed
	}
	return err
}

// fits says that the store takes less at once, if so.
func (i *importer) fits(id history.ID, x history.Exported) error {
	l, limited := i.rt.log.(store.Limited)
	if !limited {
		return nil
	}
	bytes, most := l.Limits()
	bytes -= bytes / 4 // what it writes beside is counted too
	size := 0
	for _, e := range x.Entries {
		size += e.Size()
	}
	if size > bytes || len(x.Entries) > most {
		return fmt.Errorf("%w: the store takes %d entries of %d bytes at once, and %s has %d of %d", ErrTooLarge, most, bytes, id.Workflow, len(x.Entries), size)
	}
	return nil
}

func redactedOf(all []history.Entry) (n int) {
	for _, e := range all {
		for _, p := range history.Payloads(e.Event) {
			if p.Redacted() {
				n++
			}
		}
	}
	return n
}

// belongings takes in the keys of an execution and copies the files that it refers to. Back takes the keys back; a file that nobody refers to is
// there for who imports again.
func (i *importer) belongings(ctx context.Context, id history.ID, x history.Exported) (back func(context.Context) error, err error) {
	back, err = i.rt.vault.Adopt(ctx, id, i.from.Keys(x.ID), i.masters...)
	if err == nil {
		if err = i.files(ctx, id, x); err != nil {
			err = errors.Join(err, back(ctx))
		}
	}
	if errors.Is(err, vault.ErrNoKey) {
		return nil, refuse("one that cannot be opened here: "+err.Error(), "the master key for which the archive was made (--key, runtime.ArchiveKeys)")
	}
	for _, known := range []error{vault.ErrNoCodec, vault.ErrNoBlob, vault.ErrShredded, vault.ErrNotMoved, vault.ErrTooLarge, vault.ErrDamaged} {
		if errors.Is(err, known) {
			return nil, refuse("one that cannot be opened here: "+err.Error(), "an archive that holds its files and keys, and a vault that knows how; or digests only")
		}
	}
	return back, err
}

func (i *importer) files(ctx context.Context, id history.ID, x history.Exported) error {
	var needs belongings
	for _, e := range x.Entries {
		needs.stored(e.Event)
	}
	for _, sum := range needs.files {
		if err := i.copy(ctx, sum); err != nil {
			return err
		}
	}
	stored := len(needs.files)
	for _, e := range x.Entries {
		event, err := i.rt.openAll(ctx, id, e)
		if err == nil {
			err = needs.values(ctx, event, i.from)
		}
		if err != nil {
			return err
		}
	}
	for _, sum := range needs.files[stored:] {
		if err := i.copy(ctx, sum); err != nil {
			return err
		}
	}
	return nil
}

// copy stores a file of the archive here. One that the archive does not hold may be here.
func (i *importer) copy(ctx context.Context, sum history.Sum) error {
	to := i.rt.vault.Blobs()
	if to == nil {
		return fmt.Errorf("%w: there is no place for files here; give Config.Vault one", vault.ErrNoBlob)
	}
	from := vault.Blobs(i.from)
	if !i.from.Holds(sum) {
		from = to
	}
	f, err := from.Open(ctx, sum)
	if err != nil {
		return err
	}
	if from == to {
		_, err = io.Copy(io.Discard, f)
		return errors.Join(err, f.Close())
	}
	stored, err := to.Put(ctx, f)
	if err = errors.Join(err, f.Close()); err == nil && stored != sum {
		err = fmt.Errorf("%w: the file %s", vault.ErrDamaged, sum)
	}
	return err
}
