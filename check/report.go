package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is what was found of all runs. It marshals to JSON.
type Report struct {
	Level   string  `json:"level"`           // "names" or "strict"
	Build   string  `json:"build,omitempty"` // of the code, where it is known
	Runs    int     `json:"runs"`
	Entries int     `json:"entries"` // of these runs
	Seconds float64 `json:"seconds"`
	Types   []Type  `json:"types"` // in the order of workflows and versions
}

// Type is what was found of the runs of a workflow. Unreadable runs of which not even that is known have the workflow "".
type Type struct {
	Workflow string             `json:"workflow"`
	Version  int                `json:"version,omitempty"`
	Verdicts map[Verdict]*Tally `json:"verdicts"`
}

// Tally counts the runs of one verdict. The example is the first by id, of those that are open if there are any.
type Tally struct {
	Runs    int      `json:"runs"`
	Open    int      `json:"open"` // of these
	Example *Example `json:"example,omitempty"`
}

func (r *Report) add(f finding) {
	r.Runs++
	r.Entries += f.entries
	i, found := slices.BinarySearchFunc(r.Types, f, func(t Type, f finding) int {
		return cmp.Or(cmp.Compare(t.Workflow, f.workflow), cmp.Compare(t.Version, f.version))
	})
	if !found {
		r.Types = slices.Insert(r.Types, i, Type{f.workflow, f.version, map[Verdict]*Tally{}})
	}
	t := r.Types[i].Verdicts[f.verdict]
	if t == nil {
		t = &Tally{}
		r.Types[i].Verdicts[f.verdict] = t
	}
	t.Runs++
	if f.open {
		t.Open++
	}
	if f.verdict != Fits && (t.Example == nil || f.example.before(t.Example)) {
		t.Example = &f.example
	}
}

func (e Example) before(o *Example) bool {
	if e.Open != o.Open {
		return e.Open
	}
	return cmp.Or(cmp.Compare(e.Namespace, o.Namespace), cmp.Compare(e.ID, o.ID)) < 0
}

// Count is the number of runs with a verdict, and of those that are open.
func (r *Report) Count(v Verdict) (runs, open int) {
	for _, t := range r.Types {
		if tally := t.Verdicts[v]; tally != nil {
			runs += tally.Runs
			open += tally.Open
		}
	}
	return runs, open
}

// Fits reports whether the code can go on with what is open: no run needs a gate or stalls, and none that is open is without
// code. Closed runs without code are what a workflow leaves that was taken away.
func (r *Report) Fits() bool {
	gates, _ := r.Count(NeedsGate)
	stalls, _ := r.Count(Stalls)
	_, codeless := r.Count(NoCode)
	return gates+stalls+codeless == 0
}

// Complete reports whether every run could be read.
func (r *Report) Complete() bool {
	unreadable, _ := r.Count(Unreadable)
	return unreadable == 0
}

// String is the report as a table, with an example of each thing that is wrong, and a line that sums up.
func (r *Report) String() string {
	var b strings.Builder
	if len(r.Types) > 0 {
		r.table(&b)
	}
	for _, t := range r.Types {
		for _, v := range verdicts {
			if tally := t.Verdicts[v]; tally != nil && tally.Example != nil {
				fmt.Fprintf(&b, "\n%s, as in %s:\n", t.title(v, tally), tally.Example.name())
				fmt.Fprintf(&b, "  %s\n", strings.ReplaceAll(tally.Example.Text, "\n", "\n  "))
			}
		}
	}
	if b.Len() > 0 {
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "%s\n", r.sum())
	return b.String()
}

func (r *Report) table(b *strings.Builder) {
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "WORKFLOW\tVERDICT\tRUNS\tOPEN")
	for _, t := range r.Types {
		for _, v := range verdicts {
			if tally := t.Verdicts[v]; tally != nil {
				fmt.Fprintf(w, "%s\t%s\t%d\t%d\n", t.name(), v, tally.Runs, tally.Open)
			}
		}
	}
	_ = w.Flush() // into memory
}

func (t Type) name() string {
	switch {
	case t.Workflow == "":
		return "(unknown)"
	case t.Version > 0:
		return fmt.Sprintf("%s version %d", t.Workflow, t.Version)
	}
	return t.Workflow
}

func (t Type) title(v Verdict, tally *Tally) string {
	return fmt.Sprintf("%s: %s %s", t.name(), counted(tally.Runs, "run", "runs"), said(v, tally.Runs))
}

// said says a verdict of some runs.
func said(v Verdict, runs int) string {
	one := map[Verdict][2]string{
		Fits:       {"fits", "fit"},
		Differs:    {"fits but for a difference", "fit but for a difference"},
		NoCode:     {"has no code", "have no code"},
		NeedsGate:  {"needs a gate", "need a gate"},
		Stalls:     {"stalls", "stall"},
		Unreadable: {"cannot be read", "cannot be read"},
	}[v]
	if runs == 1 {
		return one[0]
	}
	return one[1]
}

func (e *Example) name() string {
	name := e.ID
	if e.Number > 0 {
		name += fmt.Sprintf(", run %d", e.Number)
	}
	if e.Run != "" {
		name += " (" + e.Run + ")"
	}
	return name
}

func (r *Report) sum() string {
	text := counted(r.Runs, "run", "runs") + " with " + counted(r.Entries, "entry", "entries")
	if r.Runs == 0 {
		return "no runs"
	}
	sep := ": "
	for _, v := range verdicts {
		if n, _ := r.Count(v); n > 0 {
			text += fmt.Sprintf("%s%d %s", sep, n, said(v, n))
			sep = ", "
		}
	}
	return text + fmt.Sprintf(" (%s)", time.Duration(r.Seconds*float64(time.Second)).Round(time.Millisecond))
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
