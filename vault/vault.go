// Package vault turns payloads into what is stored of them, and back.
//
// A [Vault] is a chain of codecs and, at its end, a place for what is large. A [Codec] turns the bytes of a value into
// others: [Zstd] compresses, [Encrypt] encrypts under a data key of the execution's own, which [Keys] keeps. What is still
// large goes into [Blobs], and the entry keeps a reference. [Vault.Wrap] makes of an event one that can be sealed and
// appended, [Vault.Unwrap] the event that it was, to the byte. [Files] keeps what is too large to be a payload at all.
//
// The rule: what cannot be opened is an error that says why, and never an absent or an empty value. The key was destroyed
// ([ErrShredded]), it is not here ([ErrNoKey]), the blob is not here ([ErrNoBlob]), bytes are not those that were stored
// ([ErrDamaged]), nobody here knows the codec ([ErrNoCodec]), or the value is too large to be opened ([ErrTooLarge]).
//
// # Why the keys have a file of their own
//
// [KeyFile] keeps data keys in one file of slots of 128 bytes. A slot is written once, synced before its key is used, and
// overwritten where it stands when the key is destroyed, so that no copy of it stays behind in a table or a write-ahead
// log, as it would in Pebble or SQLite until they compact. The name of a key says in which slot it is: to find it is one
// read at a known place, however many there are. In memory is one small row for each execution that has a key, and the
// keys that were used last. All who need a new key at the same time share one sync.
package vault

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/clewflow/clew/history"
)

// Why a payload cannot be opened. None of these means that there is no value.
var (
	ErrNoCodec  = errors.New("vault: no such codec")
	ErrNoKey    = errors.New("vault: no such key")
	ErrShredded = errors.New("vault: shredded: the key was destroyed")
	ErrNoBlob   = errors.New("vault: no such blob")
	ErrDamaged  = errors.New("vault: damaged")
	ErrTooLarge = errors.New("vault: too large")
)

// Options says what is done to payloads. With the zero Options nothing is.
type Options struct {
	Codecs    []Codec // what is done to the bytes of a value, one after the other: compress first, then encrypt
	Opens     []Codec // codecs that were in use once, and only open what they closed; Zstd need not be listed
	Blobs     Blobs   // where what is large is kept; nil: in the entry, like all else
	Threshold int     // bytes that are not large yet, after the codecs; default 64 KiB
	Limit     int     // bytes that a value may have when it is opened; default 32 MiB
}

// Vault wraps payloads into what is stored of them, and unwraps them. It is safe for concurrent use. A nil Vault, and one of
// no Options, leaves all as it is.
type Vault struct {
	codecs    []Codec // applied, in this order
	known     map[string]Codec
	blobs     Blobs
	threshold int
	limit     int
	wraps     bool
	unwraps   bool
}

// The parts of an encoding that are not codecs.
const (
	plain = "json"
	blob  = "blob"
)

// readable is the field that is never wrapped, because lookups search it.
const readable = "attributes"

// New makes a vault. What is wrong with the codecs' names is an error.
func New(o Options) (*Vault, error) {
	v := &Vault{
		codecs: o.Codecs, known: map[string]Codec{}, blobs: o.Blobs,
		threshold: cmp.Or(o.Threshold, 64<<10), limit: cmp.Or(o.Limit, 32<<20),
		wraps:   len(o.Codecs) > 0 || o.Blobs != nil,
		unwraps: len(o.Codecs) > 0 || len(o.Opens) > 0 || o.Blobs != nil,
	}
	if v.threshold < 0 || v.limit < 0 {
		return nil, fmt.Errorf("vault: Threshold is %d and Limit is %d, want 0 for the default, or more", o.Threshold, o.Limit)
	}
	for i, c := range append(append([]Codec{}, o.Codecs...), o.Opens...) {
		name := c.Name()
		if strings.ContainsAny(name, "+:") || name == plain || name == blob {
			return nil, fmt.Errorf("vault: a codec cannot have the name %q, want letters, digits, '-' and '.', other than %q and %q", name, plain, blob)
		}
		if _, err := history.Encoded(name, nil); err != nil {
			return nil, fmt.Errorf("vault: a codec cannot have the name %q: %w", name, err)
		}
		if v.known[name] != nil && i < len(o.Codecs) {
			return nil, fmt.Errorf("vault: the codec %s is given twice", name)
		}
		if v.known[name] == nil {
			v.known[name] = c
		}
	}
	if c := Zstd(0); v.known[c.Name()] == nil {
		v.known[c.Name()] = c
	}
	return v, nil
}

// Limit is how many bytes a value may have when it is opened.
func (v *Vault) Limit() int { return v.limit }

// Wrap returns e as it is to be stored at its place in the log: e itself if nothing is done to it. Keys and blobs that it
// needs are durable when Wrap returns, so the entry may be appended. Attributes are left readable.
func (v *Vault) Wrap(ctx context.Context, id history.ID, seq uint64, e history.Event) (history.Event, error) {
	if v == nil || !v.wraps {
		return e, nil
	}
	return history.WithPayloads(e, func(field string, p history.Payload) (history.Payload, error) {
		if field == readable || p.Redacted() {
			return p, nil
		}
		w, err := v.wrap(ctx, Where{ID: id, Seq: seq, Field: field, Limit: v.limit}, p)
		if err != nil {
			return p, fmt.Errorf("vault: wrapping the payload %q of entry %d of %s: %w", field, seq, id, err)
		}
		return w, nil
	})
}

// Unwrap returns the event that e was before [Vault.Wrap]: e itself if nothing was done to it. Payloads that were redacted
// stay so.
func (v *Vault) Unwrap(ctx context.Context, id history.ID, seq uint64, e history.Event) (history.Event, error) {
	if v == nil || !v.unwraps {
		return e, nil
	}
	return history.WithPayloads(e, func(field string, p history.Payload) (history.Payload, error) {
		if !p.Closed() || p.Redacted() {
			return p, nil
		}
		u, err := v.unwrap(ctx, Where{ID: id, Seq: seq, Field: field, Limit: v.limit}, p)
		if err != nil {
			return p, fmt.Errorf("vault: opening the payload %q of entry %d of %s: %w", field, seq, id, err)
		}
		return u, nil
	})
}

func (v *Vault) wrap(ctx context.Context, where Where, p history.Payload) (history.Payload, error) {
	if p.Closed() {
		return p, fmt.Errorf("it is closed already (%s); only what was opened can be recorded at another place", p.Encoding)
	}
	value, err := p.Value()
	if err != nil {
		return p, err
	}
	encoding, changed := cmp.Or(p.Encoding, plain), false
	for _, c := range v.codecs {
		where.Encoding = encoding
		stored, note, err := encode(ctx, c, where, value)
		switch {
		case err != nil:
			return p, err
		case stored == nil:
			continue
		case note != "":
			note = ":" + note
		}
		value, encoding, changed = stored, encoding+"+"+c.Name()+note, true
	}
	switch {
	case v.blobs != nil && len(value) > v.threshold:
		sum, err := v.blobs.Put(ctx, bytes.NewReader(value))
		if err != nil {
			return p, err
		}
		return history.Reference(encoding+"+"+blob, []byte(`"`+sum.String()+`"`))
	case changed:
		return history.Encoded(encoding, value)
	}
	return p, nil
}

func (v *Vault) unwrap(ctx context.Context, where Where, p history.Payload) (history.Payload, error) {
	if !p.Intact() {
		return p, fmt.Errorf("%w: the bytes are not those that were recorded", ErrDamaged)
	}
	var value []byte
	var err error
	chain, far := strings.CutSuffix(p.Encoding, "+"+blob)
	if far {
		value, err = v.fetch(ctx, p)
	} else {
		value, err = p.Value()
	}
	for i := strings.LastIndexByte(chain, '+'); i >= 0 && err == nil; i = strings.LastIndexByte(chain, '+') {
		name, note, _ := strings.Cut(chain[i+1:], ":")
		chain = chain[:i]
		where.Encoding = chain
		c := v.known[name]
		if c == nil {
			return p, fmt.Errorf("%w: %s is not among Options.Codecs and Options.Opens", ErrNoCodec, name)
		}
		value, err = decode(ctx, c, where, note, value)
	}
	switch {
	case err != nil:
		return p, err
	case chain == plain:
		return history.JSON(value), nil
	}
	return history.Encoded(chain, value)
}

// fetch reads what a payload refers to.
func (v *Vault) fetch(ctx context.Context, p history.Payload) ([]byte, error) {
	sum, err := history.ParseSum(strings.Trim(string(p.Data), `"`))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if v.blobs == nil {
		return nil, fmt.Errorf("%w: %s; Options.Blobs is not set", ErrNoBlob, sum)
	}
	r, err := v.blobs.Open(ctx, sum)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if s, ok := r.(interface{ Size() int64 }); ok {
		b.Grow(int(min(s.Size(), int64(v.limit))) + bytes.MinRead)
	}
	_, err = io.Copy(&b, r)
	return b.Bytes(), errors.Join(err, r.Close())
}
