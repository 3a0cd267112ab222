package audit

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"io"
)

// Signed is a writer to which an archive is written that nobody has signed yet; it is written to w, signed with the key. So the key need not
// be where the archive is made.
func Signed(w io.Writer, key ed25519.PrivateKey) io.Writer { return &signer{to: w, key: key} }

type signer struct {
	to   io.Writer
	key  ed25519.PrivateKey
	line []byte // a beginning that may be that of the last line
	past bool   // the rest of the line is another's
}

const endBegin = `{"archive":"end"`

func (s *signer) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		part := rest
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			part = rest[:i+1]
		}
		rest = rest[len(part):]
		if err := s.part(part, part[len(part)-1] == '\n'); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// part takes a part of a line.
func (s *signer) part(part []byte, over bool) error {
	if !s.past {
		s.line = append(s.line, part...)
		n := min(len(s.line), len(endBegin))
		switch last := string(s.line[:n]) == endBegin[:n]; {
		case last && !over:
			return nil
		case last && n == len(endBegin):
			return s.end()
		}
		part, s.line, s.past = s.line, nil, true
	}
	s.past = !over
	_, err := s.to.Write(part)
	return err
}

func (s *signer) end() error {
	var end archiveEnd
	if err := json.Unmarshal(s.line, &end); err != nil {
		return err
	}
	s.line = nil
	end.sign(s.key)
	last, err := json.Marshal(end)
	if err != nil {
		return err
	}
	_, err = s.to.Write(append(last, '\n'))
	return err
}

// sign signs the sum; without a key it does nothing.
func (e *archiveEnd) sign(key ed25519.PrivateKey) {
	if key != nil {
		e.Key = base64.RawURLEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
		e.Signature = base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(signedArchive+e.Sum)))
	}
}
