package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/memory"
	"github.com/clewflow/clew/workflow"
)

// party is several nodes on one log.
type party struct {
	t           *testing.T
	disk        *memory.Disk
	definitions []workflow.Definition
	nodes       []*guest
	logger      *slog.Logger
}

// guest is one of them.
type guest struct {
	*runtime.Runtime
	log  *wire
	stop context.CancelFunc
	ran  chan error
}

// wire is a node's way to the log. It can be cut, and held up.
type wire struct {
	*memory.Log
	mu    sync.Mutex
	cut   error                             // what comes of everything; nil: it is not
	held  chan struct{}                     // nil: it is not
	then  func(history.ID, []history.Entry) // is called after an append
	first func(history.Entry)               // see before
}

func (w *wire) pass(ctx context.Context) error {
	w.mu.Lock()
	cut, held := w.cut, w.held
	w.mu.Unlock()
	if held != nil {
		select {
		case <-held:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return cut
}

func (w *wire) set(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = nil
	if cut {
		w.cut = fmt.Errorf("cut off: %w", store.ErrUnavailable)
	}
}

// lose makes the outcome of everything unknown, until the wire is set.
func (w *wire) lose() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = fmt.Errorf("no answer: %w", store.ErrUnknownOutcome)
}

// before has something done before the node says anything of itself or of other nodes.
func (w *wire) before(first func(history.Entry)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.first = first
}

// hold stops everything until the function that it returns is called, as if the process were stopped.
func (w *wire) hold() func() {
	w.mu.Lock()
	defer w.mu.Unlock()
	held := make(chan struct{})
	w.held = held
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.held = nil
		close(held)
	}
}

func (w *wire) Append(ctx context.Context, id history.ID, entries ...history.Entry) error {
	w.mu.Lock()
	first := w.first
	w.mu.Unlock()
	if first != nil {
		first(entries[0])
	}
	if err := w.pass(ctx); err != nil {
		return err
	}
	return w.Log.Append(ctx, id, entries...)
}

func (w *wire) AppendTail(ctx context.Context, id history.ID, tail *store.Tail, entries ...history.Entry) error {
	if err := w.pass(ctx); err != nil {
		return err
	}
	err := w.Log.AppendTail(ctx, id, tail, entries...)
	w.mu.Lock()
	then := w.then
	w.mu.Unlock()
	if err == nil && then != nil {
		then(id, entries)
	}
	return err
}

// after has something done after each append.
func (w *wire) after(then func(history.ID, []history.Entry)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.then = then
}

func (w *wire) Read(ctx context.Context, id history.ID, from uint64) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		if err := w.pass(ctx); err != nil {
			yield(store.Record{}, err)
			return
		}
		w.Log.Read(ctx, id, from)(yield)
	}
}

func (w *wire) Follow(ctx context.Context, after store.Position) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		for r, err := range w.Log.Follow(ctx, after) {
			if failed := w.pass(ctx); failed != nil {
				yield(store.Record{}, failed)
				return
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

func newParty(t *testing.T, n int, definitions ...workflow.Definition) *party {
	p := &party{t: t, disk: memory.NewDisk(), definitions: definitions, logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
	for range n {
		p.join()
	}
	return p
}

// join brings another node, and waits until it works.
func (p *party) join(definitions ...workflow.Definition) *guest { return p.joinLate(0, definitions...) }

// joinLate is join for a node whose clock is ahead.
func (p *party) joinLate(ahead time.Duration, definitions ...workflow.Definition) *guest {
	if definitions == nil {
		definitions = p.definitions
	}
	g := &guest{log: &wire{Log: p.disk.Open()}, ran: make(chan error, 1)}
	rt, err := runtime.Open(p.t.Context(), runtime.Config{
		Log: g.log, Shared: true, Node: fmt.Sprint("node-", len(p.nodes)), Logger: p.logger, Drain: time.Second, Key: []byte("k"),
		Hooks: runtime.Hooks{Offset: ahead},
	}, definitions...)
	require.NoError(p.t, err)
	g.Runtime = rt
	ctx, stop := context.WithCancel(p.t.Context())
	g.stop = stop
	go func() { g.ran <- rt.Run(ctx) }()
	<-rt.Ready()
	p.nodes = append(p.nodes, g)
	return g
}

// leave ends a node as its users do.
func (p *party) leave(g *guest) {
	g.stop()
	require.NoError(p.t, <-g.ran)
	require.NoError(p.t, g.Close())
	p.without(g)
}

// kill cuts a node off for ever. What goes on in its memory reaches nobody.
func (p *party) kill(g *guest) {
	require.NoError(p.t, g.log.Log.Close())
	p.without(g)
	go func() {
		g.stop()
		<-g.ran
		_ = g.Close()
	}()
}

func (p *party) without(g *guest) {
	for i, o := range p.nodes {
		if o == g {
			p.nodes = append(p.nodes[:i:i], p.nodes[i+1:]...)
			return
		}
	}
}

func (p *party) close() {
	for len(p.nodes) > 0 {
		p.leave(p.nodes[0])
	}
}

// audit checks that no turn is twice in a history, and returns the number of entries by node.
func (p *party) audit() map[string]int {
	by, chains := map[string]int{}, map[history.ID]*history.Chain{}
	log := p.disk.Open()
	defer log.Close()
	head, err := log.Head(context.Background())
	require.NoError(p.t, err)
	for r, err := range log.Follow(context.Background(), store.Position{}) {
		require.NoError(p.t, err)
		c := chains[r.ID]
		if c == nil {
			c = &history.Chain{}
			chains[r.ID] = c
		}
		require.NoError(p.t, c.Check(r.Entry))
		if r.ID.Family() == "" {
			by[r.Entry.Node]++
		}
		if r.Position == head {
			break
		}
	}
	return by
}

// dump is what was recorded of an execution, and of the nodes meanwhile.
func (p *party) dump(id string) string {
	var b strings.Builder
	log := p.disk.Open()
	defer log.Close()
	head, _ := log.Head(context.Background())
	for r := range log.Follow(context.Background(), store.Position{}) {
		if r.ID.Workflow == id || r.ID.Family() != "" {
			fmt.Fprintf(&b, "%d %s %s\n", r.Position, r.ID, history.AppendEntry(nil, r.Entry))
		}
		if r.Position == head {
			break
		}
	}
	return b.String()
}

// counts counts what was made, by what it was made for.
type counts struct {
	mu   sync.Mutex
	made map[string]int
}

func (c *counts) count(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.made == nil {
		c.made = map[string]int{}
	}
	c.made[what]++
}

func (c *counts) of(what string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.made[what]
}

// parcels is a workflow of three activities with a pause between them.
func parcels(c *counts) (workflow.Type[string, string], []workflow.Definition) {
	pack := activity.Define("pack", func(ctx context.Context, what string) (string, error) {
		c.count(what)
		select {
		case <-time.After(200 * time.Millisecond):
			return what, nil
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	})
	code := workflow.Define("parcels", func(ctx workflow.Context, id string) (string, error) {
		for i := range 3 {
			if _, err := workflow.Do(ctx, pack, fmt.Sprint(id, "-", i)); err != nil {
				return "", err
			}
			if err := workflow.Sleep(ctx, time.Second); err != nil {
				return "", err
			}
		}
		return id, nil
	})
	return code, []workflow.Definition{code, pack}
}

func TestNodesShareTheWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counts
		code, definitions := parcels(&c)
		p := newParty(t, 3, definitions...)
		for i := range 60 {
			_, err := runtime.Start(t.Context(), p.nodes[i%3].Runtime, fmt.Sprint("p", i), code, fmt.Sprint("p", i))
			require.NoError(t, err)
		}
		for i := range 60 {
			out, err := runtime.Result(t.Context(), p.nodes[(i+1)%3].Runtime, fmt.Sprint("p", i), code)
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint("p", i), out)
			for j := range 3 {
				require.Equal(t, 1, c.of(fmt.Sprint("p", i, "-", j)), "each attempt is made once")
			}
		}
		by := p.audit()
		require.Len(t, by, 3)
		for node, n := range by {
			require.Greater(t, n, 100, node)
		}
		p.close()
	})
}

func TestTheWorkOfADeadNodeIsTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counts
		code, definitions := parcels(&c)
		p := newParty(t, 3, definitions...)
		for i := range 30 {
			_, err := runtime.Start(t.Context(), p.nodes[i%3].Runtime, fmt.Sprint("p", i), code, fmt.Sprint("p", i))
			require.NoError(t, err)
		}
		time.Sleep(700 * time.Millisecond)
		p.kill(p.nodes[1])
		began := time.Now()
		for i := range 30 {
			_, err := runtime.Result(t.Context(), p.nodes[0].Runtime, fmt.Sprint("p", i), code)
			require.NoError(t, err)
		}
		require.Less(t, time.Since(began), 10*time.Second, "virtual")
		p.audit()
		p.close()
	})
}

func TestLeavingAndJoiningLosesAndDoublesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counts
		code, definitions := parcels(&c)
		p := newParty(t, 2, definitions...)
		for i := range 40 {
			_, err := runtime.Start(t.Context(), p.nodes[i%2].Runtime, fmt.Sprint("p", i), code, fmt.Sprint("p", i))
			require.NoError(t, err)
		}
		for range 3 {
			time.Sleep(300 * time.Millisecond)
			p.join()
			time.Sleep(250 * time.Millisecond)
			p.leave(p.nodes[0])
		}
		for i := range 40 {
			_, err := runtime.Result(t.Context(), p.nodes[0].Runtime, fmt.Sprint("p", i), code)
			require.NoError(t, err)
			for j := range 3 {
				require.Equal(t, 1, c.of(fmt.Sprint("p", i, "-", j)), "each attempt is made once: p%d-%d\n%s", i, j, p.dump(fmt.Sprint("p", i)))
			}
		}
		p.audit()
		p.close()
	})
}

func TestAZombieDoesNothingAndComesBackAsAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counts
		code, definitions := parcels(&c)
		p := newParty(t, 3, definitions...)
		for i := range 30 {
			_, err := runtime.Start(t.Context(), p.nodes[i%3].Runtime, fmt.Sprint("p", i), code, fmt.Sprint("p", i))
			require.NoError(t, err)
		}
		time.Sleep(300 * time.Millisecond)
		release := p.nodes[1].log.hold()
		time.Sleep(12 * time.Second)
		release()
		for i := range 30 {
			_, err := runtime.Result(t.Context(), p.nodes[1].Runtime, fmt.Sprint("p", i), code)
			require.NoError(t, err)
		}
		require.GreaterOrEqual(t, len(p.audit()), 3)
		p.close()
	})
}

func TestAnActivityThatOneNodeHasIsMadeThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		render := activity.Define("render", func(ctx context.Context, n int) (int, error) {
			if activity.Info(ctx).Number < 2 {
				return 0, errors.New("not yet")
			}
			time.Sleep(500 * time.Millisecond)
			return 10 * n, nil
		})
		code := workflow.Define("picture", func(ctx workflow.Context, n int) (int, error) { return workflow.Do(ctx, render, n) })
		p := newParty(t, 0)
		p.join(code)
		p.join(code)
		gpu := p.join(render)
		for i := range 20 {
			_, err := runtime.Start(t.Context(), p.nodes[i%2].Runtime, fmt.Sprint("pic", i), code, i)
			require.NoError(t, err)
		}
		for i := range 20 {
			out, err := runtime.Result(t.Context(), p.nodes[i%2].Runtime, fmt.Sprint("pic", i), code)
			require.NoError(t, err)
			require.Equal(t, 10*i, out)
		}
		log := p.disk.Open()
		defer log.Close()
		claims := 0
		for r, err := range log.Read(t.Context(), history.ID{Namespace: "default", Workflow: "pic3"}, 1) {
			require.NoError(t, err)
			if e, ok := r.Entry.Event.(*history.AttemptStarted); ok {
				require.Equal(t, r.Entry.Node, e.Node)
				claims++
			}
		}
		require.Equal(t, 2, claims, "each attempt is claimed")
		_ = gpu
		p.audit()
		p.close()
	})
}

func TestAClaimOfADeadNodeIsLostAndMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counts
		render := activity.Define("render", func(ctx context.Context, what string) (string, error) {
			c.count(what)
			select {
			case <-time.After(3 * time.Second):
			case <-ctx.Done():
				return "", context.Cause(ctx)
			}
			return what, nil
		}, activity.StartToClose(time.Hour))
		code := workflow.Define("picture", func(ctx workflow.Context, what string) (string, error) { return workflow.Do(ctx, render, what) })
		p := newParty(t, 0)
		p.join(code)
		one := p.join(render)
		p.join(render)
		for i := range 10 {
			_, err := runtime.Start(t.Context(), p.nodes[0].Runtime, fmt.Sprint("pic", i), code, fmt.Sprint("pic", i))
			require.NoError(t, err)
		}
		time.Sleep(time.Second)
		p.kill(one)
		again := 0
		for i := range 10 {
			_, err := runtime.Result(t.Context(), p.nodes[0].Runtime, fmt.Sprint("pic", i), code)
			require.NoError(t, err)
			again += c.of(fmt.Sprint("pic", i)) - 1
		}
		require.Positive(t, again)
		require.Less(t, again, 10)
		p.audit()
		p.close()
	})
}

func TestWhoDoesNotOwnAnExecutionTakesMessagesForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		add := workflow.NewUpdate[int, int]("add")
		end := workflow.NewSignal[string]("end")
		sum := workflow.NewQuery[int]("sum")
		code := workflow.Define("ledger", func(ctx workflow.Context, at int) (int, error) {
			sum.Handle(ctx, func() int { return at })
			add.Handle(ctx, func(_ workflow.Context, n int) (int, error) { at += n; return at, nil }, func(n int) error {
				if n < 0 {
					return errors.New("only more")
				}
				return nil
			})
			_, err := end.Receive(ctx)
			return at, err
		})
		p := newParty(t, 3, code)
		stranger := p.join(activity.Define("other", func(context.Context, int) (int, error) { return 0, nil }))
		p.without(stranger)
		for i := range 12 {
			id := fmt.Sprint("l", i)
			_, err := runtime.Start(t.Context(), p.nodes[0].Runtime, id, code, i)
			require.NoError(t, err)
			for j, g := range p.nodes {
				got, err := runtime.Update(t.Context(), g.Runtime, id, add, 1)
				require.NoError(t, err)
				require.Equal(t, i+j+1, got)
				_, err = runtime.Update(t.Context(), g.Runtime, id, add, -1)
				require.ErrorIs(t, err, runtime.ErrRefused)
				seen, err := runtime.Query(t.Context(), p.nodes[(j+1)%3].Runtime, id, sum)
				require.NoError(t, err)
				require.Equal(t, i+j+1, seen, "what was acknowledged anywhere is seen everywhere")
			}
			_, err = runtime.Query(t.Context(), stranger.Runtime, id, sum)
			require.ErrorIs(t, err, runtime.ErrNotHere)
			require.ErrorContains(t, err, "node-0 or node-1 or node-2")
			require.NoError(t, stranger.Signal(t.Context(), id, end.With("done")))
			out, err := runtime.Result(t.Context(), p.nodes[i%3].Runtime, id, code)
			require.NoError(t, err)
			require.Equal(t, i+3, out)
		}
		p.audit()
		p.nodes = append(p.nodes, stranger)
		p.close()
	})
}

func TestChildrenOfOtherNodesAreNeverForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		child := workflow.Define("child", func(ctx workflow.Context, d time.Duration) (string, error) { return "ok", workflow.Sleep(ctx, d) })
		parent := workflow.Define("parent", func(ctx workflow.Context, n int) (int, error) {
			for i := range n {
				if _, err := workflow.Child(ctx, child, time.Duration(i+1)*300*time.Millisecond); err != nil {
					return i, err
				}
			}
			return n, nil
		})
		p := newParty(t, 3, parent, child)
		for i := range 20 {
			_, err := runtime.Start(t.Context(), p.nodes[i%3].Runtime, fmt.Sprint("f", i), parent, 4)
			require.NoError(t, err)
		}
		for i := range 3 {
			time.Sleep(650 * time.Millisecond)
			p.kill(p.nodes[i%2])
			p.join()
		}
		for i := range 20 {
			out, err := runtime.Result(t.Context(), p.nodes[0].Runtime, fmt.Sprint("f", i), parent)
			require.NoError(t, err)
			require.Equal(t, 4, out)
		}
		p.audit()
		p.close()
	})
}

func TestClocksThatDifferLoseNoTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		code := workflow.Define("sleeper", func(ctx workflow.Context, d time.Duration) (time.Duration, error) {
			began := workflow.Now(ctx)
			err := workflow.Sleep(ctx, d)
			return workflow.Now(ctx).Sub(began), err
		})
		p := newParty(t, 1, code)
		p.joinLate(2*time.Second, code)
		p.joinLate(-2*time.Second, code)
		for i := range 30 {
			_, err := runtime.Start(t.Context(), p.nodes[i%3].Runtime, fmt.Sprint("s", i), code, 6*time.Second)
			require.NoError(t, err)
		}
		time.Sleep(time.Second)
		p.kill(p.nodes[0])
		for i := range 30 {
			slept, err := runtime.Result(t.Context(), p.nodes[0].Runtime, fmt.Sprint("s", i), code)
			require.NoError(t, err)
			require.GreaterOrEqual(t, slept, 2*time.Second, "not early by more than the clocks differ, on the clock of the log")
			require.Less(t, slept, 12*time.Second)
		}
		p.audit()
		p.close()
	})
}

func TestANodeThatCannotReachTheLogStopsAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 100)
		long := activity.Define("long", func(ctx context.Context, _ int) (int, error) {
			select {
			case <-time.After(20 * time.Second):
				return 1, nil
			case <-ctx.Done():
				ended <- context.Cause(ctx)
				return 0, context.Cause(ctx)
			}
		})
		code := workflow.Define("haul", func(ctx workflow.Context, n int) (int, error) { return workflow.Do(ctx, long, n) })
		p := newParty(t, 2, code, long)
		for i := range 20 {
			_, err := runtime.Start(t.Context(), p.nodes[0].Runtime, fmt.Sprint("h", i), code, i)
			require.NoError(t, err)
		}
		time.Sleep(time.Second)
		p.nodes[1].log.set(true)
		time.Sleep(5 * time.Second)
		require.NotEmpty(t, ended, "contexts end where nothing can be recorded")
		cut := len(ended)
		time.Sleep(10 * time.Second)
		p.nodes[1].log.set(false)
		for i := range 20 {
			_, err := runtime.Result(t.Context(), p.nodes[1].Runtime, fmt.Sprint("h", i), code)
			require.NoError(t, err)
		}
		require.Less(t, cut, 20, "those of the other node go on")
		p.audit()
		p.close()
	})
}

func TestAClaimOfANodeThatIsCutOffIsMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counts
		render := activity.Define("render", func(ctx context.Context, what string) (string, error) {
			c.count(what)
			select {
			case <-time.After(10 * time.Second):
			case <-ctx.Done():
				return "", context.Cause(ctx)
			}
			return what, nil
		}, activity.StartToClose(100*time.Hour), activity.ScheduleToClose(1000*time.Hour))
		code := workflow.Define("picture", func(ctx workflow.Context, what string) (string, error) { return workflow.Do(ctx, render, what) })
		p := newParty(t, 0)
		p.join(code)
		one := p.join(render)
		for _, off := range []time.Duration{3500 * time.Millisecond, 9 * time.Second} { // it lapses, and it is buried
			id := off.String()
			_, err := runtime.Start(t.Context(), p.nodes[0].Runtime, id, code, id)
			require.NoError(t, err)
			time.Sleep(time.Second)
			one.log.set(true)
			time.Sleep(off)
			one.log.set(false)
			began := time.Now()
			_, err = runtime.Result(t.Context(), p.nodes[0].Runtime, id, code)
			require.NoError(t, err)
			require.Less(t, time.Since(began), time.Minute, "virtual: nobody waits for what goes on nowhere")
			require.Contains(t, []int{2, 3}, c.of(id), "once more, or twice if it claims again before it hears that it was buried")
		}
		p.audit()
		p.close()
	})
}

// The node that records the end of a child dies before it can tell the parent, which another node owns.
func TestTheEndOfAChildIsToldThoughWhoRecordedItDies(t *testing.T) {
	for round := range 8 {
		synctest.Test(t, func(t *testing.T) {
			child := workflow.Define("child", func(ctx workflow.Context, _ int) (int, error) { return 7, workflow.Sleep(ctx, time.Second) })
			parent := workflow.Define("parent", func(ctx workflow.Context, n int) (int, error) { return workflow.Child(ctx, child, n) })
			p := newParty(t, 3, parent, child)
			died := make(chan *guest, 3)
			for _, g := range p.nodes {
				g.log.then = func(id history.ID, entries []history.Entry) {
					_, ends := entries[len(entries)-1].Event.(*history.Completed)
					if ends && strings.Contains(id.Workflow, "~") && len(died) == 0 {
						g.log.set(true)
						died <- g
					}
				}
			}
			id := fmt.Sprint("u", round)
			_, err := runtime.Start(t.Context(), p.nodes[0].Runtime, id, parent, 1)
			require.NoError(t, err)
			victim := <-died
			p.kill(victim)
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			out, err := runtime.Result(ctx, p.nodes[0].Runtime, id, parent)
			require.NoError(t, err)
			require.Equal(t, 7, out)
			p.audit()
			p.close()
		})
	}
}

// TestANodeEndsThoughItsLogDoesNotAnswer: whatever became of the way to the log, and whenever, and whatever is in hand. Where every
// answer is an error at once Run takes no longer than Config.Drain; where an outcome stays unknown, a lease more for the farewell; and
// where nothing is answered, three: of the announcement that it leaves, of one of its beat, and of the farewell.
func TestANodeEndsThoughItsLogDoesNotAnswer(t *testing.T) {
	const drain, lease = time.Second, 4 * time.Second
	for _, trouble := range []struct {
		name    string
		befalls func(*wire) (over func())
		within  time.Duration
	}{
		{"cut", func(w *wire) func() { w.set(true); return func() { w.set(false) } }, drain},
		{"lost", func(w *wire) func() { w.lose(); return func() { w.set(false) } }, drain + lease},
		{"held", func(w *wire) func() { return w.hold() }, drain + 3*lease},
	} {
		for _, work := range []int{0, 20} {
			for _, after := range []time.Duration{0, 700 * time.Millisecond, 1500 * time.Millisecond, 5 * time.Second, 20 * time.Second} {
				t.Run(fmt.Sprint(trouble.name, "/work=", work, "/", after), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						p := newParty(t, 2, hauls()...)
						g := p.nodes[1]
						p.haul(g, work)
						over := trouble.befalls(g.log)
						time.Sleep(after)
						assert.LessOrEqual(t, p.end(g, over), trouble.within, "virtual")
						p.close()
					})
				})
			}
		}
	}
}

// TestANodeEndsWhileItBuries many others, of which each would take a lease.
func TestANodeEndsWhileItBuries(t *testing.T) {
	const drain, lease = time.Second, 4 * time.Second
	synctest.Test(t, func(t *testing.T) {
		p := newParty(t, 8, hauls()...)
		g := p.nodes[7]
		buries := make(chan func(), 8)
		g.log.before(func(e history.Entry) {
			if _, ok := e.Event.(*history.NodeBuried); ok && len(buries) == 0 {
				buries <- g.log.hold()
			}
		})
		for len(p.nodes) > 1 {
			p.kill(p.nodes[0])
		}
		over := <-buries
		assert.LessOrEqual(t, p.end(g, over), drain+3*lease, "virtual")
		p.join()
		p.close()
	})
}

// hauls are a workflow of a brief and an endless activity.
func hauls() []workflow.Definition {
	brief := activity.Define("brief", func(_ context.Context, n int) (int, error) { time.Sleep(time.Second); return n, nil })
	endless := activity.Define("endless", func(ctx context.Context, n int) (int, error) { <-ctx.Done(); return n, context.Cause(ctx) })
	code := workflow.Define("haul", func(ctx workflow.Context, n int) (int, error) {
		if _, err := workflow.Do(ctx, brief, n); err != nil {
			return 0, err
		}
		return workflow.Do(ctx, endless, n)
	})
	return []workflow.Definition{code, brief, endless}
}

// haul starts n of them, of which the first half have come to the endless activity and the others have not.
func (p *party) haul(g *guest, n int) {
	for i := range n {
		if i == n/2 {
			time.Sleep(1500 * time.Millisecond)
		}
		_, err := runtime.Start(p.t.Context(), g.Runtime, fmt.Sprint("h", i), workflow.Declare[int, int]("haul"), i)
		assert.NoError(p.t, err)
	}
}

// end ends Run of a node whose log is in trouble, and returns how long that took. Then the trouble is over; if Run hangs, it is after an
// hour.
func (p *party) end(g *guest, over func()) time.Duration {
	began := time.Now()
	hangs := time.AfterFunc(time.Hour, over)
	g.stop()
	assert.NoError(p.t, <-g.ran)
	took := time.Since(began)
	if hangs.Stop() {
		over()
	}
	assert.NoError(p.t, g.Close())
	p.without(g)
	return took
}

// TestANodeCanBeAskedBeforeItListens: what is asked of it then is recorded, and answered by whoever owns it.
func TestANodeCanBeAskedBeforeItListens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c counts
		code, definitions := parcels(&c)
		p := newParty(t, 1, definitions...)
		early, err := runtime.Open(t.Context(), runtime.Config{
			Log: p.disk.Open(), Shared: true, Node: "early", Logger: p.logger, Drain: time.Second, Key: []byte("k"),
		}, definitions...)
		require.NoError(t, err)
		for i := range 8 {
			_, err := runtime.Start(t.Context(), early, fmt.Sprint("p", i), code, "a")
			require.NoError(t, err)
		}
		for i := range 8 {
			_, err := runtime.Result(t.Context(), p.nodes[0].Runtime, fmt.Sprint("p", i), code)
			require.NoError(t, err)
		}
		require.NoError(t, early.Close())
		p.close()
	})
}

// TestTheEndOfAChildIsToldThoughTheParentCannotBeReached at first: nobody dies, so nobody else looks for it.
func TestTheEndOfAChildIsToldThoughTheParentCannotBeReached(t *testing.T) {
	for round := range 8 {
		synctest.Test(t, func(t *testing.T) {
			child := workflow.Define("child", func(ctx workflow.Context, _ int) (int, error) { return 7, workflow.Sleep(ctx, time.Second) })
			parent := workflow.Define("parent", func(ctx workflow.Context, n int) (int, error) { return workflow.Child(ctx, child, n) })
			p := newParty(t, 3, parent, child)
			cut := make(chan *guest, 3)
			for _, g := range p.nodes {
				g.log.then = func(id history.ID, entries []history.Entry) {
					_, ends := entries[len(entries)-1].Event.(*history.Completed)
					if ends && strings.Contains(id.Workflow, "~") && len(cut) == 0 {
						g.log.set(true)
						cut <- g
					}
				}
			}
			id := fmt.Sprint("u", round)
			_, err := runtime.Start(t.Context(), p.nodes[0].Runtime, id, parent, 1)
			require.NoError(t, err)
			cutOff := <-cut
			time.Sleep(300 * time.Millisecond)
			cutOff.log.set(false)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			out, err := runtime.Result(ctx, p.nodes[0].Runtime, id, parent)
			require.NoError(t, err)
			require.Equal(t, 7, out)
			p.close()
		})
	}
}
