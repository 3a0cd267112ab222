package runtime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/store"
)

// snapshot is a projection as its file has it.
type snapshot struct {
	Name      string                  `json:"name"`
	Version   int                     `json:"version"`
	Namespace string                  `json:"namespace"`
	Commit    uint64                  `json:"commit"`
	Prepare   uint64                  `json:"prepare,omitempty"`
	Runs      map[string]projectedRun `json:"runs,omitempty"`
	State     json.RawMessage         `json:"state"`
}

// openProjections takes them up where they were written down.
func (r *Runtime) openProjections(ctx context.Context, dir string) error {
	all := projections{byName: map[string]*projection{}}
	if dir != "" && len(r.config.Projections) > 0 {
		all.dir = filepath.Join(dir, "projections")
		if err := os.MkdirAll(all.dir, 0o700); err != nil {
			return fmt.Errorf("runtime: making the directory of projections: %w", err)
		}
	}
	var errs []error
	for _, p := range r.config.Projections {
		one, err := p.begin()
		switch {
		case err != nil:
			errs = append(errs, err)
			continue
		case all.byName[one.name] != nil:
			errs = append(errs, &commands.Invalid{Field: "Config.Projections", Value: "two of the name " + one.name, Want: "a name for each"})
			continue
		}
		all.byName[one.name] = one
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	r.projections = all
	if len(all.byName) == 0 || all.dir == "" {
		return nil
	}
	head, err := r.log.Head(ctx)
	if err != nil {
		return err
	}
	for _, one := range all.byName {
		switch err := one.load(all.path(one.name), r.config.Namespace); {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			r.logger.Warn("a projection cannot go on where it was and is built anew", "projection", one.name, "version", one.version, "why", err)
			one.anew()
		case one.position.After(head):
			r.logger.Error("a projection is ahead of the log: entries that were recorded are missing from the log; it is built anew",
				"projection", one.name, "position", one.position, "head", head)
			one.anew()
		}
	}
	return nil
}

func (all *projections) path(name string) string {
	return filepath.Join(all.dir, url.PathEscape(name)+".json")
}

func (p *projection) anew() {
	p.state.clear()
	p.position = store.Position{}
	clear(p.runs)
}

// load reads the file of a projection. The error is [fs.ErrNotExist] if there is none.
func (p *projection) load(path, namespace string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var s snapshot
	switch err := json.Unmarshal(text, &s); {
	case err != nil:
		return fmt.Errorf("reading %s: %w", path, err)
	case s.Version != p.version:
		return fmt.Errorf("it is of version %d", s.Version)
	case s.Name != p.name || s.Namespace != namespace:
		return fmt.Errorf("it is of the projection %s of the namespace %s", s.Name, s.Namespace)
	}
	if err := json.Unmarshal(s.State, p.state); err != nil {
		return fmt.Errorf("reading the state in %s: %w", path, err)
	}
	p.position = store.Position{Commit: s.Commit, Prepare: s.Prepare}
	for id, run := range s.Runs {
		p.runs[id] = run
	}
	return nil
}

// save writes state and position down together: the file is the one before or this one.
func (p *projection) save(path, namespace string) error {
	p.turn <- struct{}{}
	at := p.at()
	text, err := json.Marshal(p.state)
	if err == nil {
		text, err = json.Marshal(snapshot{Name: p.name, Version: p.version, Namespace: namespace, Commit: at.Commit, Prepare: at.Prepare, Runs: p.runs, State: text})
	}
	<-p.turn
	if err != nil {
		return err
	}
	f, err := os.Create(path + ".new")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// saveProjections writes down those that have changed.
func (r *Runtime) saveProjections(last bool) {
	if r.projections.dir == "" {
		return
	}
	for _, p := range r.projections.byName {
		p.mu.Lock()
		due := p.stopped == nil && p.since > 0
		p.since = 0
		p.mu.Unlock()
		if !due {
			continue
		}
		if err := p.save(r.projections.path(p.name), r.config.Namespace); err != nil {
			r.logger.Error("a projection cannot be written down; after a restart it goes on from where it was before", "projection", p.name, "error", err, "last", last)
			p.note(func() { p.since++ })
		}
	}
}
