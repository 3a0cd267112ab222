package eventstore

import (
	"fmt"
	"strings"

	"github.com/clewflow/clew/history"
)

// names says which stream an execution is, and the other way round. A name is
//
//	clew.x.orders-4711
//	│    │ │      └ the workflow id
//	│    │ └ the namespace; it holds no "-", so what is before the first "-", the category, is exactly one namespace
//	│    └ the family: x are executions
//	└ the root
//
// What is not a letter, a digit or one of "._~-" is written as %XX, as is "-" in a namespace. Two ids have two names, and
// a name that is not written in exactly this way is nobody's.
type names struct{ root string }

// executions is the family of all that is of no other.
const executions = "x"

const hex = "0123456789ABCDEF"

func (n names) stream(id history.ID) string {
	family, namespace := executions, id.Namespace
	if own, of, ok := strings.Cut(id.Namespace, "@"); ok && isFamily(own) && own != executions {
		family, namespace = own, of
	}
	b := make([]byte, 0, len(n.root)+len(family)+len(namespace)+len(id.Workflow)+2)
	b = append(b, n.root...)
	b = append(b, family...)
	b = append(b, '.')
	b = escape(b, namespace, false)
	b = append(b, '-')
	b = escape(b, id.Workflow, true)
	return string(b)
}

// id is the execution that a stream is; an error says that it is none.
func (n names) id(stream string) (history.ID, error) {
	rest, ours := strings.CutPrefix(stream, n.root)
	family, rest, hasFamily := strings.Cut(rest, ".")
	namespace, workflow, hasID := strings.Cut(rest, "-")
	if !ours || !hasFamily || !hasID || !isFamily(family) {
		return history.ID{}, fmt.Errorf("%q is no stream of clew's, want %s<family>.<namespace>-<id>", stream, n.root)
	}
	id := history.ID{Namespace: unescape(namespace), Workflow: unescape(workflow)}
	if family != executions {
		id.Namespace = family + "@" + id.Namespace
	}
	if canonical := n.stream(id); canonical != stream {
		return history.ID{}, fmt.Errorf("%q is no stream of clew's, which would be %q", stream, canonical)
	}
	return id, nil
}

func isFamily(s string) bool {
	for i := range len(s) {
		if c := s[i]; !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_') {
			return false
		}
	}
	return s != ""
}

func escape(b []byte, s string, hyphens bool) []byte {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '~', c == '-' && hyphens:
			b = append(b, c)
		default:
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return b
}

// unescape undoes escape. What escape never writes becomes something else, which is found by escaping it again.
func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			b = append(b, byte(strings.IndexByte(hex, s[i+1])<<4|strings.IndexByte(hex, s[i+2])))
			i += 2
			continue
		}
		b = append(b, s[i])
	}
	return string(b)
}
