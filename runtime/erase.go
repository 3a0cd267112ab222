package runtime

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/store"
)

// Payloads says which payloads of an execution are meant.
type Payloads struct {
	Entry uint64 // the Seq of the entry; 0: of all entries
	Field string // which payload of it, such as "input" or "result"; empty: all
}

// Erasure is what was taken away.
type Erasure struct {
	Payloads int // whose bytes are gone
	Entries  int // that are gone
	Files    int // beside the log, that are gone
	Later    int // files that were written a moment ago: they go when nobody can be about to refer to them
}

// young is how long a file that somebody has written may not be referred to yet.
const young = time.Minute

// Redact takes the bytes of payloads away: from the log, from the index, and the files in which they were kept. Their sums stay, so the
// history verifies as before; whoever needs one of the values is told that it was redacted, and code that does stalls. An open
// execution may be redacted too. It is recorded first, with who and why, and then done; what a crash interrupts is done by whoever opens the
// store next. Options: [RequestID], [Reason], [Operator]. Errors: ErrInvalid, ErrNotFound, ErrNotErasable if the store cannot do it
// (then encrypt payloads, and see [Runtime.Shred]), ErrUnavailable.
func (r *Runtime) Redact(ctx context.Context, id string, what Payloads, opts ...CallOption) (Erasure, error) {
	if err := r.redactable(); err != nil {
		return Erasure{}, err
	}
	return r.eraseBy(ctx, id, opts, func(m *memory, all []history.Entry, reason string) (history.Event, error) {
		act := &history.Redacted{ID: r.id(id), Field: what.Field, Reason: reason}
		some, left := false, false
		for _, e := range all {
			if what.Entry > 0 {
				if e.Seq != what.Entry && (e.Adopted == nil || !slices.Contains(act.Only, e.Adopted.Seq)) {
					continue
				}
				act.Only = append(act.Only, e.Seq) // and those of later runs that repeat it
			}
			if act.From == 0 {
				act.From = e.Seq
			}
			act.To, act.Hash = e.Seq, e.Hash
			for field, p := range history.Payloads(e.Event) {
				if what.Field != "" && field != what.Field {
					continue
				}
				some, left = true, left || !p.Redacted()
				if sum, ok := p.Blob(); ok {
					act.Files = append(act.Files, sum.String())
				}
			}
		}
		switch {
		case act.To == 0:
			return nil, fmt.Errorf("%w: %s has no entry %d", ErrNotFound, id, what.Entry)
		case !some:
			return nil, &commands.Invalid{Field: "what is to be redacted", Value: strings.TrimSpace(fmt.Sprintf("%s of entry %d", what.Field, what.Entry)), Want: "a payload that there is"}
		case !left:
			return nil, nil // all are gone
		}
		return act, nil
	})
}

// Delete removes a closed execution: its history with all its runs, the files in which its payloads were kept, its key if payloads are
// encrypted, and its rows in the index. What stays is a record of that, with the hash of its last entry, who, when and why. The id may
// be used again; the history then begins anew. It is done as [Runtime.Redact] says. Options: as there. Errors: ErrInvalid, ErrNotFound,
// ErrStillRunning, also if its parent has not taken note of its end yet; ErrNotErasable, ErrUnavailable.
func (r *Runtime) Delete(ctx context.Context, id string, opts ...CallOption) (Erasure, error) {
	if err := r.noted(ctx, id); err != nil {
		return Erasure{}, err
	}
	return r.eraseBy(ctx, id, opts, func(m *memory, all []history.Entry, reason string) (history.Event, error) {
		if m.state.Open() || history.Fold(all...).Open() { // another node may have gone on with it
			return nil, fmt.Errorf("%w: %s; end it first", ErrStillRunning, id)
		}
		return deleted(r.id(id), all, len(all), reason, ""), nil
	})
}

// deleted is the act that removes the first n entries of a history.
func deleted(id history.ID, all []history.Entry, n int, reason, rule string) *history.Deleted {
	last := all[n-1]
	act := &history.Deleted{ID: id, From: all[0].Seq, To: last.Seq, Hash: last.Hash, Reason: reason, Rule: rule}
	state := &history.State{}
	for _, e := range all[:n] {
		state.Evolve(e)
		if _, begins := e.Event.(*history.Started); begins {
			act.Runs++
		}
		for _, p := range history.Payloads(e.Event) {
			if sum, ok := p.Blob(); ok {
				act.Files = append(act.Files, sum.String())
			}
		}
	}
	act.Type, act.Status = state.Run.Type, state.Status.String()
	return act
}

// noted makes sure that the others know that an execution has ended who act on that: its parent, and its children.
func (r *Runtime) noted(ctx context.Context, id string) error {
	if err := commands.CheckID("workflow id", id); err != nil {
		return err
	}
	children, err := r.FindPage(ctx, query.Query{Parent: id, Status: query.Open, Limit: 1})
	if err != nil {
		return err
	}
	if len(children.Rows) > 0 {
		return fmt.Errorf("%w: %s is a child of %s", ErrStillRunning, children.Rows[0].ID, id)
	}
	mourned := uint64(0) // the number of a run whose failure workflow may be about to start
	parent, err := see(ctx, r, r.id(id), func(m *memory) (parent history.Parent, _ error) {
		s := m.state
		if s.Status == 0 {
			return parent, nil
		}
		if s.Run.OnFailure.After(s.Status) && r.now().Sub(s.Run.Closed) < time.Hour {
			mourned = s.Run.Number
		}
		return s.Run.Parent, nil
	})
	if err == nil && mourned > 0 {
		follows, err := see(ctx, r, r.id(commands.FailureID(id, mourned)), func(m *memory) (bool, error) { return m.state.Status != 0, nil })
		if err != nil {
			return err
		}
		if !follows {
			return fmt.Errorf("%w: the failure workflow of %s has not started yet", ErrStillRunning, id)
		}
	}
	if err != nil || parent.ID == "" || parent.ID == id {
		return err
	}
	waits, err := see(ctx, r, r.id(parent.ID), func(m *memory) (bool, error) {
		child := m.state.Children[parent.Step]
		return m.state.Open() && m.state.Run.ID == parent.Run && child != nil && child.ID == id, nil
	})
	if err == nil && waits {
		err = fmt.Errorf("%w: the parent %s of %s has not taken note of its end yet", ErrStillRunning, parent.ID, id)
	}
	return err
}

// actor is who calls.
func actor(s callSettings) (history.Actor, error) {
	if s.operator == "" {
		return history.Client, nil
	}
	return history.Operator + ":" + history.Actor(s.operator), commands.CheckID("the operator", s.operator)
}

// errUnsettled says that entries of the execution are about to be appended, which is over soon.
var errUnsettled = errors.New("runtime: entries are on their way")

// deciding decides on an act, by all entries of a history; nil: there is nothing to do.
type deciding func(m *memory, all []history.Entry, reason string) (history.Event, error)

// eraseBy records the act that decide decides, between turns of the execution, and does it.
func (r *Runtime) eraseBy(ctx context.Context, id string, opts []CallOption, decide deciding) (done Erasure, err error) {
	s := callSettingsOf(opts)
	by, bad := actor(s)
	if bad != nil {
		return done, bad
	}
	took, act, err := r.eraseOne(ctx, id, by, s, decide)
	if err != nil || act.Event == nil {
		return took, err
	}
	return r.complete(ctx, took, act)
}

// eraseOne is eraseBy without the end of the act, which is for [Runtime.complete]; of several acts together. An act without an event is
// none: there was nothing to do.
func (r *Runtime) eraseOne(ctx context.Context, id string, by history.Actor, s callSettings, decide deciding) (done Erasure, act history.Entry, err error) {
	if err := errors.Join(commands.CheckID("workflow id", id), checkRequest(s.request)); err != nil {
		return done, act, err
	}
	if err := r.erasable(); err != nil {
		return done, act, err
	}
	if s.request == "" {
		s.request = r.newID()
	}
	done, err = r.between(ctx, r.id(id), func(m *memory) (Erasure, error) {
		all, err := r.entries(ctx, r.id(id))
		if err != nil {
			return Erasure{}, err
		}
		if len(all) == 0 {
			again, err := r.admin.asked(ctx, r, s.request, r.id(id))
			if err == nil && !again { // else it was deleted by this very request
				err = fmt.Errorf("%w: %s", ErrNotFound, id)
			}
			return Erasure{}, err
		}
		event, err := decide(m, all, s.reason)
		if err != nil || event == nil {
			return Erasure{}, err
		}
		if act, err = r.admin.record(ctx, r, by, s.request, event); err != nil || act.Event == nil {
			return Erasure{}, err
		}
		took, err := r.takeAway(ctx, m, event)
		if err != nil {
			r.admin.later()
		}
		return took, err
	})
	return done, act, err
}

// erasable says why the store takes no entries away, if so.
func (r *Runtime) erasable() error {
	switch _, can := r.log.(store.Cutter); {
	case !can:
		return fmt.Errorf("%w: %T; encrypt payloads, and destroy their key with Shred", ErrNotErasable, r.log)
	case r.node != nil && r.vault.Encrypts():
		return fmt.Errorf("%w: payloads are encrypted here, and whether another node begins with the id anew is not known when its key is destroyed; destroy the key with Shred, and leave the history", ErrNotErasable)
	}
	return nil
}

// redactable says why the store takes no payloads away, if so.
func (r *Runtime) redactable() error {
	if _, can := r.log.(store.Eraser); !can || r.node != nil {
		return fmt.Errorf("%w out of entries: %T, or one that several processes share; encrypt payloads, and destroy their key with Shred", ErrNotErasable, r.log)
	}
	return nil
}

// between calls do between turns of an execution, when all its entries are in the log.
func (r *Runtime) between(ctx context.Context, id history.ID, do func(*memory) (Erasure, error)) (Erasure, error) {
	for {
		took, err := see(ctx, r, id, func(m *memory) (Erasure, error) {
			if len(m.pending) > 0 {
				return Erasure{}, errUnsettled
			}
			return do(m)
		})
		if !errors.Is(err, errUnsettled) || !sleep(ctx, time.Millisecond) {
			return took, err
		}
	}
}

// entries reads a history, as it is stored.
func (r *Runtime) entries(ctx context.Context, id history.ID) (all []history.Entry, err error) {
	for record, err := range r.log.Read(ctx, id, 1) {
		if err != nil {
			return nil, fmt.Errorf("runtime: reading %s: %w", id, err)
		}
		all = append(all, record.Entry)
	}
	return all, nil
}

// takeAway does what an act says to the log and to the index, between turns of the execution. To do it again changes nothing.
func (r *Runtime) takeAway(ctx context.Context, m *memory, event history.Event) (took Erasure, err error) {
	id := targetOf(event)
	m.erased = true
	switch act := event.(type) {
	case *history.Redacted:
		took, err = r.takePayloads(ctx, r.log.(store.Eraser), act)
	case *history.Deleted:
		took, err = r.takeEntries(ctx, r.log.(store.Cutter), act)
	}
	if err != nil {
		return took, fmt.Errorf("runtime: erasing what is recorded of %s: %w", id, err)
	}
	return took, r.refold(ctx, id)
}

func (r *Runtime) takePayloads(ctx context.Context, eraser store.Eraser, act *history.Redacted) (took Erasure, err error) {
	var thinner []history.Entry
	for record, err := range r.log.Read(ctx, act.ID, act.From) {
		e := record.Entry
		switch {
		case err != nil:
			return took, err
		case e.Seq > act.To:
			return took, nil // another history: what was meant is gone
		}
		if len(act.Only) == 0 || slices.Contains(act.Only, e.Seq) {
			without, n := history.Redact(e, act.Field)
			if n > 0 {
				thinner = append(thinner, without)
			}
			took.Payloads += n
		}
		if e.Seq < act.To {
			continue
		}
		if e.Hash != act.Hash {
			return Erasure{}, nil
		}
		return took, eraser.Redact(ctx, act.ID, thinner...)
	}
	return Erasure{}, nil
}

func (r *Runtime) takeEntries(ctx context.Context, from store.Cutter, act *history.Deleted) (took Erasure, err error) {
	meant, more := false, false
	for record, err := range r.log.Read(ctx, act.ID, act.To) {
		if err != nil {
			return took, err
		}
		meant = meant || record.Entry.Seq == act.To && record.Entry.Hash == act.Hash
		more = record.Entry.Seq > act.To
		if more {
			break
		}
	}
	if !meant {
		return took, nil
	}
	if !more {
		if err := r.vault.Shred(ctx, act.ID); err != nil {
			return took, err
		}
	}
	took.Entries = int(act.To - act.From + 1)
	return took, from.Cut(ctx, act.ID, act.To, act.Hash)
}

// complete removes the files of acts whose part in the log is done, and records that they are.
func (r *Runtime) complete(ctx context.Context, took Erasure, acts ...history.Entry) (Erasure, error) {
	err := r.log.(store.Cutter).Purge(ctx)
	if err != nil {
		r.admin.later()
		return took, err
	}
	if took.Files, took.Later, err = r.removeFiles(ctx, acts); err != nil || took.Later > 0 {
		r.admin.later()
		return took, err // they go later, see keepErasing
	}
	done := &history.Erased{}
	for _, e := range acts {
		done.Acts = append(done.Acts, e.Seq)
	}
	_, err = r.admin.record(ctx, r, history.Clock, "", done)
	return took, err
}

// remover is what a place for files can do from which they can be removed.
type remover interface {
	Remove(ctx context.Context, sum history.Sum, after time.Time) (gone bool, err error)
}

// removeFiles removes the files that acts name and that nobody else refers to.
func (r *Runtime) removeFiles(ctx context.Context, acts []history.Entry) (gone, later int, err error) {
	sums := map[history.Sum]bool{}
	for _, e := range acts {
		var files []string
		switch act := e.Event.(type) {
		case *history.Redacted:
			files = act.Files
		case *history.Deleted:
			files = act.Files
		}
		for _, text := range files {
			if sum, err := history.ParseSum(text); err == nil {
				sums[sum] = true
			}
		}
	}
	from, can := r.vault.Blobs().(remover)
	if len(sums) == 0 || !can {
		return 0, 0, nil
	}
	if err := r.keepReferred(ctx, sums); err != nil {
		return 0, 0, err
	}
	before := time.Now().Add(-young) // files have the times of the system
	for sum := range sums {
		removed, err := from.Remove(ctx, sum, before)
		switch {
		case err != nil:
			return gone, later, fmt.Errorf("runtime: erasing: %w", err)
		case removed:
			gone++
		default:
			later++
		}
	}
	return gone, later, nil
}

// keepReferred takes out of sums those that some entry of the log still refers to.
func (r *Runtime) keepReferred(ctx context.Context, sums map[history.Sum]bool) error {
	head, err := r.log.Head(ctx)
	if err != nil || head.IsZero() {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	for record, err := range r.log.Follow(ctx, store.Position{}) {
		if err != nil {
			return fmt.Errorf("runtime: looking who else refers to files: %w", err)
		}
		if record.Position.After(head) {
			return nil
		}
		if record.Entry.Encoded() {
			for _, p := range history.Payloads(record.Entry.Event) {
				if sum, ok := p.Blob(); ok {
					delete(sums, sum)
				}
			}
		}
		if record.Position == head {
			return nil
		}
	}
	return ctx.Err()
}

// finishErasures does the acts that are recorded and not done, because a process died or files were too young.
func (r *Runtime) finishErasures(ctx context.Context) {
	if _, can := r.log.(store.Cutter); !can {
		return
	}
	acts, err := r.admin.left(ctx, r)
	for _, e := range acts {
		if err != nil {
			break
		}
		_, err = r.between(ctx, targetOf(e.Event), func(m *memory) (Erasure, error) { return r.takeAway(ctx, m, e.Event) })
	}
	if err == nil && len(acts) > 0 {
		_, err = r.complete(ctx, Erasure{}, acts...)
	}
	if err != nil {
		r.admin.later()
	}
	if err != nil && ctx.Err() == nil {
		r.logger.Error("what is recorded as taken away is not gone yet; that is tried again", "acts", len(acts), "error", err)
	}
}

// keepErasing finishes after a while what could not be finished at once.
func (r *Runtime) keepErasing(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.admin.again:
		}
		if sleep(ctx, young+time.Second) {
			r.finishErasures(ctx)
		}
	}
}
