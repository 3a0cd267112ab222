package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/clewflow/clew/history"
)

func export(s *site) *cobra.Command {
	var file string
	var all bool
	cmd := &cobra.Command{
		Use:   "export ID | --all",
		Short: "Write histories exactly as they are recorded",
		Long: `Write the history of an execution as lines of JSON, exactly as its entries are recorded, with their hashes.
"clew verify --file" checks such a file anywhere; it is also what a replay test reads.

With --all every execution of the namespace is written, in the order of ids, each behind a line
{"execution":{"namespace":…,"id":…}}.

A file given with -o appears when it is complete.`,
		Example: `  clew export order-17 > order-17.jsonl
  clew export --all -o everything.jsonl`,
		Args: func(cmd *cobra.Command, args []string) error {
			if !all {
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
				if all {
					return exportAll(cmd.Context(), w, e)
				}
				return printJSON(cmd.Context(), w, e, args[0], 0)
			}
			if file == "" || file == "-" {
				return write(cmd.OutOrStdout())
			}
			return create(file, write)
		},
	}
	cmd.Flags().StringVarP(&file, "output", "o", "", "file to write; default: standard output")
	cmd.Flags().BoolVar(&all, "all", false, "all executions of the namespace")
	return cmd
}

func exportAll(ctx context.Context, w io.Writer, e *executions) error {
	for id, err := range e.ids(ctx) {
		if err != nil {
			return err
		}
		if _, err := w.Write(history.AppendHeading(nil, id)); err != nil {
			return err
		}
		err = e.each(ctx, id.Workflow, 0, func(entry history.Entry) error {
			_, err := w.Write(append(history.AppendEntry(nil, entry), '\n'))
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
	}
	return nil
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
