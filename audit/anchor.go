package audit

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// An anchor is written as lines of JSON: a first one that says when and how far, one for each history, and a last one with the sum of
// all lines before it:
//
//	{"anchor":1,"at":"…","position":"4711"}
//	{"namespace":"default","id":"order-17","seq":9,"hash":"…"}
//	{"heads":1,"sum":"…","key":"…","signature":"…"}

// ErrAnchor says that what is read is no anchor, or was changed.
var ErrAnchor = errors.New("audit: not an anchor as it was written")

// Head is where a history ends.
type Head struct {
	ID   history.ID
	Seq  uint64
	Hash history.Hash
}

// Anchor is where all histories of a log ended at some time.
type Anchor struct {
	At       time.Time
	Position string            // of the log
	Key      ed25519.PublicKey // of who signed it; nil: nobody did
	Heads    map[history.ID]Head
}

func (a *Anchor) head(id history.ID) (Head, bool) {
	if a == nil {
		return Head{}, false
	}
	h, ok := a.Heads[id]
	return h, ok
}

type firstLine struct {
	Anchor   int       `json:"anchor"`
	At       time.Time `json:"at"`
	Position string    `json:"position"`
}

type headLine struct {
	Namespace string `json:"namespace"`
	ID        string `json:"id"`
	Seq       uint64 `json:"seq"`
	Hash      string `json:"hash"`
}

type lastLine struct {
	Heads     *int   `json:"heads"`
	Sum       string `json:"sum"`
	Key       string `json:"key,omitempty"`
	Signature string `json:"signature,omitempty"`
}

// Write writes where the histories of a source end, and returns how many there are. See [Sign].
func Write(ctx context.Context, w io.Writer, source Source, at time.Time) (heads int, err error) {
	sum := sha256.New()
	out := bufio.NewWriter(w)
	line := func(v any, sums ...hash.Hash) {
		if err != nil {
			return
		}
		var text []byte
		if text, err = json.Marshal(v); err == nil {
			text = append(text, '\n')
			for _, s := range sums {
				s.Write(text)
			}
			_, err = out.Write(text)
		}
	}
	first := firstLine{Anchor: 1, At: at.UTC()}
	if f, ok := source.(follower); ok {
		head, err := f.Head(ctx)
		if err != nil {
			return 0, fmt.Errorf("audit: anchoring: %w", err)
		}
		first.Position = head.String()
	}
	line(first, sum)
	for s, failed := range streams(ctx, source) {
		if failed != nil {
			return heads, fmt.Errorf("audit: anchoring: %w", failed)
		}
		if passing(s.ID) {
			continue
		}
		h, failed := headOf(ctx, source, s)
		if failed != nil {
			return heads, fmt.Errorf("audit: anchoring %s: %w", s.ID, failed)
		}
		if h.Seq > 0 {
			heads++
			line(headLine{h.ID.Namespace, h.ID.Workflow, h.Seq, h.Hash.String()}, sum)
		}
	}
	last := lastLine{Heads: &heads, Sum: base64.RawURLEncoding.EncodeToString(sum.Sum(nil))}
	line(last)
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		err = fmt.Errorf("audit: writing an anchor: %w", err)
	}
	return heads, err
}

// signed stands before what is signed, so that a signature of something else is none of an anchor.
const signed = "clew anchor 1\n"

// Sign signs an anchor as [Write] wrote it. It may have been signed before, which is forgotten.
func Sign(anchor []byte, key ed25519.PrivateKey) ([]byte, error) {
	a, err := Read(bytes.NewReader(anchor))
	if err != nil {
		return nil, err
	}
	before := bytes.TrimSuffix(anchor, []byte("\n"))
	before = before[:bytes.LastIndexByte(before, '\n')+1]
	sum, heads := sha256.Sum256(before), len(a.Heads)
	last := lastLine{Heads: &heads, Sum: base64.RawURLEncoding.EncodeToString(sum[:])}
	last.Key = base64.RawURLEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
	last.Signature = base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(signed+last.Sum)))
	text, err := json.Marshal(last)
	return append(append(bytes.Clone(before), text...), '\n'), err
}

// headOf is the last entry of a history; its Seq is 0 if there is none any more.
func headOf(ctx context.Context, source Source, s store.Stream) (Head, error) {
	h := Head{ID: s.ID}
	for r, err := range source.Read(ctx, s.ID, max(s.Last, 1)) {
		if err != nil {
			return h, err
		}
		h.Seq, h.Hash = r.Entry.Seq, r.Entry.Hash
	}
	return h, nil
}

// Read reads an anchor. ErrAnchor: it is none, a part of it is missing, or it was changed; who can change it can also give it a new
// sum, so keep it where nobody can, or sign it and hold [Anchor].Key against the key that you know.
func Read(from io.Reader) (*Anchor, error) {
	a := &Anchor{Heads: map[history.ID]Head{}}
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrAnchor, fmt.Sprintf(format, args...))
	}
	sum := sha256.New()
	lines := bufio.NewReaderSize(from, 64<<10)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		switch {
		case errors.Is(err, io.EOF):
			return nil, wrong("line %d, with the sum of all, is missing", n)
		case err != nil:
			return nil, fmt.Errorf("audit: reading an anchor: %w", err)
		}
		var first firstLine
		var head headLine
		var last lastLine
		switch {
		case n == 1:
			if err := json.Unmarshal(line, &first); err != nil || first.Anchor != 1 {
				return nil, wrong("want {\"anchor\":1,…} in its first line")
			}
			a.At, a.Position = first.At, first.Position
		case bytes.HasPrefix(line, []byte(`{"heads":`)):
			if err := json.Unmarshal(line, &last); err != nil || last.Heads == nil {
				return nil, wrong("line %d: %v", n, err)
			}
			if _, err := lines.ReadByte(); err == nil {
				return nil, wrong("something follows its last line")
			}
			return a, a.check(last, sum.Sum(nil), wrong)
		default:
			if err := json.Unmarshal(line, &head); err != nil {
				return nil, wrong("line %d: %v", n, err)
			}
			hash, err := history.ParseSum(head.Hash)
			id := history.ID{Namespace: head.Namespace, Workflow: head.ID}
			if _, twice := a.Heads[id]; err != nil || twice || head.Seq == 0 {
				return nil, wrong("line %d is no head of a history, or its second", n)
			}
			a.Heads[id] = Head{ID: id, Seq: head.Seq, Hash: history.Hash(hash)}
		}
		sum.Write(line)
	}
}

// check holds an anchor against its last line.
func (a *Anchor) check(last lastLine, sum []byte, wrong func(string, ...any) error) error {
	text := base64.RawURLEncoding.EncodeToString(sum)
	switch {
	case *last.Heads != len(a.Heads):
		return wrong("it holds %d heads and says %d", len(a.Heads), *last.Heads)
	case last.Sum != text:
		return wrong("its sum is not that of its lines")
	case last.Signature == "" && last.Key == "":
		return nil
	}
	key, bad := base64.RawURLEncoding.Strict().DecodeString(last.Key)
	signature, worse := base64.RawURLEncoding.Strict().DecodeString(last.Signature)
	if bad != nil || worse != nil || len(key) != ed25519.PublicKeySize || !ed25519.Verify(key, []byte(signed+last.Sum), signature) {
		return wrong("its signature is not that of the key it names")
	}
	a.Key = key
	return nil
}
