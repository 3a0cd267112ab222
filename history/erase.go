package history

import (
	"bytes"
	"slices"
	"strings"
)

// The streams of the family "admin" say what was done to the record itself: which payloads and which entries were taken
// away, by whom, when and why. There is one for each namespace. An act is recorded before it is done, so that it is done
// after a crash too, and so that nobody takes for lost what was taken away on purpose.

// AdminOf is the stream that says what was done to the record of a namespace.
func AdminOf(namespace string) ID {
	return ID{Namespace: adminFamily + "@" + namespace, Workflow: "log"}
}

const adminFamily = "admin"

// Administers is the namespace whose record a stream is about; ok is false if it is about none.
func (id ID) Administers() (namespace string, ok bool) {
	if id.Family() != adminFamily || id.Workflow != "log" {
		return "", false
	}
	return id.Namespace[len(adminFamily)+1:], true
}

// Redacted says that the bytes of payloads are taken away. Their sums stay, so the history verifies as before.
type Redacted struct {
	ID     ID       // of the execution
	From   uint64   // the first entry that loses payloads
	To     uint64   // the last
	Only   []uint64 // which of them; empty: all
	Field  string   // which payload of each; empty: all
	Hash   Hash     // of the entry To, so that it is known which history was meant
	Files  []string // sums of what is kept beside the log of the payloads
	Reason string
}

// Covers reports whether a payload is one of those that are taken away.
func (e *Redacted) Covers(seq uint64, field string) bool {
	return e.From <= seq && seq <= e.To && (len(e.Only) == 0 || slices.Contains(e.Only, seq)) && (e.Field == "" || e.Field == field)
}

func (*Redacted) Role() Role            { return Note }
func (*Redacted) Kind() string          { return "redacted" }
func (*Redacted) evolve(*State, *Entry) {}
func (e *Redacted) put(w *writer) {
	putTarget(w, e.ID, e.From, e.To, e.Hash)
	w.nums("only", e.Only)
	w.text("field", e.Field)
	w.texts("files", e.Files)
	w.text("reason", e.Reason)
}
func (e *Redacted) take(r *reader, key string) bool {
	switch key {
	case "only":
		e.Only = r.nums()
		return true
	case "files":
		e.Files = r.texts()
		return true
	}
	return takeTarget(r, key, &e.ID, &e.From, &e.To, &e.Hash) || takeText(r, key, "field", &e.Field) || takeText(r, key, "reason", &e.Reason)
}

// Deleted says that entries of an execution are removed, up to the end of a closed run: all that there is of the execution, or its
// older runs. It is what stays of them.
type Deleted struct {
	ID     ID       // of the execution
	From   uint64   // the first entry that is removed
	To     uint64   // the last: it closes a run
	Hash   Hash     // of the entry To
	Runs   int      // how many are removed
	Type   string   // of the workflow of the last of them
	Status string   // with which that ended
	Files  []string // sums of what is kept beside the log of them
	Reason string
	Rule   string // of retention, which says so; empty: somebody did
}

func (*Deleted) Role() Role            { return Note }
func (*Deleted) Kind() string          { return "deleted" }
func (*Deleted) evolve(*State, *Entry) {}
func (e *Deleted) put(w *writer) {
	putTarget(w, e.ID, e.From, e.To, e.Hash)
	w.int("runs", e.Runs)
	w.text("type", e.Type)
	w.text("status", e.Status)
	w.texts("files", e.Files)
	w.text("reason", e.Reason)
	w.text("rule", e.Rule)
}
func (e *Deleted) take(r *reader, key string) bool {
	switch key {
	case "runs":
		e.Runs = r.int()
		return true
	case "files":
		e.Files = r.texts()
		return true
	}
	return takeTarget(r, key, &e.ID, &e.From, &e.To, &e.Hash) || takeText(r, key, "type", &e.Type) || takeText(r, key, "status", &e.Status) ||
		takeText(r, key, "reason", &e.Reason) || takeText(r, key, "rule", &e.Rule)
}

// Erased says that acts of its stream are done: what they took away is gone from the log, and so are the files that nobody else
// refers to.
type Erased struct{ Acts []uint64 } // their Seqs

func (*Erased) Role() Role            { return Note }
func (*Erased) Kind() string          { return "erased" }
func (*Erased) evolve(*State, *Entry) {}
func (e *Erased) put(w *writer)       { w.nums("acts", e.Acts) }
func (e *Erased) take(r *reader, key string) bool {
	if key != "acts" {
		return false
	}
	e.Acts = r.nums()
	return true
}

func putTarget(w *writer, id ID, from, to uint64, hash Hash) {
	w.text("namespace", id.Namespace)
	w.text("id", id.Workflow)
	w.num("from", from)
	w.num("to", to)
	if hash != (Hash{}) {
		w.text("of", hash.String())
	}
}

func takeTarget(r *reader, key string, id *ID, from, to *uint64, hash *Hash) bool {
	switch key {
	case "from":
		*from = r.num()
	case "to":
		*to = r.num()
	case "of":
		*hash = r.sum()
	default:
		return takeText(r, key, "namespace", &id.Namespace) || takeText(r, key, "id", &id.Workflow)
	}
	return true
}

// Blob is the sum of what a payload refers to that is kept beside the log; ok is false if it refers to nothing.
func (p Payload) Blob() (sum Sum, ok bool) {
	if p.Data == nil || !strings.HasSuffix(p.Encoding, "+blob") {
		return sum, false
	}
	sum, err := ParseSum(strings.Trim(string(p.Data), `"`))
	return sum, err == nil
}

// Redact is an entry without the bytes of a payload, or of all if field is empty, and how many were taken away. Its hash is the
// same, for it does not cover them. With nothing to take away the entry is e itself.
func Redact(e Entry, field string) (redacted Entry, taken int) {
	covered, all, err := split(e.wire)
	if err != nil {
		return e, 0
	}
	named := slices.DeleteFunc(all, func(n named) bool {
		return field != "" && n.name != field || n.payload.Redacted() || n.payload.Absent()
	})
	if len(named) == 0 {
		return e, 0
	}
	r := reader{b: e.wire, i: 0}
	wire := make([]byte, 0, len(e.wire))
	kept := 0 // up to where the wire is copied
	r.object(func(key string) bool {
		if key != "payloads" || r.i < len(covered) {
			return false
		}
		r.object(func(key string) bool {
			r.peek()
			from := r.i
			r.skip()
			for _, n := range named {
				if n.name == key {
					wire = append(append(wire, e.wire[kept:from]...), null...)
					kept = r.i
				}
			}
			return true
		})
		return true
	})
	wire = append(wire, e.wire[kept:]...)
	redacted, err = UnmarshalEntry(bytes.Clone(wire))
	if err != nil || redacted.Hash != e.Hash {
		panic("history: entry " + e.String() + " cannot be read without a payload")
	}
	return redacted, len(named)
}
