package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clewflow/clew/audit"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/lookup"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/memory"
	"github.com/clewflow/clew/workflow"
)

// A world in which something is taken away is a small one of its own: a client begins executions, deletes, redacts, holds and releases them
// and lays down how long they are kept, while retention works by itself; the process dies before any change of the log that has to do with
// it, and another begins. What may be gone is known from the acts that were recorded, and from what was answered.

// kept is such a world.
type kept struct {
	t       testing.TB
	dice    *rand.Rand
	disk    *memory.Disk
	index   *lookup.Index
	rt      *runtime.Runtime
	stop    context.CancelFunc
	ran     chan struct{}
	secrets int

	mu      sync.Mutex
	all     map[history.ID][]history.Entry // that were ever stored, also of what was deleted
	acts    []history.Entry                // of the stream of acts
	left    int                            // changes that have to do with it before the process dies
	appends int
	seen    map[string]int
	wrongs  []string
}

// KeptSometimes is what must happen now and then in such worlds.
var KeptSometimes = []string{"a deletion is refused by a hold", "a redaction is refused by a hold", "death in an act", "retention removes a whole", "retention cuts a front", "an id begins anew", "an open one is not deleted"}

var (
	secret = workflow.Define("secret", func(ctx workflow.Context, in string) (string, error) {
		if strings.HasPrefix(in, "wait") {
			return workflow.NewSignal[string]("go").Receive(ctx)
		}
		return in, nil
	})
	secretRuns = workflow.Define("secret-runs", func(ctx workflow.Context, left int) (int, error) {
		if left > 0 {
			return 0, workflow.ContinueAsNew(ctx, left-1)
		}
		return workflow.NewSignal[int]("stop").Receive(ctx)
	})
)

// RunKept runs the world of a seed. It returns what is wrong, how many appends there were, and what has happened.
func RunKept(t *testing.T, seed uint64) (wrongs []string, appends int, seen map[string]int) {
	synctest.Test(t, func(t *testing.T) {
		w := &kept{t: t, dice: rand.New(rand.NewPCG(seed, 26)), disk: memory.NewDisk(), all: map[history.ID][]history.Entry{}, left: 1 << 30, seen: map[string]int{}}
		index, err := lookup.Open(context.Background(), ":memory:", lookup.Options{Text: lookup.On})
		if err != nil {
			t.Fatal(err)
		}
		w.index = index
		w.open()
		for range 40 {
			w.move()
		}
		w.die()
		w.open()
		time.Sleep(3 * time.Hour) // whatever was left undone is done
		w.judge()
		w.die()
		_ = index.Close()
		wrongs, appends, seen = w.wrongs, w.appends, w.seen
	})
	return wrongs, appends, seen
}

func (w *kept) wrong(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrongs = append(w.wrongs, fmt.Sprintf(format, args...))
}

func (w *kept) sometimes(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen[what]++
}

func (w *kept) open() {
	w.left = 1 << 30
	rt, err := runtime.Open(context.Background(), runtime.Config{
		Store: "memory:", Log: &mortal{w.disk.Open(), w}, Namespace: namespace, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Drain: 1, Key: []byte("k"),
		Hooks: runtime.Hooks{Index: w.index},
	}, secret, secretRuns)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	w.rt, w.stop, w.ran = rt, stop, make(chan struct{})
	go func() { defer close(w.ran); _ = rt.Run(ctx) }()
	<-rt.Ready()
}

func (w *kept) die() {
	w.mu.Lock()
	w.left = 0
	w.mu.Unlock()
	w.stop()
	<-w.ran
	_ = w.rt.Close()
}

// mortal is the log of a process that dies before a change that has to do with taking away.
type mortal struct {
	*memory.Log
	w *kept
}

var errMortal = fmt.Errorf("%w: the process has died", store.ErrUnavailable)

func (l *mortal) change() error {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	if l.w.left--; l.w.left == -1 {
		l.w.seen["death in an act"]++
	}
	if l.w.left < 0 {
		return errMortal
	}
	return nil
}

func (l *mortal) Append(ctx context.Context, id history.ID, entries ...history.Entry) error {
	if id.Family() != "" {
		if err := l.change(); err != nil {
			return err
		}
	}
	return l.took(id, entries, l.Log.Append(ctx, id, entries...))
}

func (l *mortal) AppendTail(ctx context.Context, id history.ID, tail *store.Tail, entries ...history.Entry) error {
	return l.took(id, entries, l.Log.AppendTail(ctx, id, tail, entries...))
}

func (l *mortal) took(id history.ID, entries []history.Entry, err error) error {
	if err != nil {
		return err
	}
	w := l.w
	w.mu.Lock()
	defer w.mu.Unlock()
	w.appends++
	switch {
	case id == history.AdminOf(namespace):
		w.acts = append(w.acts, entries...)
		for _, e := range entries {
			w.lookAtAct(e)
		}
	case id.Family() == "":
		if len(w.all[id]) > 0 && entries[0].Seq == 1 {
			w.seen["an id begins anew"]++
		}
		w.all[id] = append(w.all[id], entries...)
	}
	return nil
}

func (l *mortal) Redact(ctx context.Context, id history.ID, entries ...history.Entry) error {
	if err := l.change(); err != nil {
		return err
	}
	return l.Log.Redact(ctx, id, entries...)
}

func (l *mortal) Cut(ctx context.Context, id history.ID, to uint64, hash history.Hash) error {
	if err := l.change(); err != nil {
		return err
	}
	return l.Log.Cut(ctx, id, to, hash)
}

func (l *mortal) Purge(ctx context.Context) error {
	if err := l.change(); err != nil {
		return err
	}
	return l.Log.Purge(ctx)
}

// heldAt are the holds of an execution by the acts before one. The caller holds mu.
func (w *kept) heldAt(id history.ID, before uint64) bool {
	names := map[string]bool{}
	for _, e := range w.acts {
		if before > 0 && e.Seq >= before {
			break
		}
		switch v := e.Event.(type) {
		case *history.Held:
			names[v.Name] = names[v.Name] || v.ID == id
		case *history.Released:
			if v.ID == id {
				names[v.Name] = false
			}
		}
	}
	return names["hold"]
}

// lookAtAct looks whether an act may be recorded. The caller holds mu.
func (w *kept) lookAtAct(e history.Entry) {
	var id history.ID
	switch v := e.Event.(type) {
	case *history.Redacted:
		id = v.ID
	case *history.Deleted:
		id = v.ID
		at := slices.IndexFunc(w.all[id], func(e history.Entry) bool { return e.Hash == v.Hash })
		if at < 0 {
			w.wrongs = append(w.wrongs, fmt.Sprintf("act %d deletes what %s never had", e.Seq, id.Workflow))
			return
		}
		from := at - int(v.To-v.From)
		if state := history.Fold(w.all[id][from : at+1]...); state.Open() {
			w.wrongs = append(w.wrongs, fmt.Sprintf("act %d deletes %s up to entry %d, where it is open", e.Seq, id.Workflow, v.To))
		}
		whole := at == len(w.all[id])-1
		switch {
		case v.Rule != "" && whole:
			w.seen["retention removes a whole"]++
		case v.Rule != "":
			w.seen["retention cuts a front"]++
		case !whole:
			w.wrongs = append(w.wrongs, fmt.Sprintf("act %d deletes %s in part", e.Seq, id.Workflow))
		}
	default:
		return
	}
	if w.heldAt(id, e.Seq) {
		w.wrongs = append(w.wrongs, fmt.Sprintf("act %d, %s, is on %s, which is held", e.Seq, e.Event.Kind(), id.Workflow))
	}
}

// move does one thing, and looks at what came of it.
func (w *kept) move() {
	ctx, id := context.Background(), fmt.Sprint("k", w.dice.IntN(6))
	if w.dice.IntN(4) == 0 {
		w.mu.Lock()
		w.left = w.dice.IntN(6)
		w.mu.Unlock()
	}
	switch w.dice.IntN(12) {
	case 0, 1, 2:
		w.secrets++
		in := fmt.Sprintf("secret%dx", w.secrets)
		if w.dice.IntN(4) == 0 {
			in = "wait" + in
		}
		_, _ = runtime.Start(ctx, w.rt, id, secret, in)
	case 3:
		_, _ = runtime.Start(ctx, w.rt, "runs"+id, secretRuns, w.dice.IntN(4))
	case 4:
		w.secrets++
		_ = w.rt.Signal(ctx, id, workflow.NewSignal[string]("go").With(fmt.Sprintf("secret%dx", w.secrets)))
		_ = w.rt.Signal(ctx, "runs"+id, workflow.NewSignal[int]("stop").With(1))
	case 5, 6:
		w.takeAway(ctx, id, "deletion", func() error { _, err := w.rt.Delete(ctx, id); return err })
	case 7:
		w.takeAway(ctx, id, "redaction", func() error { _, err := w.rt.Redact(ctx, id, runtime.Payloads{}); return err })
	case 8:
		if err := w.rt.Hold(ctx, id, ""); err == nil && !w.held(id) {
			w.wrong("%s was told to be held, and that is not recorded", id)
		}
	case 9:
		_ = w.rt.Release(ctx, id, "")
	case 10:
		_, _ = w.rt.SetRetention(ctx, runtime.Retention{Rules: []runtime.RetentionRule{{Name: "r", Age: time.Duration(1+w.dice.IntN(5)) * time.Hour}}, Every: 30 * time.Minute, Rate: 1000})
	case 11:
		time.Sleep(time.Duration(w.dice.IntN(240)) * time.Minute)
	}
	time.Sleep(time.Second)
	w.mu.Lock()
	dies := w.left < 0 || w.dice.IntN(8) == 0
	w.left = max(w.left, 1<<20)
	w.mu.Unlock()
	if dies {
		w.die()
		w.open()
	}
	if w.dice.IntN(5) == 0 {
		time.Sleep(2 * time.Minute)
		w.judge()
	}
}

func (w *kept) held(id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.heldAt(history.ID{Namespace: namespace, Workflow: id}, 0)
}

// takeAway asks for something of an execution to be gone.
func (w *kept) takeAway(ctx context.Context, id, what string, ask func() error) {
	held := w.held(id)
	d, known := w.rt.Describe(ctx, id)
	err := ask()
	switch {
	case errors.Is(err, runtime.ErrHeld) != (held && known == nil && !errors.Is(err, runtime.ErrStillRunning)) && !errors.Is(err, runtime.ErrUnavailable) && !(err == nil && what == "redaction" && held):
		w.wrong("the %s of %s, held %t, came to: %v", what, id, held, err)
	case errors.Is(err, runtime.ErrHeld):
		w.sometimes("a " + what + " is refused by a hold")
	case what == "deletion" && known == nil && d.Closed.IsZero():
		if err == nil {
			w.wrong("%s was open and was deleted", id)
		}
		w.sometimes("an open one is not deleted")
	case err == nil && what == "deletion":
		for range w.rt.History(ctx, id) {
			if _, err := w.rt.Describe(ctx, id); !errors.Is(err, runtime.ErrNotFound) {
				w.wrong("%s was told to be deleted, and is there", id)
			}
			break
		}
	}
}

// judge holds the disk and the indexes against what was stored and what was taken away by acts that are done.
func (w *kept) judge() {
	ctx := context.Background()
	disk := w.disk.Open()
	defer disk.Close()
	w.mu.Lock()
	done, gone, thin := map[uint64]bool{}, map[history.Hash]bool{}, map[history.Hash]bool{}
	open := 0
	for _, e := range w.acts {
		if v, ok := e.Event.(*history.Erased); ok {
			for _, seq := range v.Acts {
				done[seq] = true
			}
		}
	}
	for _, e := range w.acts {
		var id history.ID
		var hash history.Hash
		var n uint64
		into := gone
		switch v := e.Event.(type) {
		case *history.Deleted:
			id, hash, n = v.ID, v.Hash, v.To-v.From
		case *history.Redacted:
			id, hash, n, into = v.ID, v.Hash, v.To-v.From, thin
		default:
			continue
		}
		if !done[e.Seq] {
			open++
		}
		at := slices.IndexFunc(w.all[id], func(e history.Entry) bool { return e.Hash == hash })
		for i := max(0, at-int(n)); at >= 0 && i <= at; i++ {
			into[w.all[id][i].Hash] = true
		}
	}
	want, runs := map[history.Hash]bool{}, 0
	var secrets [][]byte // that must be nowhere
	for _, entries := range w.all {
		for _, e := range entries {
			if !gone[e.Hash] {
				want[e.Hash] = true
				if _, begins := e.Event.(*history.Started); begins {
					runs++
				}
			}
			if gone[e.Hash] || thin[e.Hash] {
				for _, p := range history.Payloads(e.Event) {
					if bytes.Contains(p.Data, []byte("secret")) {
						secrets = append(secrets, p.Data)
					}
				}
			}
		}
	}
	w.mu.Unlock()
	if open > 0 {
		w.wrong("%d acts are recorded and not done, two minutes later", open)
		return
	}
	head, err := disk.Head(ctx)
	if err != nil {
		w.wrong("the disk cannot be read: %v", err)
		return
	}
	if head.IsZero() {
		return
	}
	follow, end := context.WithCancel(ctx)
	defer end()
	for r, err := range disk.Follow(follow, store.Position{}) {
		if err != nil {
			w.wrong("the disk cannot be followed: %v", err)
			return
		}
		if r.ID.Family() == "" {
			if !want[r.Entry.Hash] {
				w.wrong("entry %d of %s was deleted, and is there", r.Entry.Seq, r.ID.Workflow)
			}
			delete(want, r.Entry.Hash)
			for _, p := range history.Payloads(r.Entry.Event) {
				for _, s := range secrets {
					if len(p.Data) > 0 && bytes.Equal(p.Data, s) {
						w.wrong("entry %d of %s has what was taken away: %s", r.Entry.Seq, r.ID.Workflow, s)
					}
				}
			}
		}
		if r.Position == head {
			break
		}
	}
	if len(want) > 0 {
		w.wrong("%d entries are gone that nobody has deleted", len(want))
	}
	report, err := audit.Verify(ctx, disk, audit.Scope{})
	if err != nil || len(report.Findings) > 0 {
		w.wrong("what is left does not verify: %v %v", report.Findings, err)
	}
	fresh, err := lookup.Open(ctx, ":memory:", lookup.Options{Text: lookup.On})
	if err != nil {
		w.t.Fatal(err)
	}
	defer fresh.Close()
	following := make(chan struct{})
	go func() { defer close(following); _ = fresh.Run(follow, disk) }()
	defer func() { end(); <-following }()
	if err := errors.Join(fresh.Reached(ctx, head), w.index.Reached(ctx, head)); err != nil {
		w.wrong("an index does not reach the head: %v", err)
		return
	}
	q := query.Query{Namespace: namespace, Limit: query.MaxLimit, Order: "id"}
	new, err := fresh.Find(ctx, q)
	old, err2 := w.index.Find(ctx, q)
	if err := errors.Join(err, err2); err != nil {
		w.wrong("an index cannot be asked: %v", err)
		return
	}
	if len(new.Rows) != runs {
		w.wrong("an index that is built anew has %d runs, and there are %d", len(new.Rows), runs)
	}
	if a, b := fmt.Sprint(new.Rows), fmt.Sprint(old.Rows); a != b {
		w.wrong("the index is not what one is that is built anew:\n%s\n%s", b, a)
	}
	for _, row := range new.Rows {
		if row.Held != w.held(row.ID) {
			w.wrong("the index has %s as held: %t", row.ID, row.Held)
		}
	}
	for _, s := range secrets {
		word := string(bytes.Trim(s, `"`))
		page, err := w.index.Find(ctx, query.Query{Namespace: namespace, Where: "TEXT '" + word + "'"})
		if err == nil && len(page.Rows) > 0 {
			w.wrong("the index finds %s by %s, which was taken away", page.Rows[0].ID, word)
		}
	}
}
