package runtime

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/system"
	"github.com/clewflow/clew/workflow"
)

// Runs of a workflow, or all of a namespace, are halted by a rule that is in force, and nothing of that is in their histories: their runners
// record what comes and tell the code nothing, and the queue has no attempts for them. So what is recorded is the same as that of a node
// that does not own an execution, and is caught up with in the same way.

// halts says which rule halts the runs of a workflow. Workflows that ship with clew go on when their namespace is halted: operators need them.
func (r *Runtime) halts(name string) (of Subject, rule history.Standing, halted bool) {
	return r.laws.known.Load().Halts(name, strings.HasPrefix(name, system.Prefix))
}

func (r *Runtime) halted(name string) bool {
	_, _, halted := r.halts(name)
	return halted
}

// halt puts a change in force for the runs that it halts, or halts no more. The caller holds laws.mu.
func (r *Runtime) halt(set *history.PolicySet) {
	if set.Before.Halt == set.After.Halt {
		return
	}
	halted := r.halted
	if !haltsAny(r.laws.known.Load()) {
		halted = nil
	}
	r.queue.Halt(halted)
	if set.Before.Halt {
		tell(r.laws.lifted)
	}
}

func haltsAny(p *history.Policies) bool {
	for _, rule := range p.Rules {
		if rule.Halt {
			return true
		}
	}
	return false
}

// releaseHalted takes up what was halted whenever a rule that halted it is lifted, until ctx ends. Whoever runs next takes up everything.
func (r *Runtime) releaseHalted(ctx context.Context) {
	for {
		r.await(ctx, time.Time{}, r.laws.lifted, nil)
		if ctx.Err() != nil {
			return
		}
		_ = r.insist(ctx, "take up what was halted", history.PolicyID(r.config.Namespace), r.takeUpLifted)
	}
}

// takeUpLifted takes up the open executions that are halted no more, as after a restart.
func (r *Runtime) takeUpLifted(ctx context.Context) error {
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(64)
	for tail, err := range r.open(within) {
		if err != nil {
			return errors.Join(err, group.Wait())
		}
		if tail.ID.Namespace != r.config.Namespace || !r.toDo(tail) || r.halted(tail.Type) {
			continue
		}
		if r.owns(tail.ID, tail.Type, tail.Version) || tail.Unsettled > 0 && !r.node.members.Alike() {
			group.Go(func() error { return r.takeUpOne(within, tail.ID) })
		}
	}
	return group.Wait()
}

// toDo reports whether something is to be done for an execution at once. What only its code is to be told waits while it is halted.
func (r *Runtime) toDo(tail store.Tail) bool {
	return tail.Unsettled > 0 || tail.Due && !r.halted(tail.Type)
}

// haltedBecause says by which rule a run is halted, and why.
func haltedBecause(of Subject, rule history.Standing) string {
	what := "all of " + of.String()
	if of.Of == history.OfNamespace {
		what = "all of the namespace"
	}
	return fmt.Sprintf("halted by %s at %s%s, as %s", rule.By, rule.At.Format(time.RFC3339), because(rule.Reason), what)
}

// isHalted reports whether the code of a run is told nothing for now.
func (w *runner) isHalted(s *history.State) bool { return s.Suspended() || w.halted }

// bounds sets the time-outs of a start as rules change them, and where they come from. What differs from the definition the start has asked for.
func (r *Runtime) bounds(start *commands.Start, defined workflow.Settings) {
	b := history.Bounds{Run: start.RunTimeout, Execution: start.ExecutionTimeout}
	for _, t := range []struct {
		field         history.Fields
		says, defined time.Duration
	}{{history.RunTimeoutField, b.Run, defined.RunTimeout}, {history.ExecutionTimeoutField, b.Execution, defined.ExecutionTimeout}} {
		if t.defined != 0 {
			b.From.Definition |= t.field
		}
		if t.says != t.defined {
			b.From.Asked |= t.field
		}
	}
	b = r.laws.known.Load().Bounds(start.Type, b)
	if b.From.Recorded = b.Run != 0 || b.Execution != 0; !b.From.Recorded {
		b.From = history.Sources{} // there is nothing to say of it
	}
	start.RunTimeout, start.ExecutionTimeout, start.From = b.Run, b.Execution, b.From
}
