package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clewflow/clew/audit"
)

func anchor(s *site) *cobra.Command {
	var file, sign, newKey string
	cmd := &cobra.Command{
		Use:   "anchor [-o FILE] | --new-key FILE",
		Short: "Write where all histories end, to be kept elsewhere",
		Long: `Write the number and hash of the last entry of every history of the store, one in a line, with the sum of all
lines at the end. The hash of an entry covers all entries before it, so whoever keeps this file can find out
later, with clew verify --against, whether a history was cut off, written anew or removed since. That
histories have grown is not wrong, and neither is what was deleted on purpose.

Keep the file where nobody can change it who can change the store. With --sign it is signed by a private key,
so that it can be kept anywhere; --new-key makes such a key, and writes the public one to the output.`,
		Example: `  clew anchor -o /mnt/elsewhere/clew.anchor
  clew anchor --new-key anchor.key
  clew anchor --sign anchor.key -o clew.anchor
  clew verify --against clew.anchor --signed-by KEY`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if newKey != "" {
				return makeKey(cmd.OutOrStdout(), newKey)
			}
			var key ed25519.PrivateKey
			if sign != "" {
				var err error
				if key, err = readKey(sign); err != nil {
					return err
				}
			}
			var text []byte
			err := s.audited(cmd, func(a auditor) (err error) {
				text, err = a.Anchor(cmd.Context())
				return err
			})
			if err == nil && key != nil {
				text, err = audit.Sign(text, key)
			}
			if err != nil {
				return err
			}
			write := func(w io.Writer) error {
				_, err := w.Write(text)
				return err
			}
			if file == "" || file == "-" {
				return write(cmd.OutOrStdout())
			}
			return create(file, write)
		},
	}
	cmd.Flags().StringVarP(&file, "output", "o", "", "file to write; default: standard output")
	cmd.Flags().StringVar(&sign, "sign", "", "the file of a private key to sign with")
	cmd.Flags().StringVar(&newKey, "new-key", "", "make a private key in this file, which must not be there yet, and nothing else")
	return cmd
}

// makeKey makes the file of a private key, and writes the public one.
func makeKey(w io.Writer, path string) error {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return fmt.Errorf("making a key: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("making a key: %w", err)
	}
	_, err = fmt.Fprintln(f, base64.RawURLEncoding.EncodeToString(private.Seed()))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("making a key: %w", err)
	}
	_, err = fmt.Fprintln(w, base64.RawURLEncoding.EncodeToString(public))
	return err
}

func readKey(path string) (ed25519.PrivateKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the key: %w", err)
	}
	seed, err := base64.RawURLEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("%s holds no key, want what clew anchor --new-key made", path)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}
