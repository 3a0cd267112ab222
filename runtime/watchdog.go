package runtime

import (
	"context"
	"fmt"
	goruntime "runtime"
	"strings"
	"time"

	"github.com/clewflow/clew/replay"
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
	stack := x.stack()
	reason := fmt.Sprintf("the code has run for more than %s without waiting: it loops, or blocks on something outside of clew such as "+
		"time.Sleep, a channel or a lock, for which workflow has its own; it is not tried again in this process", r.config.Watchdog)
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
	w := &runner{x: x}
	x.runner = w
	go w.work()
	return true
}

// stack returns where the author's code stands that runs in x now.
func (x *execution) stack() string {
	x.mu.Lock()
	mark := ""
	if m := x.known; m != nil && m.machine != nil {
		mark = m.machine.Running()
	}
	x.mu.Unlock()
	if mark == "" {
		return "its stack is not known"
	}
	buf := make([]byte, 4<<20)
	buf = buf[:goruntime.Stack(buf, true)]
	for one := range strings.SplitSeq(string(buf), "\n\n") {
		if strings.HasPrefix(one, mark) {
			return replay.AuthorsStack(one)
		}
	}
	return "its stack is not known"
}
