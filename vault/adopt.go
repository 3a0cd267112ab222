package vault

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/clewflow/clew/history"
)

// A key that other keys have made is adopted under its name. Its slot has the kind 'a', and behind it stand slots of words, which
// together say the name and, sealed under the key itself, the execution for which it was made if that is another than the one for
// which it was adopted: the names of namespaces are not to be read here.
//
//	kind 't' (1 byte), 0 (3), words (120), CRC-32C of all that (4)

const wordsSize = slotSize - 8

// adopted is what the words say.
type adopted struct {
	name string
	home []byte // sealed; none: it was made for the same execution
}

// spot is where a key is that was adopted, and for whom.
type spot struct {
	n      int64
	digest digest
}

// homeOf is the additional data of a sealed home.
func homeOf(name string) []byte { return appendText([]byte("clew home of a key 1"), name) }

func (a adopted) open(key *Key) (id history.ID, err error) {
	if len(a.home) == 0 {
		return id, nil
	}
	plain, err := key.aead.Open(nil, nil, a.home, homeOf(a.name))
	if err != nil {
		return id, fmt.Errorf("%w: it does not say for whom the key was made", ErrDamaged)
	}
	namespace, rest, _ := cutText(plain)
	workflow, _, ok := cutText(rest)
	if !ok {
		return id, ErrDamaged
	}
	return history.ID{Namespace: namespace, Workflow: workflow}, nil
}

// cutText cuts what appendText appended off the front.
func cutText(b []byte) (text string, rest []byte, ok bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return "", nil, false
	}
	return string(b[n:][:size]), b[n:][size:], true
}

// slots are the words in as many slots as it takes.
func (a adopted) slots() (all []byte, n int) {
	rest := appendText(appendText(nil, a.name), string(a.home))
	for ; len(rest) > 0; n++ {
		begin := len(all)
		all = append(all, words, 0, 0, 0)
		all = append(all, rest[:min(len(rest), wordsSize)]...)
		all = append(all, make([]byte, begin+slotSize-4-len(all))...)
		all = binary.LittleEndian.AppendUint32(all, checksum(all[begin:]))
		rest = rest[min(len(rest), wordsSize):]
	}
	return all, n
}

// readAdopted reads what stands behind the slot of an adopted key; of any other nothing does.
func (k *KeyFile) readAdopted(s *slot) error {
	if s.kind != taken && s.kind != lost {
		return nil
	}
	var text []byte
	for i := range int64(s.more) {
		b, err := k.read(s.n + 1 + i)
		if err != nil {
			return err
		}
		if part, ok := readSlot(s.n+1+i, b); !ok || part.kind != words {
			return fmt.Errorf("%w: slot %d of %s", ErrDamaged, s.n+1+i, k.path)
		}
		text = append(text, b[4:4+wordsSize]...)
	}
	name, rest, ok := cutText(text)
	home, _, whole := cutText(rest)
	if !ok || !whole {
		return fmt.Errorf("%w: slot %d of %s", ErrDamaged, s.n, k.path)
	}
	s.adopted = adopted{name, []byte(home)}
	return nil
}

// note remembers where an adopted key is.
func (k *KeyFile) note(s slot) {
	k.named[s.adopted.name] = append(k.named[s.adopted.name], spot{s.n, s.digest})
	if s.kind == taken {
		k.also[s.digest] = append(k.also[s.digest], s.n)
	}
}

// of returns the slot of a key that was adopted for an execution.
func (k *KeyFile) of(d digest, name string) (n int64, ok bool) {
	for _, p := range k.named[name] {
		if p.digest == d {
			return p.n, true
		}
	}
	return 0, false
}

// Adopted is the key of a name that was adopted for an execution, if one was: it comes before another of the same name. Errors: as of Find.
func (k *KeyFile) Adopted(_ context.Context, id history.ID, name string) (key *Key, is bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n, is := k.of(digestOf(id), name)
	if is {
		key, err = k.at(n, name)
	}
	return key, is, err
}

// Adopt keeps keys that other Keys have made for what was recorded of an execution, durably and wrapped under the newest master key.
// What is recorded from now on is encrypted under a key of its own. A key that was adopted before is passed over; one that was
// destroyed here is [ErrShredded], and nothing is adopted then.
func (k *KeyFile) Adopt(_ context.Context, id history.ID, keys ...*Key) (names []string, err error) {
	d := digestOf(id)
	k.write.Lock()
	defer k.write.Unlock()
	k.mu.Lock()
	failed := k.failed
	var missing []*Key
	for _, key := range keys {
		n, there := k.of(d, key.name)
		if !there {
			missing = append(missing, key)
		} else if _, err := k.at(n, key.name); err != nil && !(key.gone && errors.Is(err, ErrShredded)) && failed == nil {
			failed = err
		}
	}
	k.mu.Unlock()
	for i := 0; i < len(missing) && failed == nil; i++ {
		if failed = k.adopt(d, id, missing[i]); failed == nil {
			names = append(names, missing[i].name)
		}
	}
	if failed != nil {
		return names, fmt.Errorf("vault: adopting the keys of %s: %w", id, failed)
	}
	return names, nil
}

// adopt writes the words first, so that the slot is found only when it is whole.
func (k *KeyFile) adopt(d digest, id history.ID, key *Key) error {
	s := slot{kind: taken, digest: d, adopted: adopted{name: key.name}}
	if key.gone {
		s.kind = lost
	} else if key.home != (history.ID{}) && key.home != id {
		home := appendText(appendText(nil, key.home.Namespace), key.home.Workflow)
		s.adopted.home = key.aead.Seal(nil, nil, home, homeOf(key.name))
	}
	behind, more := s.adopted.slots()
	k.mu.Lock()
	s.n, s.more = k.slots, more
	k.slots += int64(1 + more)
	k.next = nil // who makes a key from now on does not join those whose slots end here
	k.mu.Unlock()
	if !key.gone {
		s.wrap(k.newest, key.secret[:])
	}
	if err := k.put(s.n+1, behind); err != nil {
		return err
	}
	if err := k.put(s.n, s.append(nil)); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.note(s)
	return nil
}

// Abandon takes back that keys were adopted: afterwards nobody knows that they ever were.
func (k *KeyFile) Abandon(_ context.Context, id history.ID, names ...string) error {
	d := digestOf(id)
	k.write.Lock()
	defer k.write.Unlock()
	for _, name := range names {
		k.mu.Lock()
		n, ok := k.of(d, name)
		k.mu.Unlock()
		if !ok {
			continue
		}
		nothing := slot{n: n, kind: abandoned}
		if err := k.put(n, nothing.append(nil)); err != nil { // words without a slot in front say nothing
			return fmt.Errorf("vault: giving the keys of %s up: %w", id, err)
		}
		k.mu.Lock()
		k.forget(d, name, n)
		k.mu.Unlock()
	}
	return nil
}

func (k *KeyFile) forget(d digest, name string, n int64) {
	k.named[name] = slices.DeleteFunc(k.named[name], func(p spot) bool { return p.n == n })
	k.also[d] = slices.DeleteFunc(k.also[d], func(m int64) bool { return m == n })
	delete(k.known, n)
}
