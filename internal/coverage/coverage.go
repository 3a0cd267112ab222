// Package coverage says what of the things that can happen to workflows has happened in histories.
//
// A [Report] holds [Item]s by workflow: an activity that may time out, a signal that may come, a case of a select. An item is
// there as soon as a history, or the code that was replayed along it, shows that it can happen, and is seen when it has. What
// cannot happen is no item: an activity with one attempt is not tried again, and an undo step is not cancelled.
//
// Reports of several packages are merged. The package is pure: it is given histories and what was seen of the code when they
// were replayed, and does not run anything.
package coverage

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Report is what has happened, by workflow. The zero Report is empty.
type Report struct {
	workflows map[string]*Workflow
}

// Workflow is what has happened to the runs of one workflow.
type Workflow struct {
	Name  string
	Runs  int     // whose histories were looked at
	Items []*Item // each once

	byKey map[key]*Item
}

// Item is something that can happen.
type Item struct {
	Of   string // to what: "activity order.charge", "select process.go:41"
	Case string // what: "timed out", "was cancelled"
	Try  string // what of package workflowtest would show it
	Seen int    // how often it has

}

type key struct{ of, name string }

// kinds are the first words of what items are of, in the order in which reports show them.
var kinds = []string{
	"run", "activity", "step", "child", "message", "lookup", "signal", "update", "query", "select", "await", "timer", "undo", "gate",
}

// cases are how cases begin, in the order in which reports show them.
var cases = []string{
	completed, "continued", failed, again, timedOut, cancelled, "was terminated", "took", "was of version", "held", "ran out of time", "ended with its scope", "fired", "was stopped",
}

func (r *Report) workflow(name string) *Workflow {
	if r.workflows == nil {
		r.workflows = map[string]*Workflow{}
	}
	w := r.workflows[name]
	if w == nil {
		w = &Workflow{Name: name, byKey: map[key]*Item{}}
		r.workflows[name] = w
	}
	return w
}

// can says that something can happen.
func (w *Workflow) can(kind, of, name, try string) *Item {
	if of != "" {
		of = " " + of
	}
	return w.item(Item{Of: kind + of, Case: name, Try: try})
}

// item is the one that is like i.
func (w *Workflow) item(i Item) *Item {
	k := key{i.Of, i.Case}
	known := w.byKey[k]
	if known == nil {
		i.Seen = 0
		known = &i
		w.byKey[k] = known
		w.Items = append(w.Items, known)
	}
	if known.Try == "" || i.Try != "" && i.Try < known.Try { // the same in whichever order they come
		known.Try = i.Try
	}
	return known
}

// compare is the order in which items are shown. It depends on what they are alone.
func (i *Item) compare(j *Item) int {
	fileI, lineI := fileAndLine(i.Of)
	fileJ, lineJ := fileAndLine(j.Of)
	return cmp.Or(
		cmp.Compare(indexOf(kinds, i.Of), indexOf(kinds, j.Of)), cmp.Compare(fileI, fileJ), cmp.Compare(lineI, lineJ),
		cmp.Compare(indexOf(cases, i.Case), indexOf(cases, j.Case)), cmp.Compare(i.Case, j.Case),
	)
}

// indexOf is the place of a text among those with which it may begin.
func indexOf(beginnings []string, text string) int {
	return slices.IndexFunc(beginnings, func(b string) bool { return strings.HasPrefix(text, b) })
}

// saw says that something has happened, if it is known that it can.
func (w *Workflow) saw(kind, of, name string) bool {
	if of != "" {
		of = " " + of
	}
	known := w.byKey[key{kind + of, name}]
	if known != nil {
		known.Seen++
	}
	return known != nil
}

// Merge adds what another report holds.
func (r *Report) Merge(other *Report) {
	for _, name := range slices.Sorted(maps.Keys(other.workflows)) {
		from, w := other.workflows[name], r.workflow(name)
		w.Runs += from.Runs
		for _, i := range from.Items {
			w.item(*i).Seen += i.Seen
		}
	}
}

// Workflows are those of the report: the one of which the least was seen first.
func (r *Report) Workflows() []*Workflow {
	all := slices.Collect(maps.Values(r.workflows))
	for _, w := range all {
		slices.SortFunc(w.Items, (*Item).compare)
	}
	slices.SortFunc(all, func(a, b *Workflow) int {
		return cmp.Or(cmp.Compare(percent(a.count()), percent(b.count())), cmp.Compare(a.Name, b.Name))
	})
	return all
}

func (w *Workflow) count() (seen, all int) {
	for _, i := range w.Items {
		if i.Seen > 0 {
			seen++
		}
	}
	return seen, len(w.Items)
}

// Count is how many items were seen, of how many.
func (r *Report) Count() (seen, all int) {
	for _, w := range r.workflows {
		s, a := w.count()
		seen, all = seen+s, all+a
	}
	return seen, all
}

// Percent is the share of items that were seen; 100 if there are none.
func (r *Report) Percent() float64 { return percent(r.Count()) }

func percent(seen, all int) float64 {
	if all == 0 {
		return 100
	}
	return 100 * float64(seen) / float64(all)
}

// file is a report as JSON.
type file struct {
	Workflows []fileWorkflow `json:"workflows"`
}

type fileWorkflow struct {
	Name  string     `json:"name"`
	Runs  int        `json:"runs"`
	Items []fileItem `json:"items"`
}

type fileItem struct {
	Of   string `json:"of"`
	Case string `json:"case"`
	Seen int    `json:"seen"`
	Try  string `json:"try"`
}

// MarshalJSON writes the report, which is the same for the same histories.
func (r *Report) MarshalJSON() ([]byte, error) {
	f := file{Workflows: []fileWorkflow{}}
	for _, w := range r.Workflows() {
		one := fileWorkflow{Name: w.Name, Runs: w.Runs, Items: []fileItem{}}
		for _, i := range w.Items {
			one.Items = append(one.Items, fileItem{i.Of, i.Case, i.Seen, i.Try})
		}
		f.Workflows = append(f.Workflows, one)
	}
	return json.Marshal(f)
}

// UnmarshalJSON reads what [Report.MarshalJSON] wrote.
func (r *Report) UnmarshalJSON(text []byte) error {
	var f file
	if err := json.Unmarshal(text, &f); err != nil {
		return err
	}
	if f.Workflows == nil {
		return fmt.Errorf(`coverage: this is no report: it has no "workflows"`)
	}
	*r = Report{}
	for _, from := range f.Workflows {
		w := r.workflow(from.Name)
		w.Runs += from.Runs
		for _, i := range from.Items {
			w.item(Item{Of: i.Of, Case: i.Case, Try: i.Try}).Seen += i.Seen
		}
	}
	return nil
}
