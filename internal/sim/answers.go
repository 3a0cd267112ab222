package sim

import (
	"maps"
	"slices"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
)

// What clients hold their answers against.

func (j *judge) hasRun(_, run string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.begun[run]
}

func (j *judge) hasRequest(id, request string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.told[id+" "+request+" signaled"]
}

// hasAny reports whether anything was recorded for a request.
func (j *judge) hasAny(id, request string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.told[id+" "+request]
}

func (j *judge) hasUpdate(id, update string) bool { return j.accepted(id, update) > 0 }

// accepted is how often an update was.
func (j *judge) accepted(id, update string) int {
	return j.count(id, func(e history.Event) bool {
		u, ok := e.(*history.UpdateAccepted)
		return ok && u.Update == update
	})
}

// answered reports whether an update was.
func (j *judge) answered(id, update string) bool {
	return j.count(id, func(e history.Event) bool {
		switch u := e.(type) {
		case *history.UpdateCompleted:
			return u.Update == update
		case *history.UpdateFailed:
			return u.Update == update
		}
		return false
	}) > 0
}

func (j *judge) count(id string, of func(history.Event) bool) (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range j.of(idOf(id)).entries {
		if e.Adopted == nil && of(e.Event) {
			n++
		}
	}
	return n
}

// letters is how many letters of clients any chain of an execution was sent.
func (j *judge) letters(id string) (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.of(idOf(id)).most
}

// chain is that of the open run; empty: none is open.
func (j *judge) chain(id string) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	if s := j.of(idOf(id)); isOpen(&s.state) {
		return s.state.Run.Chain
	}
	return ""
}

// runs are the ids of all runs.
func (j *judge) runs() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Sorted(maps.Keys(j.begun))
}

// open is how many executions are.
func (j *judge) open() (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, s := range j.all {
		if isOpen(&s.state) {
			n++
		}
	}
	return n
}

func (j *judge) total() (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, s := range j.all {
		n += len(s.entries)
	}
	return n
}

// completed reports whether an attempt is what completed its activity.
func (j *judge) completed(info activity.Attempt) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	run := ""
	for _, e := range j.of(idOf(info.Execution)).entries {
		switch v := e.Event.(type) {
		case *history.Started:
			run = v.Run
		case *history.ActivityCompleted:
			if run == info.Run && uint64(v.Step) == info.Step {
				return v.Attempt == info.Number
			}
		}
	}
	return false
}
