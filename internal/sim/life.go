package sim

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/internal/stage"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

// life is one process.
type life struct {
	w   *World
	ctx context.Context // ends with it
	end context.CancelFunc
	rt  *runtime.Runtime
	ran chan struct{} // closed when Run has returned
	up  bool          // it has taken up what was open

	offset time.Duration // of its clock
	hands  hands
	node   // if it is one of several

	errands atomic.Int64 // that are run
}

// open begins a life.
func (w *World) open() {
	l := &life{w: w, ran: make(chan struct{})}
	l.ctx, l.end = context.WithCancel(w.ctx)
	next, offset := true, time.Duration(0)
	if !w.well {
		next = w.changes && w.dice.IntN(2) == 0
		if w.offset > 0 {
			w.fault("clock")
			offset = time.Duration(w.dice.Int64N(int64(2*w.offset))) - w.offset
		}
	}
	w.note("a process begins: next %t, offset %s", next, offset)
	if !l.open(runtime.Config{Store: "memory:", Drain: 1, Dice: w.ids, Hooks: runtime.Hooks{Offset: offset, Index: w.index}}, next) {
		return
	}
	w.mu.Lock()
	w.life = l
	w.mu.Unlock()
	l.run(l.ctx)
}

// open opens a runtime with what all have in common and what this one has, and reports whether that could be done.
func (l *life) open(c runtime.Config, next bool) bool {
	w := l.w
	c.Log, c.Namespace, c.Memory, c.Attempts, c.Replay, c.Build = newLog(l), namespace, w.memory, w.hands, replay.Strict, "sim"
	c.Key, c.Logger = []byte("the key of tokens in this world"), slog.New(slog.NewTextHandler(io.Discard, nil))
	c.Hooks.Errands, c.Hooks.Pace = l.errand, l.pace
	rt, err := runtime.Open(w.ctx, c, l.code(next)...)
	if err != nil {
		w.wrong("a process cannot begin: %v", err)
		return false
	}
	l.rt, l.offset = rt, c.Hooks.Offset
	return true
}

// run runs until ctx ends.
func (l *life) run(ctx context.Context) {
	w, rt := l.w, l.rt
	go func() {
		defer close(l.ran)
		if err := rt.Run(ctx); err != nil && ctx.Err() == nil {
			l.restart(ctx, err)
		}
	}()
	w.people.Go(func() {
		select {
		case <-rt.Ready():
			w.mu.Lock()
			defer w.mu.Unlock()
			l.up = true
		case <-l.ctx.Done():
		}
	})
}

// restart is what an operator does when Run gives up because the store could not be read.
func (l *life) restart(ctx context.Context, err error) {
	l.w.fault("recovery fails")
	for err != nil && ctx.Err() == nil {
		_ = pass(ctx, time.Second)
		err = l.rt.Run(ctx)
	}
}

// code is what a process runs.
func (l *life) code(next bool) []workflow.Definition {
	i := &interpreter{next: next, crowded: l.w.crowded}
	all := []workflow.Definition{l.programs(i), l.work(), once.Bind(l.do), outside}
	if l.w.crowded {
		all = append(all, crowd.Bind(i.run), helper.Bind(i.run))
	}
	if l.idle {
		return all
	}
	return append(all, beating.Bind(l.do))
}

// errand takes note of what one execution wants of another.
func (l *life) errand(e runtime.Errand) {
	l.w.people.Go(func() {
		place := stage.Place{Rank: errands, Execution: e.Of.Workflow, Step: uint64(e.Step), What: e.What + l.at()}
		if _, err := l.wait(l.ctx, place); err == nil {
			l.errands.Add(1)
			defer l.errands.Add(-1)
			e.Do()
		}
	})
}

// pace is what the runtime does of its own accord.
func (l *life) pace(ctx context.Context, p runtime.Pace) {
	rank := paces
	if p.What == runtime.TurnPace {
		rank = turns
	}
	_, _ = l.wait(ctx, stage.Place{Rank: rank, Execution: p.Of.Workflow, Step: uint64(p.Step), What: p.What + l.at()}) // who is cut off finds out
}

// die ends the life that there is, where it stands.
func (w *World) die() {
	l := w.alive()
	if l == nil {
		return
	}
	l.end()
	w.dying.Go(func() {
		<-l.ran
		_ = l.rt.Close() // of a log in memory
	})
}

func (w *World) alive() *life {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.life
}

// crash lets the process die where it stands, and another begin after a while.
func (w *World) crash() {
	w.mu.Lock()
	recovering := w.life != nil && !w.life.up
	w.mu.Unlock()
	w.fault("death")
	if recovering {
		w.sometimes("death while recovering")
	}
	if len(w.later) > 0 {
		w.sometimes("death while an append is on its way")
	}
	w.judge.dies()
	w.note("the process dies")
	at := time.Now()
	w.die()
	w.dying.Wait() // so that two do not write the same index
	time.Sleep(time.Until(at.Add(time.Millisecond)))
	if w.script == nil && w.dice.IntN(2) == 0 {
		time.Sleep(time.Duration(w.dice.Int64N(int64(20 * time.Second))))
	}
	w.open()
}

// do makes an attempt of an activity, as the seed says.
func (l *life) do(ctx context.Context, in job) (string, error) {
	info := activity.Info(ctx)
	one := l.hands.take(ctx, info, keyOf(in))
	defer l.hands.leave(one)
	l.w.judge.beginsWithin(l, info, in)
	from, resumes := activity.Checkpoint[int](ctx)
	l.w.judge.begins(info, time.Now().Add(l.offset), from, resumes)
	l.w.judge.beginsOnce(l, one)
	if l.waitAs(ctx, info, begins) != nil {
		return "", context.Cause(ctx)
	}
	out, err := l.attempt(ctx, in, one)
	_ = l.waitAs(ctx, info, ends) // who is cut off does not wait
	return out, err
}

func placeOf(info activity.Attempt) stage.Place {
	return stage.Place{Execution: info.Execution, Run: info.Run, Step: info.Step, Number: info.Number, What: info.Activity}
}

// waitAs waits at the stage for an attempt.
func (l *life) waitAs(ctx context.Context, info activity.Attempt, rank int) error {
	p := placeOf(info)
	p.Rank, p.What = rank, p.What+l.at()
	_, err := l.wait(ctx, p)
	return err
}

// wait waits at the stage, and before that until the process is no longer held up.
func (l *life) wait(ctx context.Context, p stage.Place) (fault, error) {
	if err := l.goesOn(ctx); err != nil {
		return none, err
	}
	if l.ctx.Err() != nil {
		return none, context.Cause(l.ctx)
	}
	return l.w.stage.Wait(ctx, p)
}

// attempt is one attempt. Those of the second phase, and the sixth of an activity, succeed.
func (l *life) attempt(ctx context.Context, in job, one *hand) (string, error) {
	w, info := l.w, one.info
	draw := func(n uint64) uint64 {
		if w.script != nil {
			return 1 // it succeeds at once, whoever makes it and when
		}
		return w.hash(n, info.Execution, info.Run, info.Step, uint64(info.Number))
	}
	delay := []time.Duration{0, time.Duration(draw(1) % uint64(3*time.Second)), time.Second, 2 * time.Second}[draw(2)%4]
	if info.Activity == beating.Name() {
		if from, ok := activity.Checkpoint[int](ctx); ok && from > 0 {
			w.sometimes("an attempt goes on at a checkpoint")
		}
		for i := range int(draw(3) % 4) {
			if err := l.pass(ctx, info, time.Second); err != nil {
				return "", err
			}
			if err := activity.Heartbeat(ctx, i+1); err != nil {
				return "", err
			}
			l.hands.beats(one)
		}
	}
	if err := l.pass(ctx, info, delay); err != nil {
		return "", err
	}
	if w.script != nil && info.Number == 1 && in.N%2 == 1 {
		return "", errFlaky
	}
	if info.Number > 5 || w.isWell() {
		return "done", nil
	}
	switch n := draw(4) % 100; {
	case n < 60:
		return "done", nil
	case n < 75:
		return "", errFlaky
	case n < 80:
		return "", activity.NonRetryable(errFlaky)
	case n < 88:
		<-ctx.Done() // it is silent
		return "", context.Cause(ctx)
	case n < 92:
		<-ctx.Done()
		w.sometimes("an outcome comes late")
		return "done", nil
	case n < 96:
		return "", &activity.PanicError{Message: "an activity panics"} // without a stack, which is never the same
	}
	if slices.Contains([]string{once.Name()}, info.Activity) {
		return "done", nil
	}
	w.mail(activity.Token(ctx), info)
	return "", activity.Pending
}

// pass lets time pass for an attempt, which then goes on when it is its turn.
func (l *life) pass(ctx context.Context, info activity.Attempt, d time.Duration) error {
	if err := pass(ctx, d); err != nil {
		return err
	}
	return l.waitAs(ctx, info, goesOn)
}

// pass lets time pass.
func pass(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
