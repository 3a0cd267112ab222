package replay

import (
	"fmt"
	"strings"

	"github.com/clewflow/clew/internal/diff"
)

// Mismatch says where code and history part, what was changed, and what to do. It marshals to JSON; the names of its fields
// there never change.
type Mismatch struct {
	Workflow string `json:"workflow"`          // the type
	Version  int    `json:"version,omitempty"` // of the type
	ID       string `json:"id,omitempty"`      // workflow id
	Run      string `json:"run,omitempty"`     // run id
	Seq      uint64 `json:"seq"`               // of the entry
	Change   Change `json:"change"`            // what was changed in the code, as far as can be told
	Why      string `json:"why"`               // the same in a sentence
	Recorded string `json:"recorded"`          // what the entry holds; empty: it asks for nothing
	Asked    string `json:"asked"`             // what the code asks for instead; empty: nothing
	Path     string `json:"path,omitempty"`    // where a value differs from the recorded one first, as in a [Field]
	Place    string `json:"place"`             // where in the code it asks: "file:line (function)"; empty: not known
	Agreed   uint64 `json:"agreed"`            // the last entry at which both agreed
	Window   []Row  `json:"window,omitempty"`  // what is recorded and what is asked about the place, in order
	Guessed  bool   `json:"guessed,omitempty"` // what the code asks further on was found with empty results for what is not recorded
	Gate     string `json:"gate,omitempty"`    // an id for workflow.Patched
	Snippet  string `json:"snippet,omitempty"` // Go code with the gate in it
	Advice   string `json:"advice"`            // what to do, in sentences
}

// Row is a decision as it is recorded and as it is asked.
type Row struct {
	Seq      uint64 `json:"seq,omitempty"`      // of the entry; 0: it is not recorded
	Recorded string `json:"recorded,omitempty"` // empty: it is not recorded
	Asked    string `json:"asked,omitempty"`    // empty: the code does not ask for it; "?": nobody knows
	Here     bool   `json:"here,omitempty"`     // code and history part here
}

func (m *Mismatch) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "code and history of workflow %s part at entry %d: %s", m.Workflow, m.Seq, m.Why)
	if m.Recorded != "" {
		fmt.Fprintf(&b, "\n  recorded  %s", m.Recorded)
	}
	if m.Asked != "" {
		fmt.Fprintf(&b, "\n  asked     %s", m.Asked)
	}
	if m.Place != "" {
		fmt.Fprintf(&b, "\n  in code   %s", m.Place)
	}
	fmt.Fprintf(&b, "\n  agreed up to entry %d", m.Agreed)
	if len(m.Window) > 0 {
		b.WriteString("\n" + indented(m.table(), "  "))
	}
	if m.Guessed {
		b.WriteString("\n  (what is asked below the mark is a guess: what is not recorded was answered with empty results)")
	}
	if m.Advice != "" {
		b.WriteString("\n" + indented(m.Advice, "  "))
	}
	if m.Snippet != "" {
		b.WriteString("\n" + indented(m.Snippet, "      "))
	}
	b.WriteString("\n  " + sameAdvice)
	return b.String()
}

func (m *Mismatch) table() string {
	rows := make([]diff.Row, len(m.Window))
	for i, r := range m.Window {
		rows[i] = diff.Row{Mark: r.Here, Number: r.Seq, Left: r.Recorded, Right: r.Asked}
	}
	return diff.SideBySide("entry", "recorded", "asked by the code", rows)
}

func indented(text, by string) string {
	return by + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n"+by)
}

// part says that code and history part at an entry: r is what is recorded there, a what the code asks, each nil if it is
// nothing.
func (m *Machine) part(seq uint64, r *wish, a *ask, change Change, why string) *Mismatch {
	mm := &Mismatch{
		Workflow: m.run.Type, Version: m.run.Version, ID: m.run.ID, Run: m.run.Run,
		Seq: seq, Change: change, Why: why, Agreed: m.agreed, Advice: onlyAdvice,
	}
	if r != nil {
		mm.Recorded = r.String()
	}
	if a != nil {
		mm.Asked, mm.Place = asked(a.command).String(), a.place
	}
	return mm
}
