package runtime

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/clewflow/clew/lookup"
	"github.com/clewflow/clew/query"
)

// Questions of the past are answered by indexes that are made for them, and kept for a while, so that somebody can turn the pages or ask
// about the same moment again.
const (
	maxPasts = 2
	keepPast = 5 * time.Minute
)

// pasts are the indexes of moments that were asked about lately.
type pasts struct {
	dir string // empty: in memory

	mu   sync.Mutex
	all  []*moment // the one used last is last
	made int       // of which each has a file of its own
}

// moment is the index of one moment. Its fields belong to the lock of pasts, but index and err, which are set when made is closed.
type moment struct {
	of     query.AsOf
	made   chan struct{}
	index  *lookup.Index
	err    error
	users  int
	gone   bool // nobody else is to use it
	asked  time.Time
	expiry *time.Timer
}

// open removes what a process that has died left.
func (p *pasts) open(beside string) error {
	if beside == "" {
		return nil
	}
	p.dir = filepath.Join(beside, "as-of")
	if err := os.RemoveAll(p.dir); err != nil {
		return fmt.Errorf("runtime: removing indexes of the past: %w", err)
	}
	return nil
}

func (p *pasts) close() error {
	p.mu.Lock()
	all := p.all
	p.all = nil
	p.mu.Unlock()
	var errs []error
	for _, one := range all {
		errs = append(errs, one.remove())
	}
	if p.dir != "" {
		errs = append(errs, os.RemoveAll(p.dir))
	}
	return errors.Join(errs...)
}

// indexFor returns the index that can answer a query, and what is to be called when it has. It has all that was acknowledged so far.
func (r *Runtime) indexFor(ctx context.Context, q *query.Query) (x *lookup.Index, done func(), err error) {
	if err := r.fresh(ctx, q); err != nil {
		return nil, nil, err
	}
	if q.AsOf.IsZero() {
		return r.index, func() {}, nil
	}
	if now := r.now(); q.AsOf.Time.After(now) {
		return nil, nil, fmt.Errorf("%w: %w", ErrInvalid, &query.Invalid{Field: "AsOf", Value: q.AsOf.String(), Want: "a time up to now, " + now.Format(time.RFC3339)})
	}
	within := cmp.Or(q.Within, query.Patience)
	inner, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	defer context.AfterFunc(r.ctx, cancel)()
	x, done, err = r.past(inner, q.AsOf)
	switch {
	case err != nil && ctx.Err() == nil && errors.Is(inner.Err(), context.DeadlineExceeded):
		err = fmt.Errorf("%w: the log was not read within %s; allow more with Within", query.ErrTooLong, within)
	case errors.Is(err, query.ErrInvalid):
		err = fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return x, done, err
}

// past finds or makes the index of a moment. Who asks for one that is being made waits for it.
func (r *Runtime) past(ctx context.Context, of query.AsOf) (*lookup.Index, func(), error) {
	one, first, path := r.pasts.take(of)
	if first {
		text := lookup.Off
		words, types := r.index.Words()
		if words {
			text = lookup.On
		}
		if path != ":memory:" {
			one.err = os.MkdirAll(filepath.Dir(path), 0o700)
		}
		if one.err == nil {
			one.index, one.err = lookup.AsOf(ctx, path, r.log, of, lookup.Options{Logger: r.logger, Inputs: r.fields, Text: text, TextOf: types})
		}
		close(one.made)
	}
	select {
	case <-one.made:
	case <-ctx.Done():
		r.pasts.give(one)
		return nil, nil, ctx.Err()
	}
	if one.err != nil {
		r.pasts.give(one)
		if !first && errors.Is(one.err, context.Canceled) && ctx.Err() == nil { // of somebody who did not wait for it
			return r.past(ctx, of)
		}
		return nil, nil, one.err
	}
	return one.index, func() { r.pasts.give(one) }, nil
}

// take finds the index of a moment, or a place for it, which its taker is to fill.
func (p *pasts) take(of query.AsOf) (one *moment, first bool, path string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.all, func(one *moment) bool { return one.of.Position == of.Position && one.of.Time.Equal(of.Time) })
	if first = i < 0; first {
		one = &moment{of: of, made: make(chan struct{})}
	} else {
		one = p.all[i]
		p.all = slices.Delete(p.all, i, i+1)
	}
	p.all = append(p.all, one)
	one.users++
	path = ":memory:"
	if p.dir != "" {
		p.made++
		path = filepath.Join(p.dir, fmt.Sprintf("%d.sqlite", p.made))
	}
	return one, first, path
}

// give takes back what was taken, and lets go of what nobody needs: one that came to nothing, the oldest if there are too many, and each after
// a while.
func (p *pasts) give(one *moment) {
	p.mu.Lock()
	one.users--
	one.asked = time.Now()
	var gone []*moment
	if one.gone && one.users == 0 {
		gone = append(gone, one)
	}
	p.all = slices.DeleteFunc(p.all, func(each *moment) bool {
		idle := each.users == 0 && (each.err != nil || len(p.all)-len(gone) > maxPasts || time.Since(each.asked) >= keepPast)
		if idle {
			gone = append(gone, each)
		}
		return idle
	})
	if one.users == 0 && !one.gone && !slices.Contains(gone, one) {
		if one.expiry != nil {
			one.expiry.Stop()
		}
		one.expiry = time.AfterFunc(keepPast, func() { p.expire(one) })
	}
	p.mu.Unlock()
	for _, each := range gone {
		_ = each.remove() // it is in nobody's way
	}
}

// forget lets go of all: something was taken away that may be in them. Whoever uses one is the last.
func (p *pasts) forget() error {
	p.mu.Lock()
	var idle []*moment
	for _, one := range p.all {
		if one.gone = true; one.users == 0 {
			idle = append(idle, one)
		}
	}
	p.all = nil
	p.mu.Unlock()
	var errs []error
	for _, one := range idle {
		errs = append(errs, one.remove())
	}
	return errors.Join(errs...)
}

func (p *pasts) expire(one *moment) {
	p.mu.Lock()
	i := slices.Index(p.all, one)
	idle := i >= 0 && one.users == 0 && time.Since(one.asked) >= keepPast
	if idle {
		p.all = slices.Delete(p.all, i, i+1)
	}
	p.mu.Unlock()
	if idle {
		_ = one.remove()
	}
}

// remove closes the index, and waits for questions that are under way.
func (one *moment) remove() error {
	if one.expiry != nil {
		one.expiry.Stop()
	}
	<-one.made
	if one.index == nil {
		return nil
	}
	return one.index.Remove()
}
