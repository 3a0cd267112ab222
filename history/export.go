package history

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// An export is lines of entries, as [Marshal] writes them. In one of several executions a line stands before the entries
// of each:
//
//	{"execution":{"namespace":"…","id":"…"}}

type heading struct {
	Execution struct {
		Namespace string `json:"namespace"`
		ID        string `json:"id"`
	} `json:"execution"`
}

// AppendHeading appends the line that stands before the entries of an execution.
func AppendHeading(b []byte, id ID) []byte {
	var h heading
	h.Execution.Namespace, h.Execution.ID = id.Namespace, id.Workflow
	line, _ := json.Marshal(h) // two strings always encode
	return append(append(b, line...), '\n')
}

// ParseHeading reads a line of an export; ok is false if it is none that stands before the entries of an execution.
func ParseHeading(line []byte) (id ID, ok bool) {
	var h heading
	if !bytes.HasPrefix(line, []byte(`{"execution"`)) || json.Unmarshal(line, &h) != nil {
		return ID{}, false
	}
	return ID{Namespace: h.Execution.Namespace, Workflow: h.Execution.ID}, true
}

// Exported is an execution in an export.
type Exported struct {
	ID      ID // as its heading or its first entry says; zero: neither does
	Entries []Entry
}

// UnmarshalExport reads an export of one or of several executions, and also several exports of one behind each other. Blank
// lines are passed over. The entries keep lines. An error names the line; what was read before it is returned too.
func UnmarshalExport(lines []byte) ([]Exported, error) {
	var all []Exported
	n := 0
	for line := range bytes.Lines(lines) {
		n++
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if IsArchiveLine(line) {
			continue
		}
		if id, ok := ParseHeading(line); ok {
			all = append(all, Exported{ID: id})
			continue
		}
		e, err := UnmarshalEntry(line)
		if err != nil {
			return all, fmt.Errorf("line %d: %w", n, err)
		}
		if len(all) == 0 || e.Seq == 1 && len(all[len(all)-1].Entries) > 0 {
			all = append(all, Exported{})
		}
		x := &all[len(all)-1]
		if s, ok := e.Event.(*Started); ok && x.ID == (ID{}) {
			x.ID = s.ID
		}
		x.Entries = append(x.Entries, e)
	}
	return all, nil
}
