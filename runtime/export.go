package runtime

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/clewflow/clew/audit"
	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/socket"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/vault"
)

// ExportWish says what is to be in an archive.
type ExportWish struct {
	ID      string   `json:"id,omitempty"`      // one execution, or
	IDs     []string `json:"ids,omitempty"`     // several, or
	Where   string   `json:"where,omitempty"`   // those with a run that a question finds, see [query.Parse]; "*": all, or
	All     bool     `json:"all,omitempty"`     // all of the namespace, and what was done to its record
	Digests bool     `json:"digests,omitempty"` // the bytes of payloads are left out: they are shown to nobody, and all still verifies

	Key  string             `json:"key,omitempty"` // the text of the [vault.Master] under which the receiver is given the keys of encrypted payloads
	Sign ed25519.PrivateKey `json:"-"`             // nil: the archive is not signed; see [audit.Signed]
}

// Export writes an archive: the histories of executions exactly as they are stored, the files that they refer to, and the keys under which
// their payloads are encrypted, wrapped under wish.Key. It can be verified anywhere (audit.VerifyExport) and taken over by
// [Runtime.ImportFile]. Files that values name in another encoding than JSON are not found. What is written before an error is no archive.
// Options: [Operator], [Reason], [RequestID]. Errors: ErrInvalid, also where payloads are encrypted and no key is given; ErrNotFound, ErrUnavailable,
// those of package vault if a payload cannot be opened here.
func (r *Runtime) Export(ctx context.Context, w io.Writer, wish ExportWish, opts ...CallOption) error {
	return r.exportOf(ctx, w, r.config.Namespace, wish, opts...)
}

func (r *Runtime) exportOf(ctx context.Context, w io.Writer, namespace string, wish ExportWish, opts ...CallOption) error {
	x := &exporter{rt: r}
	if wish.Key != "" {
		master, err := vault.ParseMaster([]byte(wish.Key))
		if err != nil {
			return &commands.Invalid{Field: "the key of the archive", Value: "no master key", Want: "32 bytes in base64 or hex, see vault.NewMaster"}
		}
		x.master = master
	}
	if wish.Sign != nil && len(wish.Sign) != ed25519.PrivateKeySize {
		return &commands.Invalid{Field: "the key that signs the archive", Value: fmt.Sprintf("%d bytes", len(wish.Sign)), Want: "an ed25519.PrivateKey"}
	}
	ids, err := r.chosen(ctx, namespace, wish)
	if err != nil {
		return err
	}
	if x.to, err = audit.NewArchive(w, r.now(), wish.Digests); err != nil {
		return err
	}
	s := callSettingsOf(opts)
	for _, id := range ids {
		if id.Family() == "" && !wish.Digests && !s.quiet {
			if err := r.disclose(ctx, s, &history.Disclosed{ID: id, How: "export", Keys: wish.Key != ""}); err != nil {
				return err
			}
		}
		if err := x.execution(ctx, id, wish.Digests); err != nil {
			return fmt.Errorf("runtime: exporting %s: %w", id, err)
		}
	}
	return x.to.End(wish.Sign)
}

// chosen are the executions that a wish means, each once.
func (r *Runtime) chosen(ctx context.Context, namespace string, wish ExportWish) (ids []history.ID, err error) {
	id := func(workflow string) history.ID { return history.ID{Namespace: namespace, Workflow: workflow} }
	said := 0
	for _, one := range []bool{wish.ID != "", len(wish.IDs) > 0, wish.Where != "", wish.All} {
		if one {
			said++
		}
	}
	if said != 1 {
		return nil, &commands.Invalid{Field: "what is to be exported", Value: "none, or several", Want: "one of an id, ids, a query, and all"}
	}
	if wish.ID != "" {
		wish.IDs = []string{wish.ID}
	}
	for _, one := range wish.IDs {
		if err := commands.CheckID("workflow id", one); err != nil {
			return nil, err
		}
		ids = append(ids, id(one))
	}
	if len(ids) > 0 {
		return ids, nil
	}
	q := query.Query{}
	if where := strings.TrimSpace(wish.Where); where != "" && where != "*" {
		if q, err = query.Parse(where); err != nil {
			return nil, err
		}
	}
	q.Namespace, q.Order = namespace, "id"
	for row, err := range r.Find(ctx, q) {
		if err != nil {
			return nil, err
		}
		if len(ids) == 0 || ids[len(ids)-1].Workflow != row.ID {
			ids = append(ids, id(row.ID))
		}
	}
	if len(ids) == 0 && !wish.All {
		return nil, fmt.Errorf("%w: the query finds no execution", ErrNotFound)
	}
	if wish.All && !wish.Digests { // it says nothing of what is left out here
		ids = append(ids, history.AdminOf(namespace))
	}
	return ids, nil
}

// exporter writes executions into an archive.
type exporter struct {
	rt     *Runtime
	to     *audit.ArchiveWriter
	master vault.Master // the receiver's; zero: there is none
}

func (x *exporter) execution(ctx context.Context, id history.ID, digests bool) error {
	var needs belongings
	begun := false
	for record, err := range x.rt.log.Read(ctx, id, 1) {
		if err == nil && !begun {
			begun, err = true, x.begin(ctx, id, record.Entry.Seq)
		}
		if err == nil && !digests {
			err = x.needs(ctx, id, record.Entry, &needs)
		}
		if err == nil {
			err = x.to.Entry(record.Entry)
		}
		if err != nil {
			return err
		}
	}
	if !begun && id.Family() == "" {
		return ErrNotFound
	}
	for _, sum := range needs.files {
		err := x.to.File(sum, func() (io.ReadCloser, error) { return x.rt.vault.Blobs().Open(ctx, sum) })
		if err != nil {
			return err
		}
	}
	return x.keys(ctx, id, needs)
}

// begin begins an execution, and says what was deleted before its first entry.
func (x *exporter) begin(ctx context.Context, id history.ID, first uint64) error {
	if err := x.to.Begin(id); err != nil || first == 1 {
		return err
	}
	var cut *history.Deleted
	for record, err := range x.rt.log.Read(ctx, history.AdminOf(id.Namespace), 1) {
		if err != nil {
			return err
		}
		if d, is := record.Entry.Event.(*history.Deleted); is && d.ID == id && d.To+1 == first {
			cut = d
		}
	}
	if cut == nil {
		return nil
	}
	return x.to.Cut(cut.To, cut.Hash)
}

// needs takes what an entry needs, which nobody can say who cannot open it.
func (x *exporter) needs(ctx context.Context, id history.ID, e history.Entry, needs *belongings) error {
	needs.stored(e.Event)
	if len(needs.files) > 0 && x.rt.vault.Blobs() == nil {
		return fmt.Errorf("entry %d: %w: there is no place for files here", e.Seq, vault.ErrNoBlob)
	}
	event, err := x.rt.openAll(ctx, id, e)
	if err == nil {
		err = needs.values(ctx, event, x.rt.vault.Blobs())
	}
	return err
}

// keys writes the keys that the execution needs.
func (x *exporter) keys(ctx context.Context, id history.ID, needs belongings) error {
	given := map[string]bool{}
	for _, encoding := range needs.encodings {
		keys, err := x.rt.vault.Move(ctx, id, encoding, x.master)
		if errors.Is(err, vault.ErrNotMoved) {
			return &commands.Invalid{Field: "the key of the archive", Value: "none, and payloads are encrypted", Want: "a master key that the receiver has, for their keys; or digests only"}
		}
		if err != nil {
			return err
		}
		for _, k := range keys {
			if name := k.Codec + ":" + k.Name; !given[name] {
				given[name] = true
				if err := x.to.Key(k); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// ExportJSON is [Runtime.Export] for tools, of any namespace of the store; the wish is an [ExportWish] as JSON.
func (r *Runtime) ExportJSON(ctx context.Context, w io.Writer, namespace string, wish []byte, opts ...CallOption) error {
	var x ExportWish
	if err := json.Unmarshal(wish, &x); err != nil {
		return &commands.Invalid{Field: "what is to be exported", Value: err.Error(), Want: "an ExportWish as JSON"}
	}
	return r.exportOf(ctx, w, namespace, x, opts...)
}

func (s reading) Export(ctx context.Context, w io.Writer, act socket.Act) error {
	return s.r.ExportJSON(ctx, w, act.ID.Namespace, act.Operation, Reason(act.Reason), Operator(act.By), RequestID(act.Request))
}
