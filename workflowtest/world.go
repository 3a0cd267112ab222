package workflowtest

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	goruntime "runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/stage"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/store/memory"
	"github.com/clewflow/clew/vault"
	"github.com/clewflow/clew/workflow"
)

// World is where a workflow is tested. Acts get it.
type World struct {
	T       *testing.T // of the virtual clock
	Context context.Context
	Runtime *runtime.Runtime // the one that was alive when the act began, see [World.Try]
	ID      string           // workflow id
	Again   bool             // the test was performed before and is compared with that

	play   *play
	memory int // of the runtime
	disk   *memory.Disk
	dice   *rand.ChaCha8
	vault  *vault.Vault // where activities keep files; payloads are stored as they are
	stage  *stage.Stage[fate]
	known  chronicle
	cast   cast
	plot   *plot // what is to go otherwise; nil: nothing
	began  time.Time
	dying  sync.WaitGroup // lives that have ended
	cancel context.CancelFunc
	actors sync.WaitGroup // acts that are under way

	over     chan struct{}         // closed at the end
	deployed []workflow.Definition // what comes before the definitions of the test
	requests int                   // that have ids
	awaited  []condition           // that have not held yet
	tried    trial

	mu      sync.Mutex
	acts    int    // that are under way
	newest  *life  // that was begun
	dead    bool   // the newest has died, and another is to begin
	problem string // why the test cannot go on
	log     bytes.Buffer
}

// What waits at the stage, in the order in which it goes on: what the runtime has to do, attempts in the order of their steps,
// what one execution wants of another.
const (
	appends = iota
	paces
	ends
	begins
	errands
	clients
	deaths // of processes, by their attempts
)

// fate is what becomes of those who wait at the stage. The zero fate is to go on as they are.
type fate struct {
	lost   bool // an append: it is not stored
	unsure bool // an append: whether it was stored is not told
	dies   bool // an append: its process dies before it is told anything
}

// Nobody's test takes longer, or writes more.
const (
	longest   = commands.MaxDuration
	most      = 100_000
	mostMoves = 2_000_000
)

const namespace = "test"

// perform performs the play once, as a staging says, all on the virtual clock. The last act asks for the result; end is shown what came
// of it, also if it did not come to that. It returns why it did not.
func (p *play) perform(t *testing.T, s staging, result, end Act) (problem, logged string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		w := &World{
			T: t, Context: ctx, cancel: cancel, ID: p.id, Again: s.back != nil, play: p, memory: s.memory, disk: memory.NewDisk(), plot: s.plot,
			dice: rand.NewChaCha8([32]byte{'c', 'l', 'e', 'w'}), began: time.Now(), stage: stage.New[fate](), over: make(chan struct{}),
			known: chronicle{executions: map[history.ID]*known{}, stubbed: map[string]bool{}, types: map[string]bool{}},
		}
		var err error
		if w.vault, err = vault.New(vault.Options{Blobs: new(vault.MemoryBlobs), Threshold: math.MaxInt}); err != nil {
			t.Fatal(err)
		}
		w.cast.init(w, s.back)
		defer w.end()
		w.run(result)
		end(w)
		problem, logged = w.report()
		p.last = w.deployed
	})
	return problem, logged
}

// staging says how a play is performed.
type staging struct {
	memory int       // of the runtime
	back   recording // what activities are to do again, as far as it was recorded; nil: they are to be made
	plot   *plot     // what is to go otherwise
}

// run lets things happen until the workflow has ended and all acts are performed, the last of which asks for the result. Only when everything rests does it look, and
// then it moves one thing.
func (w *World) run(result Act) {
	w.begin(w.start)
	asked := false // for the result
	moves := 0
	w.awaited = slices.Clone(w.play.awaited)
	for script := w.plot.script(w.play.script); ; {
		synctest.Wait()
		w.enter()
		w.look()
		if moves++; moves > mostMoves || w.plot != nil && moves > mostMoves/10 {
			w.fail("%s does not end: it has come to rest %d times", w.play, moves)
		}
		passed := time.Since(w.began)
		waiting := w.stage.Waiting()
		due := len(script) > 0 && script[0].at <= passed && !w.busy()
		switch {
		case w.stopped():
			return
		case len(waiting) > 0 && !(due && script[0].first):
			w.let(waiting[w.plot.next(w, waiting)])
			continue
		case due:
			act := script[0].act
			script = script[1:]
			w.begin(func() { act(w) })
			continue
		case w.busy():
		case w.tries():
			continue
		case asked:
			if n := len(w.awaited); n > 0 && w.plot == nil {
				w.fail("%s ended, and %d %s of When never held", w.play, n, plural(n, "condition", "conditions"))
			}
			return
		case len(script) == 0 && w.known.over(w.id()):
			asked = true
			w.begin(func() { result(w) })
			continue
		case len(script) == 0 && w.hangs():
			w.fail("%s waits for what never comes:\n%s", w.play, w.waiting())
			return
		}
		w.rest(script, passed)
	}
}

// start is the first act.
func (w *World) start() {
	w.Runtime = w.open().rt
	if past := w.play.past; len(past) > 0 {
		if err := w.newest.log.Append(w.Context, w.id(), past...); err != nil {
			w.fail("putting what is recorded into the log: %v", err)
			return
		}
	}
	named := w.named("start")
	err := w.Try(func(rt *runtime.Runtime) error { return w.play.start(w.Context, rt, named) })
	if err != nil {
		w.fail("starting: %v", err)
	}
}

// tries tries the conditions of acts, if anything has changed since it did so last.
func (w *World) tries() bool {
	now := trial{w.known.total(), time.Since(w.began)}
	if len(w.awaited) == 0 || now == w.tried {
		return false
	}
	w.tried = now
	w.begin(func() {
		w.awaited = slices.DeleteFunc(w.awaited, func(c condition) bool {
			if w.stopped() || !c.holds(w) {
				return false
			}
			for _, act := range c.acts {
				act(w)
			}
			return true
		})
	})
	return true
}

// trial is how things stood when conditions were tried.
type trial struct {
	entries int
	passed  time.Duration
}

// begin begins an act, on a goroutine of its own because what it does waits at the stage.
func (w *World) begin(act func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.acts++
	w.actors.Go(func() {
		whole := false
		defer func() {
			if !whole { // it called FailNow
				w.fail(stoppedByItself)
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			w.acts--
			w.stage.Tell()
		}()
		act()
		whole = true
	})
}

// busy reports whether an act is under way.
func (w *World) busy() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.acts > 0
}

// let lets one of those who wait at the stage go on.
func (w *World) let(p stage.Place) {
	fate, then := w.plot.fate(w, p)
	w.stage.Let(p, fate)
	if then != nil {
		synctest.Wait()
		then()
	}
}

// crash lets the process die where it stands. Another begins after a while.
func (w *World) crash(after time.Duration) {
	w.mu.Lock()
	newest, dead := w.newest, w.dead
	w.dead = true
	w.mu.Unlock()
	if dead {
		return // it has died already, and the next is yet to begin
	}
	newest.die()
	w.begin(func() {
		if time.Sleep(after); w.Context.Err() != nil {
			return
		}
		w.open()
	})
}

// enter shows acts the process that is there. One that is under way sees it by [World.Try].
func (w *World) enter() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.acts == 0 && w.newest != nil {
		w.Runtime = w.newest.rt
	}
}

// rest waits until something happens or the next act is due.
func (w *World) rest(script []cue, passed time.Duration) {
	until := longest + time.Second - passed
	if len(script) > 0 && script[0].at > passed {
		until = script[0].at - passed
	}
	if w.known.trying() {
		until = min(until, patient)
	}
	alarm := time.NewTimer(until)
	defer alarm.Stop()
	select {
	case <-w.stage.News():
	case <-alarm.C:
	}
}

// look looks for what is wrong.
func (w *World) look() {
	switch wrong := w.known.wrong(); {
	case wrong != "":
		w.fail("%s", wrong)
	case w.known.total() > most:
		w.fail("%s does not end: there are %d entries; cancel it with an act", w.play, w.known.total())
	case time.Since(w.began) > longest:
		w.fail("%s does not end: %d years have passed; cancel it with an act", w.play, longest/(365*24*time.Hour))
	}
}

// Entries are the history of the workflow so far.
func (w *World) Entries() []history.Entry { return w.known.entries(w.id()) }

func (w *World) id() history.ID { return history.ID{Namespace: namespace, Workflow: w.ID} }

// hangs reports whether nothing will ever happen by itself.
func (w *World) hangs() bool { return !w.cast.busy() && w.known.rests() }

// waiting says what the open executions wait for.
func (w *World) waiting() string {
	w.known.mu.Lock()
	ids := w.known.ids()
	w.known.mu.Unlock()
	var b strings.Builder
	for _, id := range ids {
		d, err := w.newest.rt.Describe(w.Context, id.Workflow)
		if err != nil || d.Status&history.StatusOpen == 0 {
			continue
		}
		for _, reason := range d.Waiting {
			fmt.Fprintf(&b, "  %s waits for %s\n", id.Workflow, reason)
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// fail says why the test cannot go on. The first reason counts.
func (w *World) fail(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.problem == "" {
		w.problem = fmt.Sprintf(format, args...)
	}
	w.stage.Tell()
}

const stoppedByItself = "the test was stopped by one of its acts"

// fatal is fail for acts: they end with it.
func (w *World) fatal(format string, args ...any) {
	w.fail(format, args...)
	goruntime.Goexit()
}

func (w *World) stopped() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.problem != ""
}

// report is why the test could not go on, and what was logged; empty: all went well.
func (w *World) report() (problem, logged string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	logged = w.log.String()
	const enough = 8 << 10
	if len(logged) > enough {
		logged = logged[:enough/2] + "\n…\n" + logged[len(logged)-enough/2:]
	}
	return w.problem, logged
}
