package workflowtest

import (
	"context"
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

// open begins a life.
func (w *World) open() {
	l := &life{world: w, ran: make(chan struct{})}
	l.ctx, l.end = context.WithCancel(w.Context)
	l.log = &handle{w.disk.Open(), l}
	rt, err := runtime.Open(w.Context, runtime.Config{
		Store: "memory:", Log: l.log, Namespace: namespace, Memory: w.memory, Drain: 1, Replay: replay.Strict, Build: "test",
		Key: []byte("the key of tokens in these tests"), Dice: w.dice, Vault: w.vault, Errands: l.errand, Local: w.cast.around,
		Logger: slog.New(slog.NewTextHandler(logWriter{l}, &slog.HandlerOptions{ReplaceAttr: timeless})),
	}, w.definitions()...)
	if err != nil {
		w.fatal("%v", err)
	}
	l.rt = rt
	w.life, w.Runtime = l, rt
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

// definitions are what the runtime is opened with: each activity goes by way of the cast.
func (w *World) definitions() []workflow.Definition {
	var all []workflow.Definition
	own, _ := workflow.BodyOf(w.play.workflow)
	if own.Code != nil {
		all = append(all, w.play.workflow)
	}
	activities := map[string]bool{}
	add := func(d workflow.Definition) {
		b, ok := activity.Around(d, w.cast.around)
		if !ok {
			all = append(all, d)
			return
		}
		activities[d.Definition()] = true
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
	w.known.expect(activities, all)
	return all
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
