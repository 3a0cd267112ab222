package coverage

import (
	"path"
	"strings"

	"github.com/clewflow/clew/workflow"
)

// What test would show it.
const (
	trySignal = "At(d, Send(….With(…)))"
	tryUpdate = "At(d, Update(…))"
	tryQuery  = "Query in an act"
)

// tries are the tests that would show how an activity ends.
type tries struct {
	completes, fails, failsOnce, hangs, isCancelled string
	takes, lasts                                    string // with a duration
}

var (
	stub = tries{
		"Stub(…).Returns(…)", "Stub(…).Fails(activity.NonRetryable(err))", "Stub(…).Fails(err).Returns(…)", "Stub(…).TimesOut()",
		"At(d, Cancel) while Stub(…).Takes(2*d)", "Stub(…).Takes(%s).Returns(…)", "Stub(…).Takes(%s).Always(…)",
	}
	own = tries{
		"let its function return", "let its function return activity.NonRetryable(err)", "let its function fail once",
		"let its function take longer, or nobody complete it", "At(d, Cancel) while its function runs", "let its function take %s", "let each call of its function take %s",
	}
)

// sight is something that the code came by.
func (f *fold) sight(s workflow.Sight) {
	of := s.Name
	switch s.Kind {
	case workflow.SeenEndless:
		f.endless[s.Step] = true
		return
	case workflow.SeenTimer:
		f.timers[s.Step] = Place(s.Place)
	}
	if of == "" {
		of = Place(s.Place)
	}
	for i, name := range s.Cases {
		item := f.can(string(s.Kind), of, name, try(s.Kind, name))
		if i == s.Came {
			item.Seen++
		}
	}
}

// try says what test would show a case.
func try(kind workflow.SightKind, name string) string {
	switch kind {
	case workflow.SeenSignal:
		return trySignal
	case workflow.SeenUpdate:
		return tryUpdate
	case workflow.SeenQuery:
		return tryQuery
	case workflow.SeenUndo:
		return "let what comes after it fail"
	case workflow.SeenGate:
		if strings.HasSuffix(name, "from before it") {
			return "Replay a history from before the change"
		}
		return "Run"
	}
	switch {
	case strings.HasPrefix(name, "took signal "):
		return "At(d, Send(….With(…))) while it waits here"
	case strings.HasPrefix(name, "took "):
		return "let it come while nothing before it in the select has"
	case name == "ran out of time", name == "fired":
		return "let nothing come before its time"
	case name == "found runs", name == "found none":
		return "Rows(func(query.Query) []query.Row { … })"
	case name == "was stopped":
		return "let something come before its time"
	case name == "ended with its scope":
		return "At(d, Cancel) while it waits here"
	}
	return "let the condition hold while it waits here"
}

// Place is a place in the author's code, the same on every machine: "pkg/path/file.go:31" for a frame that reads
// "/home/ann/src/pkg/file.go:31 (pkg/path.function)".
func Place(frame string) string {
	file, function, _ := strings.Cut(frame, " (")
	function = strings.TrimSuffix(function, ")")
	dir, name := path.Split(function)
	name, _, _ = strings.Cut(name, ".")
	return dir + name + "/" + path.Base(strings.ReplaceAll(file, `\`, "/"))
}
