package runtime

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/vault"
)

// Inside, payloads are open: the state, the code and the activities see plain values. They are wrapped when an entry is sealed,
// and opened when one is read. The log and its views hold what is wrapped.

// large is how many bytes an entry has at which the vault of an embedded store begins to matter: smaller ones are stored as
// they are.
const large = 8 << 10

// openVault makes the vault of an embedded store that is given none: what is large is compressed, what is very large is kept in
// files beside the log.
func (r *Runtime) openVault(dir string) error {
	r.vault = r.config.Vault
	if r.vault != nil && r.vault.Limit() < r.config.Payload {
		return &commands.Invalid{
			Field: "Config.Vault", Value: fmt.Sprintf("a vault that opens at most %d bytes", r.vault.Limit()),
			Want: fmt.Sprintf("vault.Options.Limit of at least Config.Payload, which is %d: else what is recorded could not be opened", r.config.Payload),
		}
	}
	if r.vault != nil || dir == "" {
		return nil
	}
	blobs, err := vault.OpenBlobs(filepath.Join(dir, "blobs"))
	if err != nil {
		return err
	}
	limit := max(r.config.Payload, 32<<20) // what was recorded when more was allowed is still to be opened
	r.vault, err = vault.New(vault.Options{Codecs: []vault.Codec{vault.Zstd(large)}, Blobs: blobs, Limit: limit})
	r.spare = large
	return err
}

// seal makes of an entry what is to be stored, and gives both the same hash.
func (r *Runtime) seal(id history.ID, prev history.Hash, e *history.Entry) (stored history.Entry, err error) {
	stored = *e
	history.Seal(prev, &stored)
	if r.vault == nil || stored.Size() < r.spare {
		*e = stored
		return stored, nil
	}
	wrapped, err := r.vault.Wrap(context.WithoutCancel(r.ctx), id, e.Seq, e.Event)
	if err != nil {
		*e = stored
		return stored, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if wrapped != e.Event {
		stored.Event = wrapped
		history.Seal(prev, &stored)
	}
	*e = stored.With(e.Event)
	return stored, nil
}

// unwrap is an entry with its payloads open. If they cannot be opened, it is as it is stored, and the error says why. Those that
// never can be, because their key was destroyed, are then redacted: so they can be recorded again at another place.
func (r *Runtime) unwrap(ctx context.Context, id history.ID, e history.Entry) (history.Entry, error) {
	if r.vault == nil || !e.Encoded() {
		return e, nil
	}
	event, err := r.vault.Unwrap(ctx, id, e.Seq, e.Event)
	if errors.Is(err, vault.ErrShredded) {
		e = e.With(redacted(e.Event))
	}
	if err != nil {
		return e, fmt.Errorf("entry %d of %s: %w", e.Seq, id, err)
	}
	return e.With(event), nil
}

// redacted is an event without the bytes of its closed payloads.
func redacted(event history.Event) history.Event {
	event, _ = history.WithPayloads(event, func(_ string, p history.Payload) (history.Payload, error) {
		if p.Closed() {
			p.Data = nil
		}
		return p, nil // never fails
	})
	return event
}

// Shred destroys the key under which the payloads of an execution are encrypted: they can never be read again, here and in every copy
// of the log. Its history stays, and its hashes still verify. An open execution stalls. Errors: ErrInvalid if payloads are
// not encrypted here, ErrHeld.
func (r *Runtime) Shred(ctx context.Context, id string) error {
	if err := commands.CheckID("workflow id", id); err != nil {
		return err
	}
	if !r.vault.Encrypts() {
		return &commands.Invalid{Field: "Config.Vault", Value: "a vault that does not encrypt", Want: "one with vault.Encrypt, so that there is a key to destroy"}
	}
	err := r.unlessHeld(ctx, id, func() error {
		if err := r.vault.Shred(ctx, r.id(id)); err != nil {
			return fmt.Errorf("runtime: destroying the key of %s: %w", id, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.executions.drop(r.id(id))
	return nil
}

// reasonOf is why an execution stalls, as it is recorded and logged. Where payloads are encrypted it holds nothing of the
// author's: the detail, which is a payload, does.
func (r *Runtime) reasonOf(err error) (reason string, detail map[string]string) {
	detail = map[string]string{}
	var stalled *replay.Stalled
	if errors.As(err, &stalled) && stalled.Stack != "" {
		detail["stack"] = stalled.Stack
	}
	if !r.vault.Encrypts() {
		return err.Error(), detail
	}
	detail["reason"] = err.Error()
	var mismatch *replay.Mismatch
	switch {
	case errors.As(err, &mismatch):
		reason = fmt.Sprintf("code and history part at entry %d; the detail of this entry, which is encrypted, says how", mismatch.Seq)
	case stalled != nil && stalled.Stack != "":
		reason = "the code panicked; the detail of this entry, which is encrypted, says how"
	default:
		delete(detail, "reason")
		reason = cmp.Or(err.Error(), "unknown")
	}
	return reason, detail
}
