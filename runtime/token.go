package runtime

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/dispatch"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// A token names one hand-out of one attempt, and carries a keyed hash so that nobody can make one up.
type token struct {
	Namespace string         `json:"n"`
	Execution string         `json:"x"`
	Run       string         `json:"r"`
	Step      history.Step   `json:"s"`
	Serial    history.Serial `json:"h"`
	Activity  string         `json:"a"`
}

func (t token) id() history.ID { return history.ID{Namespace: t.Namespace, Workflow: t.Execution} }

func (t token) attempt() commands.Attempt {
	return commands.Attempt{Run: t.Run, Step: t.Step, Serial: t.Serial}
}

// request makes the same call recognisable when it is repeated.
func (t token) request(what string, p history.Payload) string {
	return fmt.Sprintf("%s:%d:%d:%s", what, t.Step, t.Serial, p.Sum)
}

func (r *Runtime) token(h *dispatch.Hand) string {
	body, _ := json.Marshal(token{h.ID.Namespace, h.ID.Workflow, h.Run, h.Step, h.Serial, h.Activity}) // always encodes
	return base64.RawURLEncoding.EncodeToString(append(r.sign(body), body...))
}

func (r *Runtime) sign(body []byte) []byte {
	mac := hmac.New(sha256.New, r.key)
	mac.Write(body)
	return mac.Sum(nil)
}

func (r *Runtime) parseToken(text string) (t token, err error) {
	forged := &commands.Invalid{Field: "token", Value: "not one of this store's", Want: "what activity.Token returned"}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) < sha256.Size || !hmac.Equal(raw[:sha256.Size], r.sign(raw[sha256.Size:])) {
		return t, forged
	}
	if json.Unmarshal(raw[sha256.Size:], &t) != nil || t.Namespace != r.config.Namespace {
		return t, forged
	}
	return t, nil
}

// openKey comes by the key of tokens, which all who share a store must have in common.
func (r *Runtime) openKey(ctx context.Context, dir string) (err error) {
	switch r.key = r.config.Key; {
	case r.key != nil:
	case r.node != nil:
		r.key, err = r.sharedKey(ctx)
	case dir != "":
		r.key, err = keyIn(filepath.Join(dir, "token.key"))
	default:
		r.key = newKey()
	}
	return err
}

// sharedKey is the key that the first node has recorded, which this one may be. Who can read the log knows it.
func (r *Runtime) sharedKey(ctx context.Context) ([]byte, error) {
	id := history.ID{Namespace: "key@" + r.config.Namespace, Workflow: "token"}
	for {
		for record, err := range r.log.Read(ctx, id, 1) {
			if err != nil {
				return nil, fmt.Errorf("runtime: reading the token key: %w", err)
			}
			if e, ok := record.Entry.Event.(*history.KeyMade); ok {
				return base64.RawURLEncoding.DecodeString(e.Key)
			}
		}
		e := history.Entry{Seq: 1, At: r.now(), By: history.Clock, Event: &history.KeyMade{Key: base64.RawURLEncoding.EncodeToString(newKey())}}
		history.Seal(history.Hash{}, &e)
		if err := r.log.Append(ctx, id, e); err != nil && !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrUnknownOutcome) {
			return nil, fmt.Errorf("runtime: recording a token key: %w", err)
		}
	}
}

func newKey() []byte {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails
	return key
}

// keyIn reads the key from a file, which it makes if there is none.
func keyIn(path string) ([]byte, error) {
	key, err := os.ReadFile(path)
	switch {
	case err == nil && len(key) == sha256.Size:
		return key, nil
	case err == nil:
		return nil, fmt.Errorf("runtime: %s holds %d bytes, want the %d of a token key; tokens made with another key are refused", path, len(key), sha256.Size)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("runtime: reading the token key: %w", err)
	}
	key = newKey()
	if err := writeDurably(path, key); err != nil {
		return nil, fmt.Errorf("runtime: writing the token key: %w", err)
	}
	return key, nil
}

func writeDurably(path string, data []byte) error {
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
