package workflowtest

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/internal/stage"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

// life is one process, from its beginning to its death.
type life struct {
	world *World
	ctx   context.Context // ends with it
	end   context.CancelFunc
	log   *handle
	rt    *runtime.Runtime
	ran   chan struct{} // closed when Run has returned
}

// open begins a life, and returns when it has taken up what was open.
func (w *World) open() *life {
	l := &life{world: w, ran: make(chan struct{})}
	l.ctx, l.end = context.WithCancel(w.Context)
	l.log = &handle{w.disk.Open(), l}
	rt, err := runtime.Open(w.Context, runtime.Config{
		Store: "memory:", Log: l.log, Namespace: namespace, Memory: w.memory, Drain: 1, Replay: replay.Strict, Build: "test",
		Key: []byte("the key of tokens in these tests"), Dice: w.dice, Vault: w.vault,
		Hooks:  runtime.Hooks{Errands: l.errand, Pace: l.pace, Value: w.value, Local: l.local, Find: w.play.rows, Offset: w.play.offset(w.began)},
		Logger: slog.New(slog.NewTextHandler(logWriter{l}, &slog.HandlerOptions{ReplaceAttr: timeless})),
	}, l.definitions()...)
	if err != nil {
		w.fatal("%v", err) // also if the test has ended meanwhile
	}
	w.mu.Lock()
	l.rt, w.newest, w.dead = rt, l, false
	w.mu.Unlock()
	go func() {
		defer close(l.ran)
		if err := rt.Run(l.ctx); err != nil && !l.log.isClosed() {
			w.fail("the runtime stopped: %v", err)
		}
	}()
	select {
	case <-rt.Ready():
	case <-l.ctx.Done(): // it died before
	}
	return l
}

// pace waits before the runtime does something of its own accord.
func (l *life) pace(ctx context.Context, p runtime.Pace) {
	if p.What == runtime.TurnPace {
		return // what comes at one moment is handled as it comes
	}
	_, _ = l.world.stage.Wait(ctx, stage.Place{Rank: paces, Execution: p.Of.Workflow, What: p.What}) // who is cut off finds out
}

// errand takes note of what one execution wants of another. It is run when it is its turn.
func (l *life) errand(e runtime.Errand) {
	go func() {
		place := stage.Place{Rank: errands, Execution: e.Of.Workflow, Step: uint64(e.Step), What: e.What}
		if _, err := l.world.stage.Wait(l.ctx, place); err == nil {
			e.Do()
		}
	}()
}

// definitions are what the runtime is opened with: stubs, then what was deployed, then what the test began with; of two that are
// the same by name and version the first. Each activity goes by way of the cast.
func (l *life) definitions() []workflow.Definition {
	w := l.world
	var all []workflow.Definition
	for _, s := range w.play.stubs {
		all = append(all, s.bindings(w)...)
	}
	activities, seen := map[string]bool{}, map[string]bool{}
	for _, d := range w.play.code(w.deployed) {
		if b, ok := workflow.BodyOf(d); !ok || !w.play.isStub(b.Name) {
			all = append(all, d)
		}
	}
	unique := all[:0]
	for _, d := range all {
		name, bound := naming(d)
		if bound && seen[name] {
			continue
		}
		seen[name] = seen[name] || bound
		if b, ok := activity.Around(d, l.around); ok {
			activities[d.Definition()] = true
			d = b
		}
		unique = append(unique, d)
	}
	w.known.expect(activities, unique)
	return unique
}

// naming tells definitions apart; bound is false for those without a body.
func naming(d workflow.Definition) (name string, bound bool) {
	if b, ok := workflow.BodyOf(d); ok {
		return fmt.Sprintf("workflow %s %d", b.Name, b.Settings.Version), b.Code != nil
	}
	b, ok := activity.BodyOf(d)
	return "activity " + d.Definition(), ok && b.Handler != nil
}

// code is what runs where something was deployed: that comes first.
func (p *play) code(deployed []workflow.Definition) []workflow.Definition {
	return slices.Concat(deployed, []workflow.Definition{p.workflow}, p.definitions)
}

// expect takes note of what is here.
func (c *chronicle) expect(activities map[string]bool, all []workflow.Definition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.Copy(c.stubbed, activities)
	for _, d := range all {
		if b, ok := workflow.BodyOf(d); ok && b.Code != nil {
			c.types[b.Name] = true
		}
	}
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
	l.end()
	l.world.dying.Go(func() {
		<-l.ran
		_ = l.rt.Close() // of a log in memory
	})
}

// patience is how long activities may go on after their context has ended.
const patience = time.Hour

// end ends the life that is left, and waits until nothing runs.
func (w *World) end() {
	w.T.Helper()
	w.cancel()
	w.actors.Wait()
	if w.newest == nil {
		return
	}
	w.newest.die()
	w.dying.Wait()
	close(w.over)
	for passed := time.Duration(0); w.cast.left() != "" && passed < longest; passed += patience {
		if passed == patience {
			w.T.Errorf("after the end these activities still run, though their context has ended: %s", w.cast.left())
		}
		time.Sleep(patience) // what only sleeps wakes up
	}
}
