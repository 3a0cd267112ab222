package sim

import (
	"context"
	"hash"
	"hash/fnv"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/stage"
	"github.com/clewflow/clew/lookup"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/store/memory"
)

const namespace = "sim"

// World is a log and all that goes on around it.
type World struct {
	t      *testing.T
	report *Report
	seed   uint64
	dice   *rand.Rand // of the director
	ids    *rand.ChaCha8
	began  time.Time
	stage  *stage.Stage[fault]
	disk   *memory.Disk
	index  *lookup.Index // survives the processes, as a file does
	weather
	judge   *judge
	clients []*client
	script  *script // nil: the seed says what goes wrong

	ctx    context.Context // of the world
	end    context.CancelFunc
	dying  sync.WaitGroup // lives that have ended
	people sync.WaitGroup // clients, and those who complete attempts from outside
	later  []func()       // appends that are on their way, though nobody knows

	mu    sync.Mutex
	trace hash.Hash
	life  *life
	lives []*life // of a world of several nodes, in the order in which they came
	well  bool    // the second phase

	names     int              // of nodes that have joined
	processes int              // that have begun
	tags      map[string]*life // all of them
	plans     []plan           // what becomes of nodes later
	troubled  time.Time        // when something became of one last
	survivors []*lookup.Index
}

// weather is how bad a world is: of what may go wrong only some does, each rarely or often.
type weather struct {
	rates   map[fault]float64
	deaths  float64 // a move
	pause   float64 // a move: time passes though somebody waits
	offset  time.Duration
	moves   int
	memory  int
	hands   int
	changes bool // of code
	ranks   bool // the director has favourites
	pauses  bool // clients pause executions
	limits  bool // of activities, which clients change
	slots   bool // runs of a key are limited
	crowded bool // open runs are limited
	reruns  bool // clients have closed executions go on
	several      // nodes
}

// What waits at the stage.
const (
	appends = iota
	begins
	ends
	errands
	requests
	answers
	paces
	goesOn
	turns // what has come for an execution is handled: nobody's choice, but one after the other
)

func newWorld(t *testing.T, r *Report, s *script) *World {
	w := &World{
		t: t, report: r, seed: r.Seed, dice: rand.New(rand.NewPCG(r.Seed, 0)), began: time.Now(), stage: stage.New[fault](), disk: memory.NewDisk(),
		tags: map[string]*life{}, trace: newTrace(), script: s, well: s != nil,
	}
	var seed [32]byte
	for i := range seed {
		seed[i] = byte(r.Seed >> (8 * (i % 8)))
	}
	w.ids = rand.NewChaCha8(seed)
	w.ctx, w.end = context.WithCancel(t.Context())
	w.judge = newJudge(w)
	if w.weather = w.forecast(); s != nil {
		w.weather = weather{}
	} else if w.hash(0, "nodes")%shareOfNodes == 0 {
		w.forecastNodes()
	}
	w.pauses = s == nil && w.hash(0, "pauses")%3 == 0
	w.limits = s == nil && w.hash(0, "limits")%3 == 0
	w.slots = s == nil && w.nodes == 0 && w.hash(0, "slots")%3 == 0
	w.crowded = s == nil && w.nodes == 0 && !w.slots && w.hash(0, "crowd")%3 == 0
	w.reruns = s == nil && w.hash(0, "reruns")%3 == 0
	w.spare(r.Plan)
	for _, part := range parts() {
		if w.has(part) {
			r.Weather = append(r.Weather, part)
		}
	}
	var err error
	if w.index, err = lookup.Open(w.ctx, ":memory:", lookup.Options{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}); err != nil {
		t.Fatal(err)
	}
	if s != nil {
		w.clients = []*client{newClient(w, 0)}
		return w
	}
	for i := range 2 + w.dice.IntN(2) {
		w.clients = append(w.clients, newClient(w, i))
	}
	return w
}

// forecast draws the weather.
func (w *World) forecast() weather {
	rng := w.dice
	f := weather{
		rates: map[fault]float64{}, moves: 550 + rng.IntN(1000), memory: []int{0, 0, runtime.Forget, 20 << 10}[rng.IntN(4)],
		hands: []int{0, 1, 2}[rng.IntN(3)], changes: rng.IntN(3) == 0, ranks: rng.IntN(4) == 0,
	}
	for _, kind := range faults {
		if rng.IntN(3) == 0 {
			f.rates[kind] = []float64{0.01, 0.05, 0.2}[rng.IntN(3)]
		}
	}
	if rng.IntN(4) > 0 {
		f.deaths = []float64{0.003, 0.01, 0.03}[rng.IntN(3)]
	}
	if rng.IntN(2) == 0 {
		f.pause = []float64{0.01, 0.1}[rng.IntN(2)]
	}
	if rng.IntN(3) == 0 {
		f.offset = []time.Duration{time.Second, time.Hour, 10 * 365 * 24 * time.Hour}[rng.IntN(3)]
	}
	return f
}

// live is the life of the world.
func (w *World) live() {
	w.populate()
	for _, c := range w.clients {
		w.people.Go(c.live)
	}
	if w.script == nil {
		w.direct(func() bool { return w.report.Made >= w.moves })
		if !w.isWrong() {
			w.recover()
		}
	}
	limit := time.Now().Add(w.bound())
	w.direct(func() bool { return w.over() || time.Now().After(limit) })
	if !w.isWrong() && !w.over() {
		w.wrong("not all ends: %s", w.stuck())
	}
	w.dieOut()
	w.end()
	w.people.Wait()
	w.dying.Wait()
	if !w.isWrong() {
		w.audit()
	}
	w.report.Entries, w.report.done = w.judge.total(), w.judge.done()
	if err := w.index.Close(); err != nil {
		w.wrong("the index cannot be closed: %v", err)
	}
}

// bound is how long all may take to end when all is well: what was begun when the clock was wrong ends when the clock has come to it.
func (w *World) bound() time.Duration {
	if w.nodes > 0 {
		return time.Hour
	}
	return 2*w.offset + 60*24*time.Hour
}

// recover makes all well: what was on its way arrives, and a process that is all right begins.
func (w *World) recover() {
	w.note("all is well")
	w.mu.Lock()
	w.well = true
	w.mu.Unlock()
	if w.nodes > 0 {
		w.heal()
	} else {
		w.die()
		w.dying.Wait()
	}
	for _, arrive := range w.later {
		arrive()
	}
	w.later = nil
	w.populate()
}

func (w *World) isWell() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.well
}

// direct moves the world until it is enough, or something is wrong.
func (w *World) direct(enough func() bool) {
	for !w.isWrong() {
		w.rest()
		if enough() {
			return
		}
		w.carryOut()
		w.report.Made++
		switch waiting := w.stage.Waiting(); {
		case !w.well && w.dice.Float64() < w.deaths:
			w.crash()
		case !w.well && w.nodes > 0 && w.dice.Float64() < w.troubles:
			w.trouble()
		case len(waiting) == 0:
			w.judge.atRest()
			w.pass()
		case !w.well && w.dice.Float64() < w.pause:
			w.fault("pause")
			time.Sleep(time.Duration(w.dice.Int64N(int64(7 * time.Second))))
			w.wasAway()
		default:
			w.let(w.choose(waiting))
		}
		if w.report.Made > mostMoves*max(1, 10*min(w.nodes, 1)) {
			w.wrong("the world does not come to an end: %s", w.stuck())
		}
	}
}

// rest waits until nobody goes on by himself.
func (w *World) rest() {
	for {
		synctest.Wait()
		waiting := w.stage.Waiting()
		i := slices.IndexFunc(waiting, func(p stage.Place) bool { return p.Rank == turns })
		if i < 0 {
			return
		}
		w.stage.Let(waiting[i], none)
	}
}

// mostMoves is how many moves no world takes in which all is well in the end.
const mostMoves = 15_000

// choose chooses who goes on: anybody, or in some worlds who is liked best.
func (w *World) choose(waiting []stage.Place) stage.Place {
	switch {
	case w.script != nil:
		return waiting[0]
	case !w.ranks:
		return waiting[w.dice.IntN(len(waiting))]
	}
	epoch := uint64(w.report.Made / 50) // favour lasts a while
	return slices.MaxFunc(waiting, func(a, b stage.Place) int {
		x, y := w.hash(epoch, a.Execution, a.What, a.Step), w.hash(epoch, b.Execution, b.What, b.Step)
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return -a.Compare(b)
	})
}

// let lets somebody go on.
func (w *World) let(p stage.Place) {
	verdict := w.verdict(p)
	w.note("let %d %s %s %d %d %s: %s", p.Rank, p.Execution, p.Run, p.Step, p.Number, p.What, verdict)
	w.stage.Let(p, verdict)
	if verdict == storedDying || verdict == lostDying {
		w.rest()
		w.crashOf(p)
	}
	if p.Rank == appends {
		w.arrive()
	}
}

// arrive lets an append arrive that was on its way, now and then.
func (w *World) arrive() {
	w.rest() // what was let go may be one
	if len(w.later) > 0 && w.dice.IntN(3) == 0 {
		arrive := w.later[0]
		w.later = w.later[1:]
		arrive()
	}
}

// pass lets time pass until something happens.
func (w *World) pass() {
	most := map[bool]time.Duration{false: time.Hour, true: 30 * 24 * time.Hour}[w.well]
	for _, p := range w.plans {
		most = min(most, time.Until(p.at))
	}
	alarm := time.NewTimer(most)
	defer alarm.Stop()
	select {
	case <-w.stage.News():
	case <-alarm.C:
	}
}

// over reports whether all clients are done and no execution is open.
func (w *World) over() bool {
	for _, c := range w.clients {
		if !c.isDone() {
			return false
		}
	}
	return len(w.stage.Waiting()) == 0 && w.judge.open() == 0
}

// hash is a number that depends on the seed and on what is given, and on nothing else.
func (w *World) hash(n uint64, texts ...any) uint64 {
	h := fnv.New64a()
	var b [8]byte
	for _, v := range []uint64{w.seed, n} {
		for i := range b {
			b[i] = byte(v >> (8 * i))
		}
		_, _ = h.Write(b[:]) // never fails
	}
	for _, text := range texts {
		switch v := text.(type) {
		case string:
			_, _ = h.Write([]byte(v))
		case uint64:
			for i := range b {
				b[i] = byte(v >> (8 * i))
			}
			_, _ = h.Write(b[:])
		}
		_, _ = h.Write([]byte{0})
	}
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd // the last bits of the hash alone are not random enough
	return x ^ x>>33
}

// chance is the same number from 0 up to 1 for the same thing.
func (w *World) chance(n uint64, texts ...any) float64 {
	return float64(w.hash(n, texts...)>>11) / (1 << 53)
}

func idOf(workflow string) history.ID { return history.ID{Namespace: namespace, Workflow: workflow} }
