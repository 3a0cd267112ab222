package runtime

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/system"
	"github.com/clewflow/clew/workflow"
)

// sweepPage is how many runs are looked at for one page of a sweep.
const sweepPage = 500

// SetRetention lays down how long what has ended is kept, in place of what was laid down before: it is a version of the policies, see
// [Runtime.Policies] and [Runtime.PolicyHistory]. What is there already is judged by it too. From then on the execution
// [system.KeeperID] has everything looked at as often as it says, wherever Run works, and what is kept no longer removed; each removal is
// recorded with its rule. Without rules everything is kept for ever, and that execution ends. Options: [RequestID], [Reason], [Operator].
// Errors: ErrInvalid; ErrNotErasable if the store takes nothing away; ErrUnavailable.
func (r *Runtime) SetRetention(ctx context.Context, what Retention, opts ...CallOption) (version uint64, err error) {
	s := callSettingsOf(opts)
	by, err := actor(s)
	if err != nil {
		return 0, err
	}
	if len(what.Rules) > 0 {
		if err := r.erasable(); err != nil {
			return 0, err
		}
	}
	version, err = r.changePolicies(ctx, by, s.request, func(p *history.Policies) ([]history.Event, error) {
		event, err := commands.SetRetention(p, what, s.reason)
		if event == nil || err != nil {
			return nil, err
		}
		return []history.Event{event}, nil
	})
	if err != nil {
		return 0, err
	}
	return version, r.beginKeeping(ctx)
}

// Retention is how long what has ended is kept, as it is known here.
func (r *Runtime) Retention() history.Keeping { return r.laws.known.Load().Keeps }

// Sweep has all executions looked at once, beside those times that the keeper does, and what is kept no longer removed, or with dry only
// counted: as a workflow, whose id is given, that goes on after a crash and publishes how far it is. Options: those of [Start].
func (r *Runtime) Sweep(ctx context.Context, id string, dry bool, opts ...workflow.Option) (Handle[system.Swept], error) {
	return Start(ctx, r, id, system.Sweeps, system.Sweep{DryRun: dry}, opts...)
}

// beginKeeping has the keeper look at the rules in force, and begins it if it is not there.
func (r *Runtime) beginKeeping(ctx context.Context) error {
	k := r.Retention()
	if k.Version == 0 {
		return nil
	}
	changed := AndSignal(system.RetentionChanged.With(k.Version))
	_, err := Start(ctx, r, system.KeeperID, system.Keeper, system.Keep{}, IfRunning(UseExisting), RequestID(fmt.Sprint("retention:", k.Version)), changed)
	if err != nil {
		return fmt.Errorf("runtime: having what is kept no longer removed: %w", err)
	}
	return nil
}

// keepRetaining begins what a process left undone that died when it had laid rules down.
func (r *Runtime) keepRetaining(ctx context.Context) {
	select {
	case <-r.ready:
	case <-ctx.Done():
		return
	}
	_ = r.insist(ctx, "begin to remove what is kept no longer", r.id(system.KeeperID), r.beginKeeping)
}

// planRetention says what is in force.
func (r *Runtime) planRetention(ctx context.Context, _ struct{}) (system.Plan, error) {
	if err := r.readPolicies(ctx); err != nil {
		return system.Plan{}, err
	}
	k := r.Retention()
	if len(k.Rules) == 0 {
		return system.Plan{}, nil
	}
	p := system.Plan{Version: k.Version, Every: k.Every, Rate: k.Rate}
	if p.Every == 0 {
		p.Every = system.StandardEvery
	}
	if p.Rate == 0 {
		p.Rate = system.StandardRetentionRate
	}
	return p, nil
}

// removeExpired does one page of a sweep: executions one after the other, and what they leave on the disk at the end.
func (r *Runtime) removeExpired(ctx context.Context, q system.Removal) (system.Removed, error) {
	if err := r.readPolicies(ctx); err != nil {
		return system.Removed{}, err
	}
	k := r.Retention()
	if k.Version != q.Plan.Version {
		return system.Removed{Swept: system.Swept{Version: q.Plan.Version}, Changed: true}, nil
	}
	p, resumed := activity.Checkpoint[system.Removed](ctx) // what came of those that an attempt before has done
	ids, looked, next, err := r.expiredPage(ctx, k.Rules, q)
	if err != nil {
		return system.Removed{}, err
	}
	if !resumed {
		p.Version, p.Looked = q.Plan.Version, looked
	}
	p.Held, p.Needed, p.Unexported, p.Next = 0, 0, 0, next // what was removed is not found again, and the others are
	turn := time.NewTicker(time.Duration(float64(time.Second) / float64(q.Plan.Rate)))
	defer turn.Stop()
	var acts []history.Entry
	beat := time.Now()
	for _, id := range ids {
		if !q.DryRun {
			select {
			case <-turn.C:
			case <-ctx.Done():
				if len(acts) > 0 {
					r.admin.later()
				}
				return system.Removed{}, errors.Join(context.Cause(ctx), activity.Heartbeat(ctx, p))
			}
		}
		act, err := r.removeOne(ctx, id, k, q, &p.Swept)
		if err != nil {
			if len(acts) > 0 || act.Event != nil {
				r.admin.later() // what was begun is ended
			}
			return system.Removed{}, errors.Join(err, activity.Heartbeat(ctx, p))
		}
		if act.Event != nil {
			acts = append(acts, act)
		}
		if time.Since(beat) > 5*time.Second {
			beat = time.Now()
			if err := activity.Heartbeat(ctx, p); err != nil {
				return system.Removed{}, err
			}
		}
	}
	if len(acts) == 0 {
		return p, nil
	}
	before := r.sizeOf()
	gone, err := r.complete(ctx, Erasure{}, acts...)
	p.Files += gone.Files
	if after := r.sizeOf(); after < before {
		p.Freed += int64(before - after)
	}
	return p, err
}

// sizeOf is how much of a disk the log takes, 0 where it cannot say.
func (r *Runtime) sizeOf() uint64 {
	if s, ok := r.log.(store.Sized); ok {
		return s.Size()
	}
	return 0
}

// expiredPage finds the executions of one page that have a run which is kept no longer, those that ended first in front.
func (r *Runtime) expiredPage(ctx context.Context, rules []RetentionRule, q system.Removal) (ids []string, looked int, next string, err error) {
	youngest := time.Duration(0)
	for _, rule := range rules {
		if rule.Age > 0 && (youngest == 0 || rule.Age < youngest) {
			youngest = rule.Age
		}
	}
	if youngest == 0 {
		return nil, 0, "", nil // no rule lets anything go
	}
	page, err := r.FindPage(ctx, query.Query{Status: query.Closed, ClosedUntil: q.As.Add(-youngest + 1), Order: "closed", After: q.After, Limit: sweepPage})
	if err != nil {
		if errors.Is(err, query.ErrInvalid) {
			err = activity.NonRetryable(err)
		}
		return nil, 0, "", err
	}
	seen := map[string]bool{}
	for _, row := range page.Rows {
		rule, ok := decides(rules, row.Type, row.Status)
		if ok && rule.Age > 0 && !row.Closed.Add(rule.Age).After(q.As) && !seen[row.ID] {
			seen[row.ID] = true
			ids = append(ids, row.ID)
		}
	}
	return ids, len(page.Rows), page.Next, nil
}

// removeOne removes what is kept no longer of an execution, and counts it.
func (r *Runtime) removeOne(ctx context.Context, id string, k history.Keeping, q system.Removal, swept *system.Swept) (history.Entry, error) {
	s := callSettings{reason: k.Reason, request: uuid.NewSHA1(uuid.Nil, []byte(fmt.Sprint(q.Sweep, ":", q.Plan.Version, ":", id))).String()}
	x, _, act, err := r.retainOne(ctx, id, k.Rules, q.As, q.DryRun, history.Clock, s)
	switch {
	case errors.Is(err, ErrHeld):
		swept.Held++
		return act, nil
	case errors.Is(err, ErrNotExported):
		swept.Unexported++
		r.logger.Warn("what is to be exported before it is removed could not be, and is kept", "id", id, "error", err)
		return act, nil
	case errors.Is(err, ErrNotErasable):
		return act, activity.NonRetryable(err)
	case err != nil:
		return act, fmt.Errorf("%s: %w", id, err)
	case x.Runs == 0:
		swept.Needed++
		return act, nil
	}
	one := system.Swept{Version: swept.Version, Cut: 1, Runs: x.Runs, Entries: x.Entries, Bytes: x.Bytes, ByRule: map[string]int{x.Rule: 1}, Sample: []string{id}}
	if x.Whole {
		one.Cut, one.Whole = 0, 1
	}
	swept.Add(one)
	return act, nil
}
