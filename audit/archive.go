package audit

import (
	"bytes"
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
	"github.com/clewflow/clew/vault"
)

// An archive is an export with a line before all others, which says that it is one, and one behind them with the sum of all lines
// before it, so that a part of it that is missing is found. Behind the entries of an execution stand the files that they refer to, each
// once in an archive, and the keys under which they are encrypted, wrapped under a master key of the receiver's. Before the entries stands
// what was deleted at their front:
//
//	{"archive":1,"at":"…","whole":true}
//	{"execution":{"namespace":"default","id":"order-17"}}
//	{"archive":"cut","to":7,"hash":"…"}
//	…
//	{"archive":"file","sum":"…"}
//	{"archive":"bytes","data":"…"}
//	{"archive":"key","codec":"aes-256-gcm","name":"1.ab…","namespace":"default","id":"order-17","master":"…","wrapped":"…"}
//	{"archive":"end","executions":1,"entries":4,"files":1,"keys":1,"sum":"…","key":"…","signature":"…"}

// ErrArchive says that an archive was changed, or that a part of it is missing.
var ErrArchive = errors.New("audit: not an archive as it was written")

// signedArchive stands before what is signed, so that a signature of something else is none of an archive.
const signedArchive = "clew archive 1\n"

type archiveEnd struct {
	Archive    string `json:"archive"`
	Executions int    `json:"executions"`
	Entries    int    `json:"entries"`
	Files      int    `json:"files,omitempty"`
	Keys       int    `json:"keys,omitempty"`
	Sum        string `json:"sum"`
	Key        string `json:"key,omitempty"`
	Signature  string `json:"signature,omitempty"`
}

// ArchiveWriter writes an archive.
type ArchiveWriter struct {
	w       io.Writer
	sum     hash.Hash
	end     archiveEnd
	digests bool
	line    []byte
	files   map[history.Sum]bool // that are written
}

// NewArchive begins an archive. With digests the bytes of payloads are left out, and their sums stay.
func NewArchive(w io.Writer, at time.Time, digests bool) (*ArchiveWriter, error) {
	a := &ArchiveWriter{w: w, sum: sha256.New(), digests: digests, files: map[history.Sum]bool{}}
	a.end.Archive = "end"
	return a, a.json(struct {
		Archive int       `json:"archive"`
		At      time.Time `json:"at"`
		Whole   bool      `json:"whole"` // what entries refer to is here
	}{1, at.UTC(), true})
}

func (a *ArchiveWriter) json(line any) error {
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	return a.write(append(text, '\n'))
}

func (a *ArchiveWriter) write(line []byte) error {
	a.sum.Write(line)
	_, err := a.w.Write(line)
	return err
}

// Begin begins an execution.
func (a *ArchiveWriter) Begin(id history.ID) error {
	if id.Family() == "" {
		a.end.Executions++
	}
	return a.write(history.AppendHeading(nil, id))
}

// Cut says that the entries up to a Seq, which has that hash, were deleted at the front of the execution that was begun.
func (a *ArchiveWriter) Cut(to uint64, hash history.Hash) error {
	return a.json(cutLine{"cut", to, hash.String()})
}

type cutLine struct {
	Archive string `json:"archive"`
	To      uint64 `json:"to"`
	Hash    string `json:"hash"`
}

// Entry writes the next entry of the execution that was begun.
func (a *ArchiveWriter) Entry(e history.Entry) error {
	if a.digests {
		e, _ = history.Redact(e, "")
	}
	a.end.Entries++
	a.line = append(history.AppendEntry(a.line[:0], e), '\n')
	return a.write(a.line)
}

// bytesInLine is how much of a file stands in a line.
const bytesInLine = 48 << 10

// File writes a file that an entry of the execution which was begun refers to, unless it was written before. What it reads must have the sum.
func (a *ArchiveWriter) File(sum history.Sum, open func() (io.ReadCloser, error)) error {
	if a.files[sum] {
		return nil
	}
	from, err := open()
	if err != nil {
		return err
	}
	err = a.json(fileLine{"file", sum.String()})
	read, buf := sha256.New(), make([]byte, bytesInLine)
	for more := true; err == nil && more; {
		var n int
		switch n, err = io.ReadFull(from, buf); err {
		case io.EOF, io.ErrUnexpectedEOF:
			more, err = false, nil
		}
		read.Write(buf[:n])
		if err == nil && n > 0 {
			a.line = append(base64.StdEncoding.AppendEncode(append(a.line[:0], bytesBegin...), buf[:n]), bytesEnd...)
			err = a.write(append(a.line, '\n'))
		}
	}
	if err == nil && history.Sum(read.Sum(nil)) != sum {
		err = fmt.Errorf("%w: the file %s", vault.ErrDamaged, sum)
	}
	a.files[sum] = true
	a.end.Files++
	return errors.Join(err, from.Close())
}

// Key writes a key under which something of the execution which was begun is encrypted.
func (a *ArchiveWriter) Key(k vault.Moved) error {
	a.end.Keys++
	return a.json(keyLine{"key", k.Codec, k.Name, k.Home.Namespace, k.Home.Workflow, k.Master, k.Wrapped})
}

type fileLine struct {
	Archive string `json:"archive"`
	Sum     string `json:"sum"`
}

type keyLine struct {
	Archive   string `json:"archive"`
	Codec     string `json:"codec"`
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
	ID        string `json:"id"`
	Master    string `json:"master,omitempty"` // empty: it was destroyed
	Wrapped   []byte `json:"wrapped,omitempty"`
}

func (l keyLine) moved() vault.Moved {
	return vault.Moved{Codec: l.Codec, Name: l.Name, Home: history.ID{Namespace: l.Namespace, Workflow: l.ID}, Master: l.Master, Wrapped: l.Wrapped}
}

// The line of bytes of a file is what there is most of.
const (
	bytesBegin = `{"archive":"bytes","data":"`
	bytesEnd   = `"}`
)

// fileBytes reads a line of bytes of a file; ok is false if it is none.
func fileBytes(to, line []byte) (data []byte, ok bool) {
	text, begins := bytes.CutPrefix(line, []byte(bytesBegin))
	text, ends := bytes.CutSuffix(text, []byte(bytesEnd))
	if !begins || !ends {
		return nil, false
	}
	data, err := base64.StdEncoding.Strict().AppendDecode(to, text)
	return data, err == nil
}

// End ends the archive, signed if there is a key.
func (a *ArchiveWriter) End(key ed25519.PrivateKey) error {
	a.end.Sum = base64.RawURLEncoding.EncodeToString(a.sum.Sum(nil))
	a.end.sign(key)
	last, err := json.Marshal(a.end)
	if err != nil {
		return err
	}
	_, err = a.w.Write(append(last, '\n'))
	return err
}
