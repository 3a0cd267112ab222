package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/vault"
)

func importCommand(s *site) *cobra.Command {
	x := &eraser{}
	var keys []string
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Take the executions of an archive over into this store",
		Long: `Take the closed executions of an archive, see clew export --archive, over into the namespace of this store, each
whole or not at all and exactly as it was recorded, so that its hashes still verify. The file is verified first;
if anything in it is wrong nothing is taken over. The files that an execution refers to are copied. With --key, the
master key that the archive was made for, the keys of encrypted payloads are kept with those of this store. One is
refused whose id is in use here, that is open where it came from, or of which something cannot be opened here. Who
did it, when and why is recorded. The exit status is 1 if one was refused.` + sealedHelp,
		Example: `  clew import done.clew --new --dir /var/lib/new/clew.data --reason 'moved'
  clew import done.clew --key receiver.key --keys clew.keys --master /run/secrets/clew-master`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("one file is expected, not %d", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := filepath.Abs(args[0]) // the process that has the store open may be elsewhere
			if err != nil {
				return err
			}
			wish := runtime.EraseWish{Do: "import", File: path}
			for _, key := range keys {
				master, err := vault.ReadMaster(key)
				if err != nil {
					return err
				}
				wish.Keys = append(wish.Keys, master.Text())
			}
			done, err := x.erase(cmd, s, "all", wish)
			if err != nil {
				return err
			}
			taken, were, refused, here := 0, 0, 0, ""
			for _, one := range done.Imports {
				if one.Refused != "" {
					refused++
					fmt.Fprintf(cmd.OutOrStdout(), "%s is refused: %s\n", plain(one.ID), oneLine(plain(strings.TrimPrefix(one.Refused, "clew: "))))
					continue
				}
				taken++
				if one.Here {
					were++
				}
			}
			if were > 0 {
				here = fmt.Sprintf(", of which %s here already", count(were, "was", "were"))
			}
			if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%s taken over%s\n", count(taken, "execution is", "executions are"), here); err != nil || refused == 0 {
				return err
			}
			return errReported
		},
	}
	cmd.Flags().BoolVar(&s.anew, "new", false, "begin a store in the directory if there is none")
	cmd.Flags().StringArrayVar(&keys, "key", nil, "a file with the master key that the archive was made for; can be given again")
	s.sealed.flags(cmd)
	x.flags(cmd)
	return cmd
}
