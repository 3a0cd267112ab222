package runtime

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/vault"
)

// belongings are what entries need that is kept beside the log.
type belongings struct {
	files     []history.Sum // each once
	encodings []string      // that name keys, of payloads and of files; each once
	seen      map[string]bool
}

func (b *belongings) file(sum history.Sum) {
	if b.once("file " + sum.String()) {
		b.files = append(b.files, sum)
	}
}

func (b *belongings) encoding(text string) {
	if b.once(text) {
		b.encodings = append(b.encodings, text)
	}
}

func (b *belongings) once(what string) bool {
	if b.seen == nil {
		b.seen = map[string]bool{}
	}
	first := !b.seen[what]
	b.seen[what] = true
	return first
}

// stored takes what the payloads of an entry say as they are stored.
func (b *belongings) stored(e history.Event) {
	for _, p := range history.Payloads(e) {
		if p.Redacted() {
			continue
		}
		if sum, far := p.Blob(); far {
			b.file(sum)
		}
		if vault.Keyed(p) {
			b.encoding(p.Encoding)
		}
	}
}

// reference is what an activity.File says of where it is kept.
var reference = regexp.MustCompile(`"ref":"([A-Za-z0-9_-]{43})((?:\+[A-Za-z0-9.:-]+)*)"`)

// values takes the files that values name as activity.File does. A sum of which there is no file is something else. The payloads are to be open.
func (b *belongings) values(ctx context.Context, e history.Event, from vault.Blobs) error {
	if from == nil {
		return nil
	}
	for _, p := range history.Payloads(e) {
		if p.Encoding != "" || !bytes.Contains(p.Data, []byte(`"ref":"`)) {
			continue
		}
		for _, found := range reference.FindAllSubmatch(p.Data, -1) {
			sum, err := history.ParseSum(string(found[1]))
			if err != nil {
				continue
			}
			r, err := from.Open(ctx, sum)
			switch {
			case errors.Is(err, vault.ErrNoBlob):
				continue
			case err != nil:
				return err
			}
			if err := r.Close(); err != nil {
				return err
			}
			b.file(sum)
			if codecs := string(found[2]); strings.Contains(codecs, ":") {
				b.encoding(codecs)
			}
		}
	}
	return nil
}

// openAll is an entry with its payloads open, or what is left of it that nobody can open any more.
func (r *Runtime) openAll(ctx context.Context, id history.ID, e history.Entry) (history.Event, error) {
	opened, err := r.unwrap(ctx, id, e)
	switch {
	case errors.Is(err, vault.ErrShredded):
		return opened.Event, nil
	case err != nil:
		return nil, err
	}
	for field, p := range history.Payloads(opened.Event) {
		if p.Closed() && !p.Redacted() {
			return nil, fmt.Errorf("entry %d of %s: the payload %q is %s, and there is no vault here", e.Seq, id, field, p.Encoding)
		}
	}
	return opened.Event, nil
}
