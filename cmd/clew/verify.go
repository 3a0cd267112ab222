package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/clewflow/clew/audit"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/socket"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/store/pebble"
	"github.com/clewflow/clew/vault"
)

func verify(s *site) *cobra.Command {
	var file, against, signedBy string
	cmd := &cobra.Command{
		Use:   "verify [ID | --file FILE]",
		Short: "Check that histories are what was recorded",
		Long: `Check the history of one execution, all histories of the store, or an export: that each entry follows the
one before, in number and in time, that its hash fits its content and the hash before it, that its payloads
are those that were recorded, that what is kept in files is there, that the order of the whole log has each
entry once, and that a history goes as far as was known when it was last written. With --namespace only
that of the executions of one namespace.

What was taken away on purpose is recorded, see clew redact and clew delete: that is counted and is not wrong.
The first wrong entry of each history is named, and what is wrong with it: damaged, missing, unrecorded if it
was taken away and nobody recorded that, returned if it was taken away and is there again.

That the newest entries of a closed history are gone, or that all of it was written anew, cannot be seen from
the store alone: keep anchors elsewhere, see clew anchor, and give one with --against. A directory that no
process has open is read, and not a byte of it changes. The exit status is 1 if something is wrong.`,
		Example: `  clew verify
  clew verify order-17
  clew verify --against /mnt/elsewhere/clew.anchor
  clew verify --file order-17.jsonl`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case signedBy != "" && against == "" && file == "":
				return errors.New("--signed-by is about an anchor or an archive: give that with --against or --file")
			case len(args) == 0:
				return nil
			case file != "":
				return errors.New("an id and --file exclude each other")
			}
			return oneID(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			anchor, of, err := readAnchor(against, signedBy)
			if err != nil {
				return err
			}
			said := newProgress(cmd.ErrOrStderr())
			var report audit.Report
			if file != "" {
				report, err = verifyFile(file, of, said)
			} else {
				report, err = s.verify(cmd, args, anchor, said)
			}
			said.end()
			if err == nil && file != "" && signedBy != "" && against == "" {
				err = checkSigner("the archive "+file, report.SignedBy, signedBy)
			}
			if err != nil {
				return err
			}
			return found(cmd.OutOrStdout(), report, of)
		},
	}
	cmd.Flags().StringVar(&file, "file", "", "an export to check instead of a store")
	cmd.Flags().StringVar(&against, "against", "", "an anchor that the histories must hold")
	cmd.Flags().StringVar(&signedBy, "signed-by", "", "the public key of who must have signed the anchor, or without one the archive")
	return cmd
}

// readAnchor reads an anchor; without a path there is none.
func readAnchor(path, signedBy string) (text []byte, of *audit.Anchor, err error) {
	if path == "" {
		return nil, nil, nil
	}
	if text, err = os.ReadFile(path); err != nil {
		return nil, nil, fmt.Errorf("reading the anchor: %w", err)
	}
	if of, err = audit.Read(bytes.NewReader(text)); err != nil {
		return nil, nil, fmt.Errorf("reading the anchor %s: %w", path, err)
	}
	if signedBy == "" {
		return text, of, nil
	}
	return text, of, checkSigner("the anchor "+path, of.Key, signedBy)
}

// checkSigner refuses what was not signed by a public key.
func checkSigner(what string, is ed25519.PublicKey, want string) error {
	key, err := base64.RawURLEncoding.DecodeString(want)
	switch {
	case err != nil || len(key) != ed25519.PublicKeySize:
		return fmt.Errorf("--signed-by is no public key, want the %d characters that clew anchor --new-key wrote", base64.RawURLEncoding.EncodedLen(ed25519.PublicKeySize))
	case is == nil:
		return fmt.Errorf("%s is not signed", what)
	case !is.Equal(ed25519.PublicKey(key)):
		return fmt.Errorf("%s was signed by another key, %s", what, base64.RawURLEncoding.EncodeToString(is))
	}
	return nil
}

// verifyFile verifies an export.
func verifyFile(path string, against *audit.Anchor, said *progress) (audit.Report, error) {
	open := func() (io.ReadCloser, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("opening the export: %w", err)
		}
		return f, nil
	}
	return audit.VerifyExport(open, path, audit.Scope{Against: against, Progress: said.see})
}

// verify verifies one execution of the site, those of its namespace if one is named, or the whole store.
func (s *site) verify(cmd *cobra.Command, args []string, anchor []byte, said *progress) (report audit.Report, err error) {
	_, namespace, err := s.place()
	if err != nil {
		return report, err
	}
	q := socket.Verification{Namespace: fallback(s.namespace, "CLEW_NAMESPACE", ""), Anchor: anchor}
	if len(args) == 1 {
		q.Only = history.ID{Namespace: namespace, Workflow: args[0]}
	}
	err = s.audited(cmd, func(a auditor) (err error) {
		report, err = a.Verify(cmd.Context(), q, said.see)
		return err
	})
	if err == nil && len(args) == 1 && report.Entries+report.Bad+report.Deleted == 0 {
		err = fmt.Errorf("%w: %s", runtime.ErrNotFound, args[0])
	}
	return report, err
}

// An auditor reads a store to verify it.
type auditor interface {
	Verify(ctx context.Context, q socket.Verification, progress func(audit.Report)) (audit.Report, error)
	Anchor(ctx context.Context) ([]byte, error)
}

// audited calls look with an auditor of the site: its files, opened for reading only, or the process that has it open.
func (s *site) audited(cmd *cobra.Command, look func(auditor) error) (err error) {
	dir, _, err := s.place()
	if err != nil {
		return err
	}
	if isServer(dir) {
		e, err := s.open(cmd)
		if err != nil {
			return err
		}
		return errors.Join(look(served{e}), e.close())
	}
	var log *pebble.Log
	client, err := attach(cmd.Context(), dir, func() (err error) {
		log, err = pebble.Open(dir, pebble.Options{ReadOnly: true})
		return err
	})
	switch {
	case err != nil:
		return err
	case client != nil:
		e := &executions{source: client, served: true, said: newProgress(cmd.ErrOrStderr()), close: client.Close, reopen: func() (*executions, error) {
			return nil, errors.New("the process that has the store open has ended; ask again")
		}}
		return errors.Join(look(served{e}), e.close())
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	return look(&atRest{log: log, blobs: filepath.Join(dir, "blobs")})
}

// served is an auditor where the store is open.
type served struct{ *executions }

func (s served) Verify(ctx context.Context, q socket.Verification, _ func(audit.Report)) (report audit.Report, err error) {
	err = s.try(func() (err error) {
		report, err = s.source.Verify(ctx, q)
		return err
	})
	return report, err
}

func (s served) Anchor(ctx context.Context) (anchor []byte, err error) {
	err = s.try(func() (err error) {
		anchor, err = s.source.Anchor(ctx)
		return err
	})
	return anchor, err
}

// atRest is an auditor of a directory that nobody has open.
type atRest struct {
	log   *pebble.Log
	blobs string
}

func (f *atRest) Verify(ctx context.Context, q socket.Verification, progress func(audit.Report)) (audit.Report, error) {
	scope := audit.Scope{Namespace: q.Namespace, Only: q.Only, Progress: progress}
	if _, err := os.Stat(f.blobs); err == nil {
		scope.Blobs = vault.ReadBlobs(f.blobs)
	}
	if len(q.Anchor) > 0 {
		anchor, err := audit.Read(bytes.NewReader(q.Anchor))
		if err != nil {
			return audit.Report{}, err
		}
		scope.Against = anchor
	}
	return audit.Verify(ctx, f.log, scope)
}

func (f *atRest) Anchor(ctx context.Context) ([]byte, error) {
	var b bytes.Buffer
	_, err := audit.Write(ctx, &b, f.log, now())
	return b.Bytes(), err
}

// Verify and Anchor make a runtime of this process one that can be asked for them.
func (d direct) Verify(ctx context.Context, q socket.Verification) (audit.Report, error) {
	scope := audit.Scope{Namespace: q.Namespace, Only: q.Only}
	if len(q.Anchor) > 0 {
		anchor, err := audit.Read(bytes.NewReader(q.Anchor))
		if err != nil {
			return audit.Report{}, err
		}
		scope.Against = anchor
	}
	return d.rt.Verify(ctx, scope)
}

func (d direct) Anchor(ctx context.Context) ([]byte, error) {
	var b bytes.Buffer
	_, err := d.rt.Anchor(ctx, &b)
	return b.Bytes(), err
}

// see says how far a verification is.
func (p *progress) see(r audit.Report) {
	p.say("%d entries of %d executions", r.Entries, r.Executions)
}

// found says what was found.
func found(w io.Writer, r audit.Report, against *audit.Anchor) error {
	for _, f := range r.Findings {
		if _, err := fmt.Fprintln(w, plain(oneLine(f.String()))); err != nil {
			return err
		}
	}
	if more := r.Bad - len(r.Findings); more > 0 && len(r.Findings) >= 1000 {
		fmt.Fprintf(w, "and %d more\n", more)
	}
	text := fmt.Sprintf("%s of %s", count(r.Entries, "entry", "entries"), count(r.Executions, "execution", "executions"))
	if r.Own > 0 {
		text += " and " + count(r.Own, "stream of clew's own", "streams of clew's own")
	}
	text += " are good"
	for _, part := range []struct {
		n         int
		one, many string
	}{
		{r.Blobs, "file is whole", "files are whole"},
		{r.Redacted, "payload is redacted", "payloads are redacted"},
		{r.Deleted, "deletion is recorded", "deletions are recorded"},
		{r.Unfinished, "erasure is not done yet", "erasures are not done yet"},
	} {
		if part.n > 0 {
			text += ", " + count(part.n, part.one, part.many)
		}
	}
	if against != nil {
		text += fmt.Sprintf("; %d of %s of the anchor of %s are accounted for", r.Anchored, count(len(against.Heads), "head", "heads"), second(against.At))
	}
	if r.Archive {
		text += "; the archive is whole"
		if r.Keys > 0 {
			text += ", with " + count(r.Keys, "key", "keys")
		}
		if r.SignedBy != nil {
			text += ", signed by " + base64.RawURLEncoding.EncodeToString(r.SignedBy)
		}
	}
	if r.Bad > 0 {
		text += "; " + count(r.Bad, "history is", "histories are") + " bad"
	}
	if _, err := fmt.Fprintln(w, text); err != nil {
		return err
	}
	if r.Bad > 0 {
		return errReported
	}
	return nil
}
