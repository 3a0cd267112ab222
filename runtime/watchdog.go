package runtime

import (
	"context"
	"fmt"
	goruntime "runtime"
	"strings"
	"time"
)

// watch looks for code that neither waits nor returns. It counts its own ticks and not the time that has passed, so that a
// host that was suspended, or a process that got no processor, is not taken for bad code.
func (r *Runtime) watch(ctx context.Context) {
	if r.config.Watchdog < 0 {
		return
	}
	r.tick.CompareAndSwap(0, 1)
	interval := min(time.Second, r.config.Watchdog/4)
	limit := int64(r.config.Watchdog/interval) + 1
	for sleep(ctx, interval) {
		working := r.executions.working()
		if len(working) == 0 { // nothing to watch
			select {
			case <-r.executions.begun:
			case <-ctx.Done():
			}
			continue
		}
		now := r.tick.Add(1)
		for _, x := range working {
			if began := x.turn.Load(); began > 0 && now-began > limit {
				r.abandon(x, began)
			}
		}
	}
}

// abandon leaves a goroutine that runs code which does not come back to itself. The code can do nothing more: each call
// it makes into clew panics.
func (r *Runtime) abandon(x *execution, began int64) {
	stack := stackOfCode()
	reason := fmt.Sprintf("the code has run for more than %s without waiting: it loops, or blocks on something outside of clew", r.config.Watchdog)
	if r.giveUp(x, began, reason+"\n"+stack) {
		r.logger.Error("workflow code does not come back and is left to itself", "id", x.id.Workflow, "stack", stack)
	}
}

// giveUp takes an execution out of the hands of a runner that does not come back, and gives it to another. The calls that
// were under way are made again, without the code. It reports false if the code has come back since the turn that it is
// given up for.
func (r *Runtime) giveUp(x *execution, turn int64, reason string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.runner == nil || x.turn.Load() != turn {
		return false
	}
	r.abandoned.Add(1)
	r.executions.taint(x.id, reason)
	if m := x.known; m != nil && m.machine != nil {
		m.machine.Fence()
	}
	x.known = nil
	x.turn.Store(0)
	w := &runner{x}
	x.runner = w
	go w.work()
	return true
}

// stackOfCode returns the stacks of goroutines that run workflow code now.
func stackOfCode() string {
	buf := make([]byte, 4<<20)
	buf = buf[:goruntime.Stack(buf, true)]
	var stacks []string
	for one := range strings.SplitSeq(string(buf), "\n\n") {
		head, _, _ := strings.Cut(one, "\n")
		if strings.Contains(one, "internal/coro.(*Coroutine).run") && !strings.Contains(head, "[coroutine") {
			stacks = append(stacks, one)
		}
	}
	return strings.Join(stacks, "\n\n")
}
