package audit

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash"

	"github.com/clewflow/clew/history"
)

// archived holds an archive that is read against its last line. The zero archived is of what is none.
type archived struct {
	sum     hash.Hash // of the lines so far; nil: it is no archive
	whole   bool      // it says that what entries refer to is here
	ended   bool
	entries int
	key     ed25519.PublicKey

	file  history.Sum // that is being read
	read  hash.Hash   // of its bytes; nil: none is
	buf   []byte
	files map[history.Sum]bool
	keys  int
	cut   *history.Chain // where the entries begin of the execution that is being read; nil: with the first
}

func notAsWritten(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrArchive, fmt.Sprintf(format, args...))
}

// take takes a line as it was read, and reports whether it is one of the archive's own.
func (a *archived) take(line []byte) (own bool, err error) {
	text := bytes.TrimSpace(line)
	if len(text) == 0 || !history.IsArchiveLine(text) {
		return false, a.other(line, text)
	}
	if data, ok := fileBytes(a.buf[:0], text); ok {
		if a.read == nil {
			return true, notAsWritten("bytes belong to no file")
		}
		a.buf = data
		a.read.Write(data)
		a.sum.Write(line)
		return true, nil
	}
	if err := a.endFile(); err != nil {
		return true, err
	}
	var l struct {
		Archive json.RawMessage `json:"archive"`
		Whole   bool            `json:"whole"`
		Sum     string          `json:"sum"`
	}
	if json.Unmarshal(text, &l) != nil {
		return true, notAsWritten("a line of its own cannot be read")
	}
	switch kind := string(l.Archive); {
	case kind != `"end"` && len(kind) > 0 && kind[0] != '"':
		if a.sum != nil {
			return true, notAsWritten("it begins twice")
		}
		a.sum, a.whole, a.files = sha256.New(), l.Whole, map[history.Sum]bool{}
	case a.sum == nil || a.ended:
		return true, notAsWritten("it ends without a beginning, or twice")
	case kind == `"file"`:
		sum, err := history.ParseSum(l.Sum)
		if err != nil || a.files[sum] {
			return true, notAsWritten("a file has no sum, or is there twice")
		}
		a.file, a.read = sum, sha256.New()
	case kind == `"cut"`:
		var c cutLine
		if err := json.Unmarshal(text, &c); err != nil {
			return true, notAsWritten("a line of its own cannot be read")
		}
		hash, err := history.ParseSum(c.Hash)
		if err != nil {
			return true, notAsWritten("a line of its own cannot be read")
		}
		a.cut = &history.Chain{Seq: c.To, Hash: history.Hash(hash)}
	case kind == `"key"`:
		a.keys++
	case kind == `"end"`:
		return true, a.end(text)
	default:
		return true, notAsWritten("it has a line %s, which this release does not know", kind)
	}
	a.sum.Write(line)
	return true, nil
}

// other takes a line that is not one of the archive's own.
func (a *archived) other(line, text []byte) error {
	if len(text) == 0 {
		if a.sum != nil && !a.ended {
			a.sum.Write(line)
		}
		return nil
	}
	if a.ended {
		return notAsWritten("something follows its last line")
	}
	if a.sum != nil {
		a.sum.Write(line)
		if _, heading := history.ParseHeading(text); heading {
			a.cut = nil
		} else {
			a.entries++
		}
	}
	return a.endFile()
}

// endFile is called when the bytes of a file are over.
func (a *archived) endFile() error {
	if a.read == nil {
		return nil
	}
	whole := history.Sum(a.read.Sum(nil)) == a.file
	a.files[a.file], a.read = true, nil
	if !whole {
		return notAsWritten("the file %s is not the one that was written", a.file)
	}
	return nil
}

func (a *archived) end(text []byte) error {
	var end archiveEnd
	if err := json.Unmarshal(text, &end); err != nil {
		return notAsWritten("its last line cannot be read")
	}
	switch {
	case end.Entries != a.entries:
		return notAsWritten("it holds %d entries and says %d", a.entries, end.Entries)
	case end.Files != len(a.files) || end.Keys != a.keys:
		return notAsWritten("it holds %d files and %d keys, and says %d and %d", len(a.files), a.keys, end.Files, end.Keys)
	case end.Sum != base64.RawURLEncoding.EncodeToString(a.sum.Sum(nil)):
		return notAsWritten("its sum is not that of its lines")
	}
	a.ended = true
	if end.Key == "" && end.Signature == "" {
		return nil
	}
	key, bad := base64.RawURLEncoding.Strict().DecodeString(end.Key)
	signature, worse := base64.RawURLEncoding.Strict().DecodeString(end.Signature)
	if bad != nil || worse != nil || len(key) != ed25519.PublicKeySize || !ed25519.Verify(key, []byte(signedArchive+end.Sum), signature) {
		return notAsWritten("its signature is not that of the key it names")
	}
	a.key = key
	return nil
}

// over is asked when all lines were read.
func (a *archived) over() error {
	if a.sum != nil && !a.ended {
		return notAsWritten("its last line, with the sum of all, is missing")
	}
	return nil
}
