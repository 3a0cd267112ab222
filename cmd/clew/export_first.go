package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/clewflow/clew/runtime"
)

// exportFirst is the archive to which is written what is removed, before it is.
type exportFirst struct{ file, sign, key string }

func (f *exportFirst) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.file, "export", "", "write what is removed to this file first, as an archive; there must be none yet")
	cmd.Flags().StringVar(&f.sign, "sign", "", "sign the archive with the private key in this file")
	cmd.Flags().StringVar(&f.key, "key", "", "the archive has the keys of encrypted payloads, wrapped under the master key in this file")
}

func (f *exportFirst) check(apply bool) error {
	switch {
	case f.file == "" && f.sign+f.key != "":
		return errors.New("--sign and --key are of the archive that --export names, which is missing")
	case f.file != "" && !apply:
		return errors.New("--export is done before --apply, which is missing; to export only, see clew export --query")
	}
	return nil
}

// part is how many executions are removed by one request.
const part = 1000

// retain exports what rules remove as of now, and removes that and nothing else when the archive is durable.
func (f *exportFirst) retain(cmd *cobra.Command, s *site, x *eraser, wish runtime.EraseWish) error {
	if _, err := os.Stat(f.file); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(errors.New("there is a file "+f.file+" already, which may hold what was removed before; name another with --export"), err)
	}
	wish.Dry = true
	found, err := x.erase(cmd, s, "all", wish)
	if err != nil {
		return err
	}
	var ids []string
	for _, one := range found.Expired {
		ids = append(ids, one.ID)
	}
	if len(ids) == 0 {
		return expired(cmd.OutOrStdout(), nil, true)
	}
	if err := f.export(cmd, s, x, ids); err != nil {
		return err
	}
	wish.Dry, wish.As = false, found.As
	var gone []runtime.Expired
	for len(ids) > 0 {
		wish.Only = ids[:min(len(ids), part)]
		ids = ids[len(wish.Only):]
		done, err := x.erase(cmd, s, "all", wish)
		if err != nil {
			return errors.Join(err, expired(cmd.OutOrStdout(), gone, true))
		}
		gone = append(gone, done.Expired...)
	}
	return expired(cmd.OutOrStdout(), gone, true)
}

func (f *exportFirst) export(cmd *cobra.Command, s *site, x *eraser, ids []string) (err error) {
	e, err := s.open(cmd)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	err = create(f.file, func(w io.Writer) error {
		return x.archive(cmd.Context(), w, e, runtime.ExportWish{IDs: ids}, nil, f.sign, f.key)
	})
	if err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(f.file)) // that the file has its name is to be durable too
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
