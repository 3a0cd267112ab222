package runtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/vault"
)

// keepEvery is how often a projection is written down while entries come.
const keepEvery = 5 * time.Second

// projections are those of a runtime. One goroutine follows the log for all.
type projections struct {
	dir    string // empty: they are built anew by each runtime
	byName map[string]*projection
}

// projection is a state with its place in the log.
type projection struct {
	name    string
	version int

	turn  chan struct{} // whoever has taken its token may use what follows; position changes with it
	state projectedState
	runs  map[string]projectedRun // those that are open, by the id of their execution

	mu       sync.Mutex // for the rest, and never held for long
	position store.Position
	stopped  error
	waits    error
	moved    chan struct{} // closed when any of these changes, if somebody waits
	waiters  int
	since    int // records since it was written down
}

// projectedRun is what entries do not say of the run to which they belong.
type projectedRun struct {
	Run  string `json:"run"`
	Type string `json:"type"`
}

// keepProjections follows the log until Close, and writes down what it came to.
func (r *Runtime) keepProjections() {
	if len(r.projections.byName) == 0 {
		return
	}
	defer r.saveProjections(true)
	for pause := time.Duration(0); ; pause = min(max(2*pause, 100*time.Millisecond), 10*time.Second) {
		from, any := r.projections.place()
		if !any {
			<-r.ctx.Done()
			return
		}
		err := r.project(from)
		if r.ctx.Err() != nil {
			return
		}
		if now, _ := r.projections.place(); now.After(from) {
			pause = 0
		}
		if err != nil {
			r.logger.Error("projections cannot be brought up to date for now", "position", from, "error", err)
		}
		select {
		case <-time.After(pause):
		case <-r.ctx.Done():
			return
		}
	}
}

// place is up to where all that go on are, and whether any does.
func (all *projections) place() (from store.Position, any bool) {
	for _, p := range all.byName {
		p.mu.Lock()
		if p.stopped == nil && (!any || from.After(p.position)) {
			from, any = p.position, true
		}
		p.mu.Unlock()
	}
	return from, any
}

// project folds what comes after a position, until something is in the way, or all have stopped.
func (r *Runtime) project(from store.Position) error {
	ctx, stop := context.WithCancel(r.ctx)
	defer stop()
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	var saving sync.WaitGroup
	defer saving.Wait()
	defer stop()
	saving.Go(func() { // also when nothing more comes
		for {
			select {
			case <-tick.C:
				r.saveProjections(false)
			case <-ctx.Done():
				return
			}
		}
	})
	for record, err := range r.log.Follow(ctx, from) {
		if err != nil {
			return err
		}
		stopped, err := r.projectOne(ctx, &record)
		if err != nil {
			for _, p := range r.projections.byName {
				p.note(func() { p.waits = err })
			}
			return err
		}
		if stopped {
			if _, any := r.projections.place(); !any {
				return nil
			}
		}
	}
	return nil
}

// projectOne folds a record into each projection that has not had it, and reports whether one has stopped at it. The error is that the
// record cannot be read.
func (r *Runtime) projectOne(ctx context.Context, record *store.Record) (stopped bool, err error) {
	e := record.Entry
	if record.ID.Namespace == r.config.Namespace && record.ID.Family() == "" {
		if e, err = r.unwrap(ctx, record.ID, e); err != nil && !errors.Is(err, vault.ErrShredded) {
			return false, err
		}
	}
	for _, p := range r.projections.byName {
		if err := p.apply(record, e, r.config.Namespace); err != nil {
			stopped = true
			r.logger.Error("a projection has stopped; the others and executions go on", "projection", p.name, "version", p.version,
				"position", record.Position, "execution", record.ID.Workflow, "seq", record.Entry.Seq, "error", err)
		}
	}
	return stopped, nil
}

// apply folds an entry. The error is that of the fold, which is not asked again.
func (p *projection) apply(record *store.Record, e history.Entry, namespace string) (err error) {
	p.mu.Lock()
	due := p.stopped == nil && record.Position.After(p.position)
	p.mu.Unlock()
	if !due {
		return nil
	}
	p.turn <- struct{}{}
	defer func() { <-p.turn }()
	if record.ID.Namespace == namespace && record.ID.Family() == "" {
		err = p.fold(record, e)
	}
	if err != nil {
		p.state.clear() // the fold may have changed half of it; the file has it as it was before
	}
	p.note(func() {
		p.waits = nil
		if err != nil {
			p.stopped = fmt.Errorf("entry %d of %s: %w", e.Seq, record.ID.Workflow, err)
			return
		}
		p.position = record.Position
		p.since++
	})
	return err
}

func (p *projection) fold(record *store.Record, e history.Entry) error {
	id := record.ID.Workflow
	if started, is := e.Event.(*history.Started); is {
		p.runs[id] = projectedRun{started.Run, started.Type}
	}
	run := p.runs[id]
	if closes(e.Event) {
		delete(p.runs, id)
	}
	return p.state.apply(Recorded{Position: record.Position.Commit, Workflow: id, Run: run.Run, Type: run.Type, Entry: e})
}

// note changes a projection, and tells those who wait for it.
func (p *projection) note(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	if p.waiters > 0 {
		close(p.moved)
		p.moved = make(chan struct{})
	}
}

// read waits until a projection has reached a position, and returns its state as JSON.
func (p *projection) read(ctx, open context.Context, want store.Position) (text []byte, at store.Position, err error) {
	if err := p.reached(ctx, open, want); err != nil {
		return nil, at, err
	}
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done(): // a fold takes long
		return nil, at, p.late(ctx.Err(), want)
	}
	defer func() { <-p.turn }()
	p.mu.Lock()
	stopped, at := p.stopped, p.position
	p.mu.Unlock()
	if stopped != nil {
		return nil, at, fmt.Errorf("%w: %s, at %w", ErrProjectionStopped, p.name, stopped)
	}
	if text, err = json.Marshal(p.state); err != nil {
		return nil, at, fmt.Errorf("runtime: the state of the projection %s cannot be written as JSON: %w", p.name, err)
	}
	return text, at, nil
}

// reached waits until a projection has reached a position, or has stopped.
func (p *projection) reached(ctx, open context.Context, want store.Position) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiters++
	defer func() { p.waiters-- }()
	for p.stopped == nil && want.After(p.position) {
		var err error
		moved := p.moved
		p.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
			err = p.late(ctx.Err(), want)
		case <-open.Done():
			err = ErrClosed
		}
		p.mu.Lock()
		if err != nil {
			return err
		}
	}
	return nil
}

// late is what is said to somebody whose time is over.
func (p *projection) late(err error, want store.Position) error {
	if !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return errors.Join(behind(p.name, p.position, want), p.waits)
}

// at is the position.
func (p *projection) at() store.Position {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.position
}

// Projections are those of Config, by their names, and how they come on.
func (r *Runtime) Projections() (all []ProjectionStatus) {
	for _, p := range r.projections.byName {
		p.mu.Lock()
		all = append(all, ProjectionStatus{p.name, p.version, p.position.Commit, p.stopped, p.waits})
		p.mu.Unlock()
	}
	slices.SortFunc(all, func(a, b ProjectionStatus) int { return strings.Compare(a.Name, b.Name) })
	return all
}
