package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clewflow/clew/audit"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/socket"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/vault"
)

func export(s *site) *cobra.Command {
	x, wish := &eraser{}, runtime.ExportWish{}
	var file, sign, key string
	var whole bool
	cmd := &cobra.Command{
		Use:   "export ID | --all | --query QUERY",
		Short: "Write histories exactly as they are recorded",
		Long: `Write the history of an execution as lines of JSON, exactly as its entries are recorded, with their hashes.
"clew verify --file" checks such a file anywhere; it is also what a replay test reads.

With --all every execution of the namespace is written, in the order of ids, each behind a line
{"execution":{"namespace":…,"id":…}}, and after them, likewise, what was taken away on purpose.

With --archive, or --query, it is an archive: such an export with a line before and behind it that say what it
holds, so that a part which is missing is found, and with the files that payloads and values refer to; with --sign
it is signed, see clew anchor --new-key. clew import takes it over elsewhere. Where payloads are encrypted their keys
go along, wrapped under the master key in the file --key, which the receiver has too. With --digests the bytes of
payloads, files and keys are left out, and all still verifies.

A file given with -o appears when it is complete.` + sealedHelp,
		Example: `  clew export order-17 > order-17.jsonl
  clew export --all -o everything.jsonl
  clew export --query 'closed < 2026-01-01' --sign archive.key -o orders.clew
  clew export --query 'type = order' --key receiver.key --keys clew.keys --master /run/secrets/clew-master -o orders.clew`,
		Args: func(cmd *cobra.Command, args []string) error {
			if wish.All && wish.Where != "" {
				return errors.New("--all and --query exclude each other")
			}
			if _, err := query.Parse(wish.Where); err != nil && strings.TrimSpace(wish.Where) != "*" {
				return err
			}
			if !wish.All && wish.Where == "" {
				return oneID(cmd, args)
			}
			return noArgs(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			e, err := s.open(cmd)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, e.close()) }()
			write := func(w io.Writer) error {
				switch {
				case whole || wish.Where != "" || sign != "" || wish.Digests || key != "":
					return x.archive(cmd.Context(), w, e, wish, args, sign, key)
				case wish.All:
					return exportAll(cmd.Context(), w, e)
				}
				return printJSON(cmd.Context(), w, e, args[0], 0, nil)
			}
			if file == "" || file == "-" {
				return write(cmd.OutOrStdout())
			}
			return create(file, func(f io.Writer) error {
				said := newProgress(cmd.ErrOrStderr())
				defer said.end()
				return write(&written{f, 0, said})
			})
		},
	}
	cmd.Flags().StringVarP(&file, "output", "o", "", "file to write; default: standard output")
	cmd.Flags().BoolVar(&wish.All, "all", false, "all executions of the namespace")
	cmd.Flags().StringVar(&wish.Where, "query", "", "all executions with a run that a query finds, as an archive")
	cmd.Flags().BoolVar(&whole, "archive", false, "as an archive")
	cmd.Flags().BoolVar(&wish.Digests, "digests", false, "as an archive, without the bytes of payloads")
	cmd.Flags().StringVar(&sign, "sign", "", "as an archive, signed with the private key in this file")
	cmd.Flags().StringVar(&key, "key", "", "as an archive, with the keys of encrypted payloads wrapped under the master key in this file")
	s.sealed.flags(cmd)
	x.flags(cmd)
	return cmd
}

// archive has an archive written of what a wish and an id say. It is signed here, so that the process which has the store open need not have the key.
func (x *eraser) archive(ctx context.Context, w io.Writer, e *executions, wish runtime.ExportWish, args []string, sign, key string) error {
	if sign != "" {
		private, err := readKey(sign)
		if err != nil {
			return err
		}
		w = audit.Signed(w, private)
	}
	if key != "" {
		master, err := vault.ReadMaster(key)
		if err != nil {
			return err
		}
		wish.Key = master.Text()
	}
	if len(args) == 1 {
		wish.ID = args[0]
	}
	text, err := json.Marshal(wish)
	if err != nil {
		return err
	}
	act, err := x.act(e.id("all"), text)
	if err != nil {
		return err
	}
	return e.Export(ctx, w, act)
}

func exportAll(ctx context.Context, w io.Writer, e *executions) error {
	write := func(entry history.Entry) error {
		_, err := w.Write(append(history.AppendEntry(nil, entry), '\n'))
		return err
	}
	for id, err := range e.ids(ctx) {
		if err != nil {
			return err
		}
		if _, err := w.Write(history.AppendHeading(nil, id)); err != nil {
			return err
		}
		if err = e.each(ctx, id.Workflow, 0, write); err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
	}
	first := true
	for entry, err := range e.History(ctx, history.AdminOf(e.namespace)) {
		if errors.Is(err, runtime.ErrNotFound) {
			return nil // nothing was ever taken away
		}
		if err == nil && first {
			_, err = w.Write(history.AppendHeading(nil, history.AdminOf(e.namespace)))
			first = false
		}
		if err == nil {
			err = write(entry)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Export is that of [socket.Executions]. It is asked for again only as long as nothing was written.
func (e *executions) Export(ctx context.Context, w io.Writer, act socket.Act) error {
	out := &counter{to: w}
	return e.try(func() error {
		err := e.source.Export(ctx, out, act)
		if out.n > 0 && errors.Is(err, socket.ErrInterrupted) {
			err = errors.New("the process that has the store open ended before the archive was whole; export it again")
		}
		return err
	})
}

func (d direct) Export(ctx context.Context, w io.Writer, act socket.Act) error {
	return d.rt.ExportJSON(ctx, w, act.ID.Namespace, act.Operation, runtime.Reason(act.Reason), runtime.Operator(act.By), runtime.RequestID(act.Request))
}

type counter struct {
	to io.Writer
	n  int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	c.n += int64(n)
	return n, err
}

// create writes a file that appears when it is complete.
func create(path string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".clew-export-*") // with mode 0600
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err = errors.Join(write(f), f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}
