package runtime

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
)

// Retention is how long what has ended is kept, and how it is removed that is kept no longer: see [Runtime.SetRetention].
type Retention = history.Retention

// RetentionRule is one of its rules.
type RetentionRule = history.RetentionRule

// Expired is what retention removes of an execution: all of it, or its older runs.
type Expired struct {
	ID      string
	Type    string
	Status  string    // with which the newest of the runs ended
	Closed  time.Time // when it did
	Runs    int
	Entries int
	Bytes   int64  // of those entries
	Whole   bool   // nothing is left of the execution
	Rule    string // that says so
}

// Retain removes what rules say is kept no longer, and yields nothing of what others still need: a run is kept while a later one that is
// kept refers to it, and an execution while its parent has not taken note of its end or a child of it is open. With dry it only says
// what it would remove. What a rule says is exported first is given to [Config.Archive] before. Each removal is recorded with its rule, and done
// as [Runtime.Redact] says. Options: [RequestID], [Reason], [Operator]. Errors: ErrInvalid, ErrNotExported, ErrNotErasable, ErrUnavailable; what was
// removed before is returned too.
func (r *Runtime) Retain(ctx context.Context, rules []RetentionRule, dry bool, opts ...CallOption) (all []Expired, err error) {
	return r.retainAs(ctx, rules, r.now(), nil, dry, opts)
}

// retainAs is Retain as it would have been at a time, of some executions; nil: of all.
func (r *Runtime) retainAs(ctx context.Context, rules []RetentionRule, now time.Time, ids []string, dry bool, opts []CallOption) (all []Expired, err error) {
	request := callSettingsOf(opts).request
	if err := commands.CheckRetentionRules(rules); err != nil {
		return nil, err
	}
	if ids == nil {
		ids, err = r.expired(ctx, rules, now)
	}
	if dry && err == nil {
		return r.wouldRetain(ctx, ids, rules, now, opts)
	}
	for _, id := range ids {
		if err != nil {
			break
		}
		if request != "" { // each removal is an act of its own
			opts = append(opts[:len(opts):len(opts)], RequestID(uuid.NewSHA1(uuid.Nil, []byte(request+":"+id)).String()))
		}
		var x Expired
		x, err = r.retain(ctx, id, rules, now, dry, opts)
		switch {
		case errors.Is(err, ErrHeld):
			err = nil // it is kept
		case x.Runs > 0:
			all = append(all, x)
		}
	}
	return all, err
}

// looksAtOnce is how many executions a dry run looks at together: each waits for the log and for the index.
const looksAtOnce = 16

// wouldRetain is [Runtime.Retain] that removes nothing.
func (r *Runtime) wouldRetain(ctx context.Context, ids []string, rules []RetentionRule, now time.Time, opts []CallOption) (all []Expired, err error) {
	found := make([]Expired, len(ids))
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(looksAtOnce)
	for i, id := range ids {
		if within.Err() != nil {
			break
		}
		group.Go(func() error {
			x, err := r.retain(within, id, rules, now, true, opts)
			if errors.Is(err, ErrHeld) {
				return nil // it is kept
			}
			found[i] = x
			return err
		})
	}
	err = group.Wait()
	return slices.DeleteFunc(found, func(x Expired) bool { return x.Runs == 0 }), err
}

// decides returns the rule that decides on a run, if one does.
func decides(rules []RetentionRule, name string, status query.Status) (rule RetentionRule, ok bool) {
	for _, rule := range rules {
		if (rule.Type == "" || rule.Type == name) && (rule.Status == 0 || rule.Status&status != 0) {
			return rule, true
		}
	}
	return RetentionRule{}, false
}

// expired finds the executions with a run that is kept no longer.
func (r *Runtime) expired(ctx context.Context, rules []RetentionRule, now time.Time) (ids []string, err error) {
	seen := map[string]bool{}
	for row, err := range r.Find(ctx, query.Query{Status: query.Closed}) {
		if err != nil {
			return nil, err
		}
		rule, ok := decides(rules, row.Type, row.Status)
		if ok && rule.Age > 0 && !row.Closed.Add(rule.Age).After(now) && !seen[row.ID] {
			seen[row.ID] = true
			ids = append(ids, row.ID)
		}
	}
	return ids, nil
}

// retain removes what is kept no longer of one execution.
func (r *Runtime) retain(ctx context.Context, id string, rules []RetentionRule, now time.Time, dry bool, opts []CallOption) (x Expired, err error) {
	s := callSettingsOf(opts)
	by, err := actor(s)
	if err != nil {
		return x, err
	}
	x, took, act, err := r.retainOne(ctx, id, rules, now, dry, by, s)
	if err == nil && act.Event != nil {
		_, err = r.complete(ctx, took, act)
	}
	return x, err
}

// retainOne is retain without the end of the act, see [Runtime.eraseOne].
func (r *Runtime) retainOne(ctx context.Context, id string, rules []RetentionRule, now time.Time, dry bool, by history.Actor, s callSettings) (x Expired, took Erasure, act history.Entry, err error) {
	whole := r.noted(ctx, id)
	if whole != nil && !errors.Is(whole, ErrStillRunning) {
		return x, took, act, whole
	}
	decide := func(_ *memory, all []history.Entry, reason string) (history.Event, error) {
		n, rule := expiredFront(all, rules, now, whole == nil)
		if n == 0 {
			return nil, nil
		}
		act := deleted(r.id(id), all, n, reason, rule.Name)
		x = Expired{ID: id, Type: act.Type, Status: act.Status, Closed: all[n-1].At, Runs: act.Runs, Entries: n, Whole: n == len(all), Rule: rule.Name}
		for _, e := range all[:n] {
			x.Bytes += int64(e.Size())
		}
		if rule.Export && !dry {
			return act, r.exportFirst(ctx, x)
		}
		return act, nil
	}
	if dry {
		all, err := r.entries(ctx, r.id(id))
		if err == nil && len(all) > 0 {
			_, err = decide(nil, all, "")
		}
		if err == nil && x.Runs > 0 {
			err = r.held(ctx, id)
		}
		return x, took, act, err
	}
	took, act, err = r.eraseOne(ctx, id, by, s, decide)
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	if act.Event == nil {
		x = Expired{} // another has done it
	}
	return x, took, act, err
}

// expiredFront returns how many entries at the front of a history are kept no longer: whole runs, none of which a later one refers to.
// rule is the one that decided on the newest of them, and says that they are exported if that of any does. If all of it may not go, the last run stays.
func expiredFront(all []history.Entry, rules []RetentionRule, now time.Time, mayAll bool) (n int, rule RetentionRule) {
	type span struct {
		end   int    // behind its last entry
		needs uint64 // the oldest entry that it refers to
		rule  RetentionRule
		goes  bool
	}
	var spans []span
	state := &history.State{}
	for i, e := range all {
		state.Evolve(e)
		if started, ok := e.Event.(*history.Started); ok {
			spans = append(spans, span{needs: neededBy(started, e.Seq)})
		}
		if len(spans) == 0 {
			return 0, rule
		}
		run := &spans[len(spans)-1]
		run.end = i + 1
		if !state.Open() {
			decided, ok := decides(rules, state.Run.Type, state.Status)
			run.rule, run.goes = decided, ok && decided.Age > 0 && !e.At.Add(decided.Age).After(now)
		}
	}
	front := 0
	for front < len(spans) && spans[front].goes {
		front++
	}
	if front == len(spans) && !mayAll {
		front--
	}
	for ; front > 0; front-- {
		last, needed := all[spans[front-1].end-1].Seq, false
		for _, later := range spans[front:] {
			needed = needed || later.needs <= last
		}
		if !needed {
			rule = spans[front-1].rule
			for _, run := range spans[:front] {
				rule.Export = rule.Export || run.rule.Export
			}
			return spans[front-1].end, rule
		}
	}
	return 0, RetentionRule{}
}

// neededBy is the oldest entry that a run refers to.
func neededBy(s *history.Started, seq uint64) uint64 {
	for _, c := range s.Carried {
		seq = min(seq, c.From)
	}
	for _, u := range s.Updates {
		seq = min(seq, u.Seq)
	}
	if s.Adopts != nil {
		seq = min(seq, s.Adopts.From)
	}
	return seq
}
