package vault

import (
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"strings"

	"github.com/clewflow/clew/history"
)

// Moved is a data key on its way to another store, wrapped under a master key that the receiver has.
type Moved struct {
	Codec   string     // that encrypts under it
	Name    string     // of the key, as it stands in encodings
	Home    history.ID // of the execution for which it was made
	Master  string     // names the master key; empty: the key was destroyed, and that is all that is known of it
	Wrapped []byte
}

// ErrNotMoved says that a key cannot be given away, or taken in.
var ErrNotMoved = errors.New("vault: the key cannot be moved")

// mover is a [Codec] whose keys can be moved.
type mover interface {
	move(ctx context.Context, id history.ID, note string, under Master) (Moved, error)
	adopt(ctx context.Context, id history.ID, all []Moved, masters []Master) (undo, error)
}

// adopter is [Keys] that takes in keys which others have made.
type adopter interface {
	Adopted(ctx context.Context, id history.ID, name string) (key *Key, is bool, err error)
	Adopt(ctx context.Context, id history.ID, keys ...*Key) (names []string, err error)
	Abandon(ctx context.Context, id history.ID, names ...string) error
}

type undo func(context.Context) error

// Move wraps the keys of an encoding, or of a reference of [Files], that an execution has recorded, under a master key of the receiver's. A codec
// of a program's own keeps its keys to itself. Errors: [ErrNoKey]; [ErrNoCodec] if nobody here knows the codec; ErrNotMoved if there are
// keys to be moved and the master key is the zero one.
func (v *Vault) Move(ctx context.Context, id history.ID, encoding string, under Master) (all []Moved, err error) {
	for _, part := range strings.Split(encoding, "+")[1:] {
		name, note, keyed := strings.Cut(part, ":")
		if !keyed {
			continue
		}
		var c Codec
		if v != nil {
			c = v.known[name]
		}
		m, ok := c.(mover)
		switch {
		case c == nil:
			return nil, fmt.Errorf("%w: %s is not among Options.Codecs and Options.Opens", ErrNoCodec, name)
		case !ok:
			continue
		case under == Master{}:
			return nil, fmt.Errorf("%w: it is to be wrapped under a master key that the receiver has, and none is given", ErrNotMoved)
		}
		one, err := m.move(ctx, id, note, under)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, one)
	}
	return all, nil
}

// Adopt takes in the keys with which an execution comes, which are wrapped under one of the masters. They are kept with those of the vault, wrapped
// as those are, and open what comes with them; [Vault.Shred] destroys them too. Undo forgets those that were not here before.
// Errors: [ErrNoKey] if a master is missing, [ErrDamaged], [ErrNoCodec], ErrNotMoved, and [ErrShredded] if one was destroyed here.
func (v *Vault) Adopt(ctx context.Context, id history.ID, all []Moved, masters ...Master) (func(context.Context) error, error) {
	var undos []undo
	back := func(ctx context.Context) (err error) {
		for _, u := range undos {
			err = errors.Join(err, u(ctx))
		}
		return err
	}
	byCodec, order := map[string][]Moved{}, []string{}
	for _, m := range all {
		if len(byCodec[m.Codec]) == 0 {
			order = append(order, m.Codec)
		}
		byCodec[m.Codec] = append(byCodec[m.Codec], m)
	}
	for _, name := range order {
		var c Codec
		if v != nil {
			c = v.known[name]
		}
		m, ok := c.(mover)
		if !ok {
			return nil, errors.Join(fmt.Errorf("%w: %s is not among Options.Codecs and Options.Opens, or keeps its keys to itself", ErrNoCodec, name), back(ctx))
		}
		u, err := m.adopt(ctx, id, byCodec[name], masters)
		if u != nil {
			undos = append(undos, u)
		}
		if err != nil {
			return nil, errors.Join(err, back(ctx))
		}
	}
	return back, nil
}

func (c *encryption) move(ctx context.Context, id history.ID, note string, under Master) (m Moved, err error) {
	k, err := c.of(ctx, id, note)
	m = Moved{Codec: c.Name(), Name: note, Home: id}
	if errors.Is(err, ErrShredded) {
		return m, nil
	}
	if err != nil {
		return m, err
	}
	if k.home != (history.ID{}) {
		m.Home = k.home
	}
	m.Master = under.mark().String()
	m.Wrapped = newWrapper(under).aead.Seal(nil, nil, k.secret[:], m.bound())
	return m, nil
}

func (c *encryption) adopt(ctx context.Context, id history.ID, all []Moved, masters []Master) (undo, error) {
	keys, ok := c.keys.(adopter)
	if !ok {
		return nil, fmt.Errorf("%w: %T takes none in", ErrNotMoved, c.keys)
	}
	given := map[string]cipher.AEAD{}
	for _, m := range masters {
		given[m.mark().String()] = newWrapper(m).aead
	}
	var unwrapped []*Key
	for _, m := range all {
		k := &Key{name: m.Name, gone: true}
		if m.Master != "" {
			aead := given[m.Master]
			if aead == nil {
				return nil, fmt.Errorf("%w: %s is wrapped under master key %s, which was not given", ErrNoKey, m.Name, m.Master)
			}
			secret, err := aead.Open(nil, nil, m.Wrapped, m.bound())
			if err != nil || len(secret) != 32 {
				return nil, fmt.Errorf("%w: key %s does not open under its master key", ErrDamaged, m.Name)
			}
			if k = NewKey(m.Name, [32]byte(secret)); m.Home != id {
				k.home = m.Home
			}
		}
		unwrapped = append(unwrapped, k)
	}
	names, err := keys.Adopt(ctx, id, unwrapped...)
	return func(ctx context.Context) error { return keys.Abandon(ctx, id, names...) }, err
}

// bound is what a moved key is bound to.
func (m Moved) bound() []byte {
	b := []byte("clew moved key 1")
	for _, text := range []string{m.Codec, m.Name, m.Home.Namespace, m.Home.Workflow} {
		b = appendText(b, text)
	}
	return b
}
