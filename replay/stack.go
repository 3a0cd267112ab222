package replay

import (
	"fmt"
	"strings"
)

// notTheAuthors are the beginnings of functions that tell an author nothing.
var notTheAuthors = []string{
	"runtime.", "runtime/", "iter.", "panic(", "internal/", "created by ",
	"github.com/clewflow/clew/internal/coro.", "github.com/clewflow/clew/replay.", "github.com/clewflow/clew/workflow.",
	"github.com/clewflow/clew/runtime.",
}

// AuthorsStack leaves of a goroutine's stack what is the author's: one line for each call, the innermost first.
func AuthorsStack(stack string) string {
	var b strings.Builder
	lines := strings.Split(strings.TrimSpace(stack), "\n")
	for i := 1; i+1 < len(lines); i += 2 {
		call, place := lines[i], strings.TrimSpace(lines[i+1])
		ours := false
		for _, prefix := range notTheAuthors {
			ours = ours || strings.HasPrefix(call, prefix) || strings.Contains(prefix, "/clew/") && strings.Contains(call, prefix)
		}
		ours = ours || strings.HasPrefix(place, language)
		if ours && !strings.HasSuffix(strings.Fields(place + " ")[0], "_test.go") {
			if !strings.Contains(place, "_test.go:") {
				continue
			}
		}
		name := call
		if i := strings.LastIndexByte(call, '('); i > 0 {
			name = call[:i] // what it was called with is numbers
		}
		place, _, _ = strings.Cut(place, " +0x")
		fmt.Fprintf(&b, "%s\n\t%s\n", name, place)
	}
	if b.Len() == 0 {
		return stack
	}
	return strings.TrimRight(b.String(), "\n")
}

// Running returns how the stack of the goroutine begins on which the code runs now, by which it is found among others;
// empty if no code runs. It may be asked from anywhere.
func (m *Machine) Running() string {
	c := m.group.Current()
	if c == nil {
		return ""
	}
	return fmt.Sprintf("goroutine %d ", c.Goroutine())
}
