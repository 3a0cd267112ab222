package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/spf13/cobra"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/vault"
)

const sealedHelp = `

A process that has the store open opens payloads with the vault that it has. Of a store that no process has open, and whose
payloads a program encrypts, --keys and --master say with what, and --blobs where it keeps what is large.`

// sealed says how payloads are opened that a program of somebody's has encrypted.
type sealed struct {
	keys, blobs string
	masters     []string
}

func (s *sealed) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.keys, "keys", "", "the directory of the data keys of the store, see vault.OpenKeys")
	cmd.Flags().StringArrayVar(&s.masters, "master", nil, "a file with the master key of the data keys, the newest first; can be given again")
	cmd.Flags().StringVar(&s.blobs, "blobs", "", "the directory of what is large; default: blobs in the store")
}

// open gives a runtime a vault, if flags say which. What is opened is closed by close.
func (s *sealed) open(c *runtime.Config) (closed func() error, err error) {
	closed = func() error { return nil }
	if s.keys == "" && s.blobs == "" {
		if len(s.masters) > 0 {
			err = errors.New("--master is of the data keys in --keys, which is missing")
		}
		return closed, err
	}
	o := vault.Options{Opens: []vault.Codec{vault.Zstd(0)}, Limit: 1 << 30}
	if s.keys != "" {
		if len(s.masters) == 0 {
			return closed, errors.New("--master is missing, want the file with the master key under which the data keys in --keys are wrapped")
		}
		if _, err := os.Stat(filepath.Join(s.keys, "data.keys")); err != nil {
			return closed, fmt.Errorf("looking for the data keys: %w; they are made by the program whose payloads are encrypted", err)
		}
		keys := &lateKeys{dir: s.keys}
		for _, path := range s.masters {
			master, err := vault.ReadMaster(path)
			if err != nil {
				return closed, err
			}
			keys.masters = append(keys.masters, master)
		}
		o.Opens, closed = append(o.Opens, vault.Encrypt(keys)), keys.close
	}
	blobs := s.blobs
	if blobs == "" && !isServer(c.Store) {
		blobs = filepath.Join(c.Store, "blobs")
	}
	if s.blobs != "" {
		if _, err := os.Stat(s.blobs); err != nil { // none is made in a wrong place
			return closed, fmt.Errorf("looking for the blobs: %w", err)
		}
	}
	if blobs != "" {
		if o.Blobs, err = vault.OpenBlobs(blobs); err != nil {
			return closed, err
		}
	}
	c.Vault, err = vault.New(o)
	return closed, err
}

// lateKeys is a key file that is opened when it is needed: not where another process is asked, which has it open.
type lateKeys struct {
	dir     string
	masters []vault.Master

	mu   sync.Mutex
	file *vault.KeyFile // nil: it was not needed yet
}

func (k *lateKeys) open() (*vault.KeyFile, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var err error
	if k.file == nil {
		k.file, err = vault.OpenKeys(k.dir, k.masters[0], k.masters[1:]...)
	}
	return k.file, err
}

func (k *lateKeys) close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.file == nil {
		return nil
	}
	return k.file.Close()
}

func (k *lateKeys) Current(ctx context.Context, id history.ID) (*vault.Key, error) {
	f, err := k.open()
	if err != nil {
		return nil, err
	}
	return f.Current(ctx, id)
}

func (k *lateKeys) Find(ctx context.Context, name string) (*vault.Key, error) {
	f, err := k.open()
	if err != nil {
		return nil, err
	}
	return f.Find(ctx, name)
}

func (k *lateKeys) Adopted(ctx context.Context, id history.ID, name string) (*vault.Key, bool, error) {
	f, err := k.open()
	if err != nil {
		return nil, true, err // whether it is one cannot be known
	}
	return f.Adopted(ctx, id, name)
}

func (k *lateKeys) Destroy(ctx context.Context, id history.ID) error {
	f, err := k.open()
	if err != nil {
		return err
	}
	return f.Destroy(ctx, id)
}

func (k *lateKeys) Adopt(ctx context.Context, id history.ID, keys ...*vault.Key) ([]string, error) {
	f, err := k.open()
	if err != nil {
		return nil, err
	}
	return f.Adopt(ctx, id, keys...)
}

func (k *lateKeys) Abandon(ctx context.Context, id history.ID, names ...string) error {
	f, err := k.open()
	if err != nil {
		return err
	}
	return f.Abandon(ctx, id, names...)
}
