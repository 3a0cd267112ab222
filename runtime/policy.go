package runtime

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/dispatch"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// Subject is what a policy is about: an activity, a limit that several share, or a queue.
type Subject = history.Subject

// OfActivity is all calls of an activity.
func OfActivity(name string) Subject { return Subject{Of: history.OfActivity, Name: name} }

// OfLimit is all activities that name a limit, see activity.Limits.
func OfLimit(name string) Subject { return Subject{Of: history.OfLimit, Name: name} }

// OfQueue is all activities of a queue.
func OfQueue(name string) Subject { return Subject{Of: history.OfQueue, Name: name} }

// OfWorkflow is all runs of a workflow, of any version.
func OfWorkflow(name string) Subject { return Subject{Of: history.OfWorkflow, Name: name} }

// OfNamespace is all runs of the namespace.
func OfNamespace() Subject { return Subject{Of: history.OfNamespace} }

// Rule is what operators lay down for a subject: its limits, and for an activity also how long it may take and how it is tried again.
// Zero is unset.
type Rule = history.Rule

// PolicyChange is one change of the policies.
type PolicyChange = commands.PolicyChange

// Policies are the rules in force, each with the version that it came with, who laid it down, when, and why.
type Policies = history.Policies

// laws are the policies of the namespace as they are known here, and what the definitions say themselves.
type laws struct {
	known   atomic.Pointer[history.Policies]
	mu      sync.Mutex              // held to change known and the limits of the queue
	defined map[string]history.Rule // limits of activities by their definitions
	runs    map[string]history.Rule // likewise of open runs, by workflows
	unknown time.Time               // what was begun up to then, others have begun
	lifted  chan struct{}           // receives when runs may be halted no more
}

// SetPolicy lays a rule down for a subject, in place of the one that was there; an empty one takes that back. It is in force at once
// here, and on other nodes as soon as they hear of it: limits for all that waits, the rest for what is scheduled from then on. version
// is that of the policies with it. What holds is what the call says, then the rule, then the definition; a rule with Force comes first.
// Options: [Reason], [Operator], [ApplyToPending]. Errors: ErrInvalid, ErrUnavailable.
func (r *Runtime) SetPolicy(ctx context.Context, of Subject, rule Rule, opts ...CallOption) (version uint64, err error) {
	return r.SetPolicies(ctx, []PolicyChange{{Subject: of, Rule: rule}}, opts...)
}

// PausePolicy lets no further attempts of a subject be begun, until [Runtime.UnpausePolicy]. What is in hand goes on, and the rule for
// the subject is kept. Of a workflow or the namespace all runs are halted, those that are started meanwhile too: what they are sent and what
// comes due is recorded and kept, as by [Runtime.Pause] with [TimersOn]. Workflows that ship with clew are not halted with their
// namespace. Options and errors: as of SetPolicy.
func (r *Runtime) PausePolicy(ctx context.Context, of Subject, opts ...CallOption) error {
	_, err := r.SetPolicies(ctx, []PolicyChange{{Subject: of, Pause: true}}, opts...)
	return err
}

// UnpausePolicy lets a subject go on that was paused.
func (r *Runtime) UnpausePolicy(ctx context.Context, of Subject, opts ...CallOption) error {
	_, err := r.SetPolicies(ctx, []PolicyChange{{Subject: of, Unpause: true}}, opts...)
	return err
}

// SetPolicies is [Runtime.SetPolicy] for several subjects at once: all of it, or nothing. Where nothing changes nothing is recorded.
func (r *Runtime) SetPolicies(ctx context.Context, changes []PolicyChange, opts ...CallOption) (version uint64, err error) {
	s := callSettingsOf(opts)
	by, err := actor(s)
	if err != nil {
		return 0, err
	}
	if s.pending {
		if err := pendingSubjects(changes); err != nil {
			return 0, err
		}
	}
	version, err = r.changePolicies(ctx, by, s.request, func(p *history.Policies) ([]history.Event, error) {
		return commands.SetPolicies(p, changes, s.reason)
	})
	if err == nil && s.pending {
		err = r.applyToPending(ctx, version, changes, s)
	}
	return version, err
}

// changePolicies records what decide decides by the policies as they are then, and puts it in force.
func (r *Runtime) changePolicies(ctx context.Context, by history.Actor, request string, decide func(*history.Policies) ([]history.Event, error)) (version uint64, err error) {
	for {
		if err := r.readPolicies(ctx); err != nil {
			return 0, err
		}
		p := r.laws.known.Load()
		events, err := decide(p)
		if err != nil || len(events) == 0 {
			return p.Version, err
		}
		if err := r.keepable(events); err != nil {
			return 0, err
		}
		entries := r.sealPolicies(p, events, by, request)
		err = r.appendPolicies(ctx, entries)
		switch {
		case errors.Is(err, store.ErrConflict):
			continue // somebody else has changed them
		case err != nil:
			return 0, fmt.Errorf("runtime: recording policies: %w", err)
		}
		for _, e := range entries {
			r.lay(e)
		}
		return entries[len(entries)-1].Seq, nil
	}
}

func (r *Runtime) sealPolicies(p *history.Policies, events []history.Event, by history.Actor, request string) []history.Entry {
	entries, hash, at := make([]history.Entry, len(events)), p.Hash, r.now()
	if at.Before(p.At) {
		at = p.At
	}
	for i, event := range events {
		e := history.Entry{Seq: p.Version + uint64(i) + 1, At: at, By: by, Request: request, Event: event}
		if r.node != nil {
			e.Node = r.node.me()
		}
		history.Seal(hash, &e)
		entries[i], hash = e, e.Hash
	}
	return entries
}

// appendPolicies repeats what it is not known of whether it is recorded.
func (r *Runtime) appendPolicies(ctx context.Context, entries []history.Entry) error {
	for {
		err := r.log.Append(ctx, history.PolicyID(r.config.Namespace), entries...)
		if !errors.Is(err, store.ErrUnknownOutcome) || !sleep(ctx, 20*time.Millisecond) {
			return err
		}
	}
}

// Policies are those in force, as they are known here. They are not to be changed.
func (r *Runtime) Policies() *Policies { return r.laws.known.Load() }

// PolicyHistory yields all changes of the policies, in order: entries whose events are *history.PolicySet or
// *history.RetentionSet. The Seq of each is the version
// of the policies with it.
func (r *Runtime) PolicyHistory(ctx context.Context) iter.Seq2[history.Entry, error] {
	return func(yield func(history.Entry, error) bool) {
		for record, err := range r.log.Read(ctx, history.PolicyID(r.config.Namespace), 1) {
			if !yield(record.Entry, err) || err != nil {
				return
			}
		}
	}
}

// openPolicies reads the policies when the store is opened.
func (r *Runtime) openPolicies(ctx context.Context) error {
	head, err := r.log.Head(ctx)
	if err != nil {
		return fmt.Errorf("runtime: reading policies: %w", err)
	}
	if !head.IsZero() {
		r.laws.unknown = r.now()
	}
	r.laws.known.Store(&history.Policies{})
	r.enforce()
	if err := r.readPolicies(ctx); !errors.Is(err, store.ErrUnavailable) {
		return err
	}
	return nil // Run reads them before it does anything
}

// readPolicies takes in what was recorded of policies and is not known here.
func (r *Runtime) readPolicies(ctx context.Context) error {
	for record, err := range r.log.Read(ctx, history.PolicyID(r.config.Namespace), r.laws.known.Load().Version+1) {
		if err != nil {
			return fmt.Errorf("runtime: reading policies: %w", err)
		}
		r.lay(record.Entry)
	}
	return nil
}

// lay puts the next change of the policies in force. It reports false if changes before it are not known here.
func (r *Runtime) lay(e history.Entry) bool {
	r.laws.mu.Lock()
	defer r.laws.mu.Unlock()
	p := r.laws.known.Load()
	if e.Seq > p.Version+1 {
		return false
	}
	if next := p.With(e); next != p {
		r.laws.known.Store(next)
		r.enforceLocked()
		if set, ok := e.Event.(*history.PolicySet); ok {
			r.halt(set)
		}
	}
	return true
}

func (r *Runtime) enforce() {
	r.laws.mu.Lock()
	defer r.laws.mu.Unlock()
	r.enforceLocked()
}

// enforceLocked has the queue keep the limits: those of rules, and of definitions where a rule says nothing.
func (r *Runtime) enforceLocked() {
	limits := dispatch.Limits{}
	for name, rule := range r.laws.defined {
		limits[OfActivity(name)] = rule
	}
	for of, standing := range r.laws.known.Load().Rules {
		rule := standing.Rule
		rule.All, rule.Key = filled(rule.All, limits[of].All), filled(rule.Key, limits[of].Key)
		if rule.All != (history.Limit{}) || rule.Key != (history.Limit{}) {
			limits[of] = rule
		}
	}
	r.limitRuns(limits)
	r.queue.SetLimits(limits, r.laws.unknown, r.now())
}

// filled is the limit of a rule, with that of the definition where the rule says nothing.
func filled(rule, defined history.Limit) history.Limit {
	if rule.AtOnce == 0 {
		rule.AtOnce = defined.AtOnce
	}
	if rule.Rate == 0 {
		rule.Rate, rule.Per = defined.Rate, defined.Per
	}
	return rule
}

// ruled is what the code asks, as the rules that are in force change it.
func (r *Runtime) ruled(c commands.ScheduleActivity) commands.Command {
	if c.Local {
		return c
	}
	c.Policy = r.laws.known.Load().Governs(c.Name, c.Policy)
	return c
}

// waits says which limit an activity waits for; empty if none keeps it.
func (r *Runtime) waits(k dispatch.Key) string {
	why, ok := r.queue.Waits(k, r.now())
	if !ok {
		return ""
	}
	text := why.String()
	if r.node != nil {
		text = r.node.waits(why)
	}
	if standing, ruled := r.laws.known.Load().Rules[why.Subject]; ruled && standing.All.None && why.Key == "" {
		text = fmt.Sprintf("limit of %s: 0, paused by %s at %s%s", why.Subject, standing.By, standing.At.Format(time.RFC3339), because(standing.Reason))
	}
	return text
}
