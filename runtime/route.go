package runtime

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/members"
	"github.com/clewflow/clew/system"
)

// Route sends some of the starts of a workflow to one of its versions. A label counts before a share. Starts that no route takes
// go to the newest version that is not disabled.
type Route struct {
	Version int
	Percent float64 // of the workflow ids, always the same ones; 0: none
	Label   string  // those that are started with this Label; empty: none
}

// routes say which version new runs are of.
type routes struct {
	mu       sync.RWMutex
	routes   map[string][]Route
	disabled map[string]map[int]bool
}

// Route replaces the routes of a workflow, for starts from now on; none sends all to the newest version. What is open stays
// with its version. Errors: ErrInvalid, ErrUnknownType.
func (r *Runtime) Route(name string, routes ...Route) error {
	r.routes.mu.Lock()
	defer r.routes.mu.Unlock()
	share := 0.0
	for _, route := range routes {
		if r.codes[name][route.Version] == nil {
			return r.unknown(name, route.Version)
		}
		if route.Percent < 0 || route.Percent > 100 {
			return &commands.Invalid{Field: "Route.Percent", Value: fmt.Sprint(route.Percent), Want: "0 to 100"}
		}
		share += route.Percent
	}
	if share > 100 {
		return &commands.Invalid{Field: "the sum of Route.Percent", Value: fmt.Sprint(share), Want: "at most 100"}
	}
	r.routes.routes[name] = slices.Clone(routes)
	return nil
}

// Disable keeps new runs from a version of a workflow: they go to the next lower one that is enabled. Runs that are open
// stay with it. Enable takes that back. Errors: ErrUnknownType.
func (r *Runtime) Disable(name string, version int) error { return r.enable(name, version, false) }

// Enable takes back what [Runtime.Disable] did.
func (r *Runtime) Enable(name string, version int) error { return r.enable(name, version, true) }

func (r *Runtime) enable(name string, version int, on bool) error {
	r.routes.mu.Lock()
	defer r.routes.mu.Unlock()
	if r.codes[name][version] == nil {
		return r.unknown(name, version)
	}
	if r.routes.disabled[name] == nil {
		r.routes.disabled[name] = map[int]bool{}
	}
	r.routes.disabled[name][version] = !on
	return nil
}

// route says which version a new run is of, and why if it is not just the newest. pinned is the one asked for; 0: none.
func (r *Runtime) route(name, id string, pinned int, label string) (version int, why string, err error) {
	s := &r.routes
	s.mu.RLock()
	defer s.mu.RUnlock()
	usable := func(v int) bool { return r.codes[name][v] != nil && !s.disabled[name][v] }
	if pinned > 0 {
		if !usable(pinned) {
			return pinned, "", r.unknown(name, pinned)
		}
		return pinned, "", nil
	}
	for _, route := range s.routes[name] {
		if label != "" && route.Label == label && usable(route.Version) {
			return route.Version, "label " + label, nil
		}
	}
	place, sum := placeOf(name, id), 0.0
	for _, route := range s.routes[name] {
		sum += route.Percent
		if usable(route.Version) && place < sum && place >= sum-route.Percent {
			return route.Version, fmt.Sprintf("%g percent", route.Percent), nil
		}
	}
	newest, found := 0, false
	for v := range r.codes[name] {
		if usable(v) && (!found || v > newest) {
			newest, found = v, true
		}
	}
	if !found {
		return 0, "", r.unknown(name, 0)
	}
	return newest, "", nil
}

// placeOf is a number from 0 up to 100 that is always the same for an id.
func placeOf(name, id string) float64 {
	sum := sha256.Sum256([]byte(name + "\x00" + id))
	return float64(binary.BigEndian.Uint64(sum[:8])>>11) / (1 << 53) * 100
}

// unknown says what there is instead of a workflow, or a version of one. The caller holds the mutex of the routes.
func (r *Runtime) unknown(name string, version int) error {
	versions := r.codes[name]
	if len(versions) == 0 {
		return fmt.Errorf("%w: workflow %q is not among those that are bound here (%s); give it to runtime.Open, or start it Unchecked",
			ErrUnknownType, name, strings.Join(r.named(), ", "))
	}
	var known []string
	for _, v := range slices.Sorted(maps.Keys(versions)) {
		text := fmt.Sprint(v)
		if r.routes.disabled[name][v] {
			text += " (disabled)"
		}
		known = append(known, text)
	}
	if version == 0 {
		return fmt.Errorf("%w: all versions of workflow %q are disabled: %s", ErrUnknownType, name, strings.Join(known, ", "))
	}
	return fmt.Errorf("%w: version %d of workflow %q cannot be started here; its versions are %s", ErrUnknownType, version, name, strings.Join(known, ", "))
}

// types are those of which the code is here, as members announce them.
func (r *Runtime) types() (all []string) {
	for name, versions := range r.codes {
		for version := range versions {
			all = append(all, members.TypeOf(name, version))
		}
	}
	slices.Sort(all)
	return all
}

// activities are those that are made here.
func (r *Runtime) activities() []string { return slices.Sorted(maps.Keys(r.handlers)) }

// named are the workflows that the author has bound.
func (r *Runtime) named() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(r.codes)), func(name string) bool { return strings.HasPrefix(name, system.Prefix) })
}
