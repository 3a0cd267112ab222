package workflowtest

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/clewflow/clew/internal/stage"
	"github.com/clewflow/clew/workflow"
)

// A plot is what goes otherwise than by itself. The nil plot is nothing.
//
// What becomes of something depends on the seed and on what it is, and not on what became of others. So one twist can be left out
// and the others stay.
type plot struct {
	seed   uint64
	rates  map[string]float64 // how often something comes to each word; nil: never
	given  map[string]twist   // what was asked for; nil: it is chosen
	others int                // how many other codes there are
	hints  []time.Duration    // moments at which something happened when nothing went otherwise

	mu      sync.Mutex
	decided map[string]twist
	used    []twist
	spent   map[string]bool // twists that come true once
}

// mostOften is how often something goes otherwise at most, and tries is how often in a row: what is tried again and again succeeds
// in the end.
const (
	mostOften = 0.6
	tries     = 5
)

// plotOf is the plot of a seed: some of what may happen, each rarely or often.
func plotOf(seed uint64, others int, hints []time.Duration) *plot {
	rng := rand.New(rand.NewPCG(seed, 1))
	p := &plot{seed: seed, rates: map[string]float64{}, others: others, hints: hints, decided: map[string]twist{}, spent: map[string]bool{}}
	for _, w := range words {
		if rng.IntN(5) < 2 {
			p.rates[w] = []float64{0.02, 0.1, 0.3}[rng.IntN(3)]
		}
	}
	for _, w := range []string{performedAt, performedLast, goesFirst} {
		p.rates[w] = min(0.5, 3*p.rates[w]) // there are few acts
	}
	for _, w := range []string{lostDying, storedDying, takenOver} {
		p.rates[w] = min(p.rates[w], 0.1) // else hardly anything would happen between
	}
	if rng.IntN(3) == 0 {
		p.rates[forgets] = 1
	}
	return p
}

// plotWith is the plot of some twists.
func plotWith(twists []twist) *plot {
	p := &plot{given: map[string]twist{}, decided: map[string]twist{}, spent: map[string]bool{}}
	for _, t := range twists {
		p.given[t.where] = t
	}
	return p
}

// about says what becomes of something, once and for all; ok is false if it goes by itself. arg makes what a word needs.
func (p *plot) about(where string, words []string, arg func(*rand.Rand, string) string) (t twist, ok bool) {
	if p == nil {
		return t, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if t, known := p.decided[where]; known {
		return t, t.what != ""
	}
	if p.given != nil {
		t = p.given[where]
	} else {
		t = p.choose(where, words, arg)
	}
	p.decided[where] = t
	if t.what != "" {
		p.used = append(p.used, t)
	}
	return t, t.what != ""
}

func (p *plot) choose(where string, words []string, arg func(*rand.Rand, string) string) twist {
	h := fnv.New64a()
	_, _ = h.Write([]byte(where)) // never fails
	rng := rand.New(rand.NewPCG(p.seed, h.Sum64()))
	sum := 0.0
	for _, w := range words {
		sum += p.rates[w]
	}
	dice := rng.Float64() * max(1, sum/mostOften)
	for _, w := range words {
		if dice -= p.rates[w]; dice >= 0 {
			continue
		}
		t := twist{where: where, what: w}
		if arg != nil {
			t.arg = arg(rng, w)
		}
		return t
	}
	return twist{}
}

// twists are those that there were.
func (p *plot) twists() []twist {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.used)
}

// next is which of those who wait at the stage is to go on.
func (p *plot) next(w *World, waiting []stage.Place) int {
	if p == nil || len(waiting) == 1 {
		return 0
	}
	i := slices.IndexFunc(waiting, func(place stage.Place) bool {
		_, wait := p.about(w.where(place), []string{waits}, nil)
		return !wait
	})
	return max(i, 0)
}

// fate is what becomes of one of those who wait, and what happens then; nil: nothing.
func (p *plot) fate(w *World, place stage.Place) (f fate, then func()) {
	switch place.Rank {
	case deaths:
		return fate{}, func() { w.crash(time.Second) }
	case appends:
	default:
		return fate{}, nil
	}
	words := []string{lostDying, storedDying, unavailable, unsureLost, unsureStored}
	if p != nil && (p.others > 0 || p.given != nil) {
		words = append(words, takenOver)
	}
	t, _ := p.about(fmt.Sprintf("append %d%s", place.Number, w.within(place)), words, func(rng *rand.Rand, word string) string {
		if word == takenOver {
			return fmt.Sprint(rng.IntN(p.others + 1))
		}
		return ""
	})
	switch t.what {
	case lostDying:
		return fate{lost: true, dies: true}, func() { w.crash(time.Second) }
	case storedDying:
		return fate{dies: true}, func() { w.crash(time.Second) }
	case unavailable:
		return fate{lost: true}, nil
	case unsureLost:
		return fate{lost: true, unsure: true}, nil
	case unsureStored:
		return fate{unsure: true}, nil
	case takenOver:
		return fate{dies: true}, func() {
			w.deployed = w.other(t.number())
			w.crash(time.Second)
		}
	}
	return fate{}, nil
}

// other is the n-th other code, from 1; 0 is that of the test.
func (w *World) other(n int) []workflow.Definition {
	if codes := w.play.exploration.codes; n >= 1 && n <= len(codes) {
		return codes[n-1]
	}
	return nil
}

// attempt is what becomes of an attempt.
func (p *plot) attempt(w *World, a *attempt) twist {
	words := []string{fails, failsAfter, failsForGood, silent, silentAfter, panics, takes, late, twice, diesBefore, diesAfter}
	if p != nil && p.given == nil && a.place.Number > tries {
		return twist{}
	}
	t, _ := p.about(w.whose(a.place), words, func(rng *rand.Rand, word string) string {
		if word != takes {
			return ""
		}
		moments := w.known.moments(a.place, time.Now())
		d := time.Duration(rng.Int64N(int64(time.Hour)))
		if i := rng.IntN(len(moments) + 1); i < len(moments) {
			d = max(0, moments[i]+time.Duration(rng.IntN(3)-1)*time.Millisecond)
		}
		return d.String()
	})
	if (t.what == diesBefore || t.what == diesAfter) && !p.spend(t) {
		return twist{} // it is made again by the next process, which lives
	}
	return t
}

// spend reports whether a twist is met for the first time.
func (p *plot) spend(t twist) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	first := !p.spent[t.where]
	p.spent[t.where] = true
	return first
}

// script is when acts are performed.
func (p *plot) script(cues []cue) []cue {
	if p == nil {
		return cues
	}
	all := slices.Clone(cues)
	for i, c := range cues {
		t, _ := p.about(fmt.Sprint("act ", c.number), []string{performedAt, performedLast}, func(rng *rand.Rand, _ string) string {
			return p.moment(rng, c.at).String()
		})
		_, all[i].first = p.about(fmt.Sprint("the turn of act ", c.number), []string{goesFirst}, nil)
		switch t.what {
		case performedAt:
			all[i].at = t.lasts()
		case performedLast:
			all = append(all, cue{at: c.at + t.lasts(), act: c.act, number: c.number})
		}
	}
	slices.SortStableFunc(all, func(a, b cue) int { return int(a.at - b.at) })
	return all
}

// moment is another time for what is to happen at d.
func (p *plot) moment(rng *rand.Rand, d time.Duration) time.Duration {
	switch n := rng.IntN(len(p.hints) + 3); {
	case n < len(p.hints):
		d = p.hints[n]
	case n == len(p.hints):
		return 0
	case n == len(p.hints)+1:
		return time.Duration(rng.Int64N(int64(2*d + time.Minute)))
	}
	return max(0, d+time.Duration(rng.IntN(3)-1)*time.Millisecond)
}

// forgets reports whether executions are forgotten after each turn.
func (p *plot) forgets() bool {
	_, ok := p.about("the runtime", []string{forgets}, nil)
	return ok
}

// whose names an attempt.
func (w *World) whose(p stage.Place) string {
	return fmt.Sprintf("%s step %d attempt %d%s", p.What, p.Step, p.Number, w.within(p))
}

// within says which execution something is in, and which run, if it is not the obvious one.
func (w *World) within(p stage.Place) (s string) {
	if p.Execution != w.ID {
		s = " in " + p.Execution
	}
	if n := w.known.number(p); n > 1 {
		s += fmt.Sprint(" run ", n)
	}
	return s
}

// where names who waits at the stage.
func (w *World) where(p stage.Place) string {
	switch p.Rank {
	case begins:
		return "the beginning of " + w.whose(p)
	case ends:
		return "the end of " + w.whose(p)
	case paces:
		return fmt.Sprintf("the runtime's %q%s", p.What, w.within(p))
	case clients, deaths:
		return p.What + w.within(p)
	case errands:
		return fmt.Sprintf("errand %q of step %d%s", p.What, p.Step, w.within(p))
	}
	return fmt.Sprintf("the turn of append %d%s", p.Number, w.within(p))
}
