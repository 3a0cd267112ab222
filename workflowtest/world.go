package workflowtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/store/memory"
	"github.com/clewflow/clew/vault"
	"github.com/clewflow/clew/workflow"
)

// World is where a workflow is tested. Acts get it.
type World struct {
	T       *testing.T // of the virtual clock
	Context context.Context
	Runtime *runtime.Runtime // the one that is alive
	ID      string           // workflow id
	Again   bool             // the test was performed before and is compared with that

	play    *play
	memory  int
	disk    *memory.Disk
	dice    *rand.ChaCha8
	vault   *vault.Vault // where activities keep files; payloads are stored as they are
	life    *life
	began   time.Time
	dying   sync.WaitGroup // lives that have ended
	stubbed map[string]bool
	cast    cast

	mu      sync.Mutex
	errands []runtime.Errand // to be run, one after the other
	types   map[string]bool  // of workflows that are here
	known   map[history.ID]*known
	problem string        // why the test cannot go on
	news    chan struct{} // something has happened
	log     bytes.Buffer
}

// known is what the log holds of an execution.
type known struct {
	state   history.State
	entries []history.Entry
}

// Nobody's test takes longer, or writes more.
const (
	longest = commands.MaxDuration
	most    = 100_000
)

var namespace = "test"

// perform performs the play once and then calls end, all on the virtual clock. What activities did is played back as far
// as it was recorded; it returns what is recorded now.
func (p *play) perform(t *testing.T, memoryLimit int, back recording, end func(*World)) recording {
	t.Helper()
	var now recording
	synctest.Test(t, func(t *testing.T) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		w := &World{
			T: t, Context: ctx, ID: p.id, Again: back != nil, play: p, memory: memoryLimit, disk: memory.NewDisk(),
			dice: rand.NewChaCha8([32]byte{'c', 'l', 'e', 'w'}), began: time.Now(), stubbed: map[string]bool{}, types: map[string]bool{},
			known: map[history.ID]*known{}, news: make(chan struct{}, 1),
		}
		var err error
		if w.vault, err = vault.New(vault.Options{Blobs: new(vault.MemoryBlobs), Threshold: math.MaxInt}); err != nil {
			t.Fatal(err)
		}
		w.cast.init(back)
		defer w.end()
		w.open()
		if err := p.start(ctx, w.Runtime); err != nil {
			w.fatal("starting: %v", err)
		}
		w.run(p.script)
		if w.problem != "" {
			w.fatal("%s", w.problem)
		}
		end(w)
		now = w.cast.recorded
	})
	return now
}

// run lets things happen until the workflow has ended and all acts are performed. Only when everything rests does it look,
// and then it moves one thing.
func (w *World) run(script []cue) {
	w.T.Helper()
	for {
		synctest.Wait()
		passed := time.Since(w.began)
		switch problem := w.look(); {
		case problem != "":
			w.fail("%s", problem)
			return
		case w.cast.step(), w.runErrand():
			continue
		case len(script) > 0 && script[0].at <= passed:
			act := script[0].act
			script = script[1:]
			act(w)
			continue
		case len(script) == 0 && w.over():
			return
		case len(script) == 0 && w.hangs():
			w.fail("%s waits for what never comes:\n%s", w.play, w.waiting())
			return
		}
		w.rest(script, passed)
	}
}

// rest waits until something happens or the next act is due.
func (w *World) rest(script []cue, passed time.Duration) {
	until := longest + time.Second - passed
	if len(script) > 0 {
		until = script[0].at - passed
	}
	alarm := time.NewTimer(until)
	defer alarm.Stop()
	select {
	case <-w.news:
	case <-w.cast.news:
	case <-alarm.C:
	}
}

// look says what is wrong.
func (w *World) look() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.problem != "" {
		return w.problem
	}
	total := 0
	for id, k := range w.known {
		total += len(k.entries)
		if s := k.state.Stall; s != nil {
			return fmt.Sprintf("workflow %s (%s) stalls: %s%s", id.Workflow, k.state.Run.Type, s.Reason, stackOf(k.entries, s.Seq))
		}
	}
	switch {
	case total > most:
		return fmt.Sprintf("%s does not end: there are %d entries; cancel it with an act", w.play, total)
	case time.Since(w.began) > longest:
		return fmt.Sprintf("%s does not end: %d years have passed; cancel it with an act", w.play, longest/(365*24*time.Hour))
	}
	return ""
}

func stackOf(entries []history.Entry, seq uint64) string {
	i := slices.IndexFunc(entries, func(e history.Entry) bool { return e.Seq == seq })
	if i < 0 {
		return ""
	}
	detail := map[string]string{}
	if e, ok := entries[i].Event.(*history.Stalled); ok && e.Detail.Decode(&detail) == nil && detail["stack"] != "" {
		return "\n" + detail["stack"]
	}
	return ""
}

func (w *World) id() history.ID { return history.ID{Namespace: namespace, Workflow: w.ID} }

func (w *World) over() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	k := w.known[w.id()]
	return k != nil && !k.state.Open()
}

// hangs reports whether nothing will ever happen by itself.
func (w *World) hangs() bool {
	if w.cast.busy() {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, k := range w.known {
		if k.state.Open() && (k.state.Due() || !k.state.Wake().IsZero()) {
			return false
		}
	}
	return true
}

// waiting says what the open executions wait for.
func (w *World) waiting() string {
	w.mu.Lock()
	ids := slices.SortedFunc(maps.Keys(w.known), func(a, b history.ID) int { return strings.Compare(a.Workflow, b.Workflow) })
	w.mu.Unlock()
	var b strings.Builder
	for _, id := range ids {
		d, err := w.Runtime.Describe(w.Context, id.Workflow)
		if err != nil || d.Status&history.StatusOpen == 0 {
			continue
		}
		for _, reason := range d.Waiting {
			fmt.Fprintf(&b, "  %s waits for %s\n", id.Workflow, reason)
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// histories are all there are, by workflow id.
func (w *World) histories() map[string][]history.Entry {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := map[string][]history.Entry{}
	for id, k := range w.known {
		all[id.Workflow] = slices.Clone(k.entries)
	}
	return all
}

// entries is the history; none if there is none yet.
func (w *World) entries() []history.Entry {
	w.mu.Lock()
	defer w.mu.Unlock()
	if k := w.known[w.id()]; k != nil {
		return slices.Clone(k.entries)
	}
	return nil
}

func (w *World) elapsed() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	k := w.known[w.id()]
	return k.state.Run.Closed.Sub(k.entries[0].At)
}

// fail says why the test cannot go on. The first reason counts.
func (w *World) fail(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.problem == "" {
		w.problem = fmt.Sprintf(format, args...)
	}
	w.tell()
}

// tell wakes the main goroutine. The caller holds w.mu.
func (w *World) tell() {
	select {
	case w.news <- struct{}{}:
	default:
	}
}

// fatal ends the test, with the history. It is called on the main goroutine.
func (w *World) fatal(format string, args ...any) {
	w.T.Helper()
	text := fmt.Sprintf(format, args...)
	if entries := w.entries(); len(entries) > 0 {
		text += "\n" + table(entries)
	}
	w.mu.Lock()
	if w.log.Len() > 0 {
		text += "\nlogged:\n" + w.log.String()
	}
	w.mu.Unlock()
	w.T.Fatal(text)
}

// record takes note of what was stored.
func (w *World) record(id history.ID, entries []history.Entry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	k := w.known[id]
	if k == nil {
		k = &known{}
		w.known[id] = k
	}
	for _, e := range entries {
		if e.Seq != k.state.Seq+1 {
			continue // stored before
		}
		k.state.Evolve(e)
		k.entries = append(k.entries, e)
		if w.problem == "" {
			w.problem = w.unexpected(e.Event)
		}
	}
	w.tell()
}

// unexpected says what is asked for that is not here; empty: nothing.
func (w *World) unexpected(e history.Event) string {
	switch v := e.(type) {
	case *history.ActivityScheduled:
		if !v.Local && !w.stubbed[v.Name] {
			return fmt.Sprintf("nobody expected a call of activity %s with %s (step %d, attempt 1): stub it, or give its definition to Use",
				v.Name, v.Input.Data, v.Step)
		}
	case *history.ChildAsked:
		if !w.types[v.Type] {
			return fmt.Sprintf("nobody expected child %s (%s) with %s (step %d): stub it with StubChild, or give its definition to Use",
				v.ID, v.Type, v.Input.Data, v.Step)
		}
	}
	return ""
}

// heartbeat is the limit of silence of an attempt; 0: none.
func (w *World) heartbeat(a activity.Attempt) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if k := w.known[history.ID{Namespace: a.Namespace, Workflow: a.Execution}]; k != nil {
		if open := k.state.Activities[history.Step(a.Step)]; open != nil {
			return open.Policy.Heartbeat
		}
	}
	return 0
}

// pending is the token of the one attempt of an activity that is pending.
func (w *World) pending(name string) (token string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []string
	for id, k := range w.known {
		for _, a := range k.state.Activities {
			if a.Name == name && a.Pending {
				found = append(found, fmt.Sprintf("step %d of %s", a.Step, id.Workflow))
				token = w.cast.token(place{id.Workflow, k.state.Run.ID, uint64(a.Step), a.Attempt})
			}
		}
	}
	slices.Sort(found)
	switch len(found) {
	case 1:
		return token, nil
	case 0:
		return "", errors.New("no attempt of it is pending")
	}
	return "", fmt.Errorf("%d attempts of it are pending: %s", len(found), strings.Join(found, ", "))
}

// life is one process, from its beginning to its death.
type life struct {
	world  *World
	log    *handle
	rt     *runtime.Runtime
	cancel context.CancelFunc
	ran    chan struct{} // closed when Run has returned
}

// open begins a life.
func (w *World) open() {
	w.T.Helper()
	l := &life{world: w, log: &handle{w.disk.Open(), w}, ran: make(chan struct{})}
	rt, err := runtime.Open(w.Context, runtime.Config{
		Store: "memory:", Log: l.log, Namespace: namespace, Memory: w.memory, Drain: 1, Replay: replay.Strict, Build: "test",
		Key: []byte("the key of tokens in these tests"), Dice: w.dice, Vault: w.vault, Errands: w.errand, Local: w.cast.around(w),
		Logger: slog.New(slog.NewTextHandler(logWriter{l}, &slog.HandlerOptions{ReplaceAttr: timeless})),
	}, w.definitions()...)
	if err != nil {
		w.fatal("%v", err)
	}
	ctx, cancel := context.WithCancel(w.Context)
	l.rt, l.cancel = rt, cancel
	w.life, w.Runtime = l, rt
	go func() {
		defer close(l.ran)
		if err := rt.Run(ctx); err != nil && !l.log.isClosed() {
			w.fail("the runtime stopped: %v", err)
		}
	}()
	<-rt.Ready()
}

// definitions are what the runtime is opened with: each activity goes by way of the cast.
func (w *World) definitions() []workflow.Definition {
	var all []workflow.Definition
	own, _ := workflow.BodyOf(w.play.workflow)
	if own.Code != nil {
		all = append(all, w.play.workflow)
	}
	activities := map[string]bool{}
	add := func(d workflow.Definition) {
		b, ok := activity.Around(d, w.cast.around(w))
		if !ok {
			all = append(all, d)
			return
		}
		activities[d.Definition()] = true
		w.stubbed[d.Definition()] = true
		all = append(all, b)
	}
	for _, s := range w.play.stubs {
		for _, d := range s.bindings(w) {
			add(d)
		}
	}
	stubs := maps.Clone(activities)
	for _, d := range w.play.definitions {
		b, isWorkflow := workflow.BodyOf(d)
		same := isWorkflow && b.Name == own.Name && b.Settings.Version == own.Settings.Version && own.Code != nil
		if same || isWorkflow && w.play.isStub(b.Name) || !isWorkflow && stubs[d.Definition()] {
			continue
		}
		add(d)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range all {
		if b, ok := workflow.BodyOf(d); ok && b.Code != nil {
			w.types[b.Name] = true
		}
	}
	return all
}

// isStub reports whether a workflow is stubbed.
func (p *play) isStub(name string) bool {
	return slices.ContainsFunc(p.stubs, func(s stub) bool { return s.child() == name })
}

func timeless(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// logWriter is where the runtime of a life logs to. The dead say nothing.
type logWriter struct{ *life }

func (l logWriter) Write(b []byte) (int, error) {
	if l.log.isClosed() {
		return len(b), nil
	}
	l.world.mu.Lock()
	defer l.world.mu.Unlock()
	return l.world.log.Write(b)
}

// die ends a life where it stands.
func (l *life) die() {
	_ = l.log.Close()
	l.world.dying.Go(l.stop)
	l.cancel()
}

// stop ends what runs and waits for it.
func (l *life) stop() {
	l.cancel()
	<-l.ran
	_ = l.rt.Close() // of a log in memory
}

// patience is how long activities may go on after their context has ended.
const patience = time.Hour

// end ends the life that is left, and waits until nothing runs.
func (w *World) end() {
	w.T.Helper()
	if w.life == nil {
		return
	}
	w.life.die()
	w.dying.Wait()
	for passed := time.Duration(0); w.cast.left() != "" && passed < longest; passed += patience {
		if passed == patience {
			w.T.Errorf("after the end these activities still run, though their context has ended: %s", w.cast.left())
		}
		time.Sleep(patience) // what only sleeps wakes up
	}
}
