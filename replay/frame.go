package replay

import (
	"fmt"
	goruntime "runtime"
	"slices"
	"strings"

	"github.com/clewflow/clew/internal/coro"
)

// Frame is one call in the author's code.
type Frame struct {
	Function string `json:"function"`
	File     string `json:"file"`
	Line     int    `json:"line"`
}

func (f Frame) String() string { return fmt.Sprintf("%s:%d (%s)", f.File, f.Line, f.Function) }

// inside are the beginnings of functions that tell an author nothing when they stand in a stack.
var inside = []string{
	"github.com/clewflow/clew/replay.", "github.com/clewflow/clew/workflow.", "github.com/clewflow/clew/internal/coro.", "iter.", "runtime.",
}

// language is where the source of package workflow is. What the compiler has put from there into the author's functions is
// known by that alone.
var language = func() string {
	_, file, _, _ := goruntime.Caller(0)
	return strings.TrimSuffix(file, "replay/frame.go") + "workflow/"
}()

// isInside reports whether a call tells an author nothing.
func isInside(function, file string) bool {
	if function == "" || strings.HasPrefix(file, language) && !strings.HasSuffix(file, "_test.go") {
		return true
	}
	return slices.ContainsFunc(inside, func(prefix string) bool { return strings.HasPrefix(function, prefix) })
}

// authors are the calls in a stack that are the author's, the innermost first.
func authors(stack []uintptr) (all []Frame) {
	frames := goruntime.CallersFrames(stack)
	for {
		f, more := frames.Next()
		if !isInside(f.Function, f.File) {
			all = append(all, Frame{f.Function, f.File, f.Line})
		}
		if !more {
			return all
		}
	}
}

// place is where in the author's code the current call comes from.
func place() string {
	pcs := make([]uintptr, 32)
	if all := authors(pcs[:goruntime.Callers(2, pcs)]); len(all) > 0 {
		return all[0].String()
	}
	return ""
}

// deepest bounds the calls of a stack that are kept.
const deepest = 256

// parks keeps where a coroutine waits. It is called on its stack.
func (m *Machine) parks(c *coro.Coroutine) {
	pcs := m.stacks[c]
	if pcs == nil {
		pcs = make([]uintptr, deepest)
	}
	m.stacks[c] = pcs[:goruntime.Callers(2, pcs[:deepest])]
}
