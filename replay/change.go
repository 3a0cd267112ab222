package replay

import (
	"fmt"
	"iter"
	"strings"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/diff"
)

// Change is what was changed in the code. The words never change.
type Change string

// What may have been changed.
const (
	Added    Change = "added"    // it asks for something that is not recorded
	Removed  Change = "removed"  // it does not ask for something that is recorded
	Replaced Change = "replaced" // it asks for something else
	Moved    Change = "moved"    // it asks in another order
	Changed  Change = "changed"  // it asks for the same with another value
)

const renamed = "; was it renamed?"

// How much a mismatch shows, in decisions.
const (
	before = 3
	after  = 5
)

// agreed is a decision at which code and history agreed.
type agreed struct {
	seq             uint64
	recorded, asked wish
}

// A parting is what is recorded and what is asked from a mismatch on, paired.
type parting struct {
	agreed   []agreed // what came before
	recorded []wish
	seqs     []uint64 // of what is recorded
	asked    []wish
	pairs    []diff.Pair
	more     bool // the first that is asked has no entry in answer to what it was asked in answer to
	none     bool // nothing is asked in answer to what the first that is recorded answers
	foreseen bool // asked is what the code asks further on, and not only in this turn
}

// explain says of a mismatch what was changed, and what to do about it. rest are the entries of the run from there on.
func (m *Machine) explain(mm *Mismatch, rest []history.Entry) {
	p := &parting{agreed: m.agreement, more: mm.Recorded == "", none: mm.Asked == "", foreseen: m.config.Forecast}
	if p.more {
		rest = rest[1:]
	}
	waits := m.waits()
	for _, e := range rest {
		if _, kept := e.Event.(*history.Kept); e.Event.Role() == history.Decision && !kept && len(p.recorded) < mostAsked {
			p.recorded, p.seqs = append(p.recorded, recorded(e.Event)), append(p.seqs, e.Seq)
		}
	}
	for _, a := range m.asked {
		if !m.isDead(a.command) {
			p.asked = append(p.asked, asked(a.command))
		}
	}
	if m.config.Forecast {
		p.asked, mm.Guessed = m.forecast(rest)
	}
	p.pairs = diff.Align(len(p.recorded), len(p.asked), func(i, j int) int { return p.recorded[i].fits(p.asked[j]) })
	change, why := p.change()
	if change != "" {
		mm.Change, mm.Why = change, why
	}
	if p.none && waits != "" {
		mm.Why += "; it waits for " + waits
	}
	mm.Window = p.window()
	p.advise(mm)
}

// waits says what the code waits for.
func (m *Machine) waits() string {
	var all []string
	for _, c := range m.group.Blocked() {
		all = append(all, c.For...)
	}
	return strings.Join(all, ", ")
}

// lone are the places that are only recorded, and those that are only asked, before the first that is both.
func (p *parting) lone() (recorded, asked []int) {
	for _, pair := range p.pairs {
		switch {
		case pair.Right < 0:
			recorded = append(recorded, pair.Left)
		case pair.Left < 0:
			asked = append(asked, pair.Right)
		default:
			return recorded, asked
		}
	}
	return recorded, asked
}

// change tells what was changed; empty if what is asked first is what is recorded first, with another value.
func (p *parting) change() (Change, string) {
	gone, new := p.lone()
	switch {
	case len(gone)+len(new) == 0 && p.more:
		w := p.recorded[0]
		return Moved, fmt.Sprintf("the code asks in another order: it %s%s in answer to an earlier entry than is recorded", w.phrase(), w.numbered())
	case len(gone)+len(new) == 0 && p.none:
		w := p.recorded[0]
		return Moved, fmt.Sprintf("the code asks in another order: it %s%s later than is recorded", w.phrase(), w.numbered())
	case len(gone)+len(new) == 0:
		return "", ""
	case len(gone) > 0 && p.comes(p.recorded[gone[0]], false):
		return Moved, p.order(p.recorded[gone[0]], "later")
	case len(new) > 0 && p.comes(p.asked[new[0]], true):
		return Moved, p.order(p.asked[new[0]], "earlier")
	case len(gone) == 0:
		w := p.asked[new[0]]
		if len(p.recorded) == 0 {
			return Added, fmt.Sprintf("the code now %s%s, where nothing more is recorded", w.phrase(), w.numbered())
		}
		return Added, fmt.Sprintf("the code now %s%s before %s; that is not recorded", w.phrase(), w.numbered(), p.recorded[0].noun())
	case len(new) == 0:
		w := p.recorded[gone[0]]
		return Removed, fmt.Sprintf("the code no longer %s%s, which is recorded", w.phrase(), w.numbered())
	}
	r, a := p.recorded[gone[0]], p.asked[new[0]]
	why := fmt.Sprintf("the code now %s%s, where the history %s", a.phrase(), a.numbered(), r.phrase())
	if r.kind == a.kind && r.name != a.name {
		why += renamed
	}
	return Replaced, why
}

// comes reports whether a wish is met further on, alone on the other side: among what is recorded, or what is asked. Of
// several that are called alike it must be the very same.
func (p *parting) comes(w wish, recorded bool) bool {
	least := 2
	if alike(p.recorded, w) > 1 || alike(p.asked, w) > 1 {
		least = 3
	}
	for _, pair := range p.pairs {
		if recorded && pair.Right < 0 && p.recorded[pair.Left].fits(w) >= least || !recorded && pair.Left < 0 && p.asked[pair.Right].fits(w) >= least {
			return true
		}
	}
	return false
}

// wishes are all that is known of.
func (p *parting) wishes() iter.Seq[wish] {
	return func(yield func(wish) bool) {
		for _, a := range p.agreed {
			if !yield(a.asked) {
				return
			}
		}
		for _, all := range [][]wish{p.recorded, p.asked} {
			for _, w := range all {
				if !yield(w) {
					return
				}
			}
		}
	}
}

func alike(all []wish, w wish) (n int) {
	for _, other := range all {
		if other.fits(w) > 0 {
			n++
		}
	}
	return n
}

// passed is what a wish that has moved has changed places with, if that is one thing.
func (p *parting) passed() (w wish, ok bool) {
	if len(p.pairs) < 3 || p.pairs[1].Left < 0 || p.pairs[1].Right < 0 {
		return w, false
	}
	first, last := p.pairs[0], p.pairs[2]
	if first.Right < 0 && last.Left < 0 && p.recorded[first.Left].fits(p.asked[last.Right]) > 0 ||
		first.Left < 0 && last.Right < 0 && p.asked[first.Right].fits(p.recorded[last.Left]) > 0 {
		return p.asked[p.pairs[1].Right], true
	}
	return w, false
}

func (p *parting) order(w wish, when string) string {
	if other, ok := p.passed(); ok {
		return fmt.Sprintf("the code asks in another order: %s and %s have changed places", w.noun(), other.noun())
	}
	return fmt.Sprintf("the code asks in another order: %s comes %s than is recorded", w.noun(), when)
}

// phrase is what the code does, as in "the code asks for activity charge".
func (w wish) phrase() string {
	switch w.kind {
	case cancelsActivity, cancelsChild:
		return fmt.Sprintf("cancels the %s of step %d", strings.TrimPrefix(string(w.kind), "cancel "), w.step)
	case stopsTimer:
		return fmt.Sprintf("stops the timer of step %d", w.step)
	case aSignal:
		return fmt.Sprintf("sends signal %s to %s", w.name, w.id)
	case asksToEnd:
		return fmt.Sprintf("asks %s to end", w.id)
	case attributes:
		return "sets attributes"
	case aView:
		return "publishes a view"
	case answers, refuses:
		return strings.Replace(w.called(), " ", "s ", 1)
	case continues:
		return "continues as new"
	case completes:
		return "completes"
	case fails:
		return "fails"
	case endsCancelled:
		return "ends as cancelled"
	}
	return "asks for " + w.noun()
}

// noun is what a wish is in the middle of a sentence.
func (w wish) noun() string {
	switch w.kind {
	case aTimer, aView, aLookup, aCount:
		return "a " + w.called()
	case cancelsActivity, cancelsChild:
		return fmt.Sprintf("the cancel of step %d", w.step)
	case stopsTimer:
		return fmt.Sprintf("the stop of the timer of step %d", w.step)
	case answers, refuses:
		return "the answer to update " + w.id
	case asksToEnd:
		return fmt.Sprintf("the wish that %s end", w.id)
	}
	if w.kind.ends() {
		return "the end"
	}
	return w.called()
}

// numbered is the step of what has one of its own.
func (w wish) numbered() string {
	switch w.kind {
	case cancelsActivity, cancelsChild, stopsTimer:
		return ""
	}
	if w.step == 0 {
		return ""
	}
	return fmt.Sprintf(" (step %d)", w.step)
}

// unforeseen stands for what the code would ask further on.
const unforeseen = "?"

// window are the decisions about the place.
func (p *parting) window() []Row {
	var rows []Row
	for _, a := range p.agreed[max(0, len(p.agreed)-before):] {
		rows = append(rows, Row{Seq: a.seq, Recorded: a.recorded.brief(longest), Asked: a.asked.brief(longest)})
	}
	here, shown := len(rows), 0
	add := func(recorded, asked int) {
		row := p.row(recorded, asked)
		if shown = max(shown, asked+1); asked < 0 && shown == len(p.asked) && len(rows) > here && !p.foreseen {
			row.Asked = unforeseen
		}
		rows = append(rows, row)
	}
	var gone, new []int
	flush := func() { // what is asked beside what is recorded in its place
		for i := range max(len(gone), len(new)) {
			add(at(gone, i), at(new, i))
		}
		gone, new = nil, nil
	}
	for _, pair := range p.pairs {
		switch {
		case pair.Right < 0:
			gone = append(gone, pair.Left)
		case pair.Left < 0:
			new = append(new, pair.Right)
		default:
			flush()
			add(pair.Left, pair.Right)
		}
	}
	flush()
	rows[here].Here = true
	return rows[:min(len(rows), here+after+1)]
}

func at(places []int, i int) int {
	if i < len(places) {
		return places[i]
	}
	return -1
}

// row is what stands at two places, each -1 if it is none.
func (p *parting) row(recorded, asked int) (r Row) {
	if recorded >= 0 {
		r.Seq, r.Recorded = p.seqs[recorded], p.recorded[recorded].brief(longest)
	}
	if asked >= 0 {
		r.Asked = p.asked[asked].brief(longest)
	}
	return r
}
