package query

import (
	"slices"
	"strings"
)

// Node is a condition on runs: a tree of the types of this file. Its text, as the language has it, is read as a tree of the same
// meaning.
//
// What a run does not have fits no comparison, and NOT turns what fits round: NOT closed > now-1h finds open runs. What is a list
// fits if one of its elements does.
type Node interface {
	String() string
	sealed()
}

type (
	// And fits if all do.
	And []Node
	// Or fits if any does.
	Or []Node
	// Not fits if its node does not.
	Not struct{ Node Node }

	// Compare fits if a value of the field compares so.
	Compare struct {
		Field Field
		Op    Op
		Value any // string, int64, float64, bool, time.Time, Relative, time.Duration, or a Status, of which any will do
	}
	// In fits if a value of the field is one of these.
	In struct {
		Field  Field
		Values []any
	}
	// Null fits if a run has no value of the field.
	Null struct{ Field Field }
	// Text fits if an input, a result or a failure of a run has all words; see [Words].
	Text struct{ Text string }
)

func (And) sealed()     {}
func (Or) sealed()      {}
func (Not) sealed()     {}
func (Compare) sealed() {}
func (In) sealed()      {}
func (Null) sealed()    {}
func (Text) sealed()    {}

// Op is how values compare.
type Op string

// The operators.
const (
	Equal      Op = "="
	Less       Op = "<"
	AtMost     Op = "<="
	More       Op = ">"
	AtLeast    Op = ">="
	StartsWith Op = "STARTS WITH"
)

func (n And) String() string { return joined(n, " AND ") }
func (n Or) String() string  { return joined(n, " OR ") }
func (n Not) String() string { return "NOT (" + n.Node.String() + ")" }

func joined(nodes []Node, by string) string {
	var all []string
	for _, n := range nodes {
		text := n.String()
		switch n.(type) {
		case And, Or:
			text = "(" + text + ")"
		}
		all = append(all, text)
	}
	return strings.Join(all, by)
}

func (n Compare) String() string {
	return n.Field.String() + " " + string(n.Op) + " " + valueText(n.Value)
}

func (n In) String() string {
	var all []string
	for _, v := range n.Values {
		all = append(all, valueText(v))
	}
	return n.Field.String() + " IN (" + strings.Join(all, ", ") + ")"
}

func (n Null) String() string { return n.Field.String() + " IS NULL" }
func (n Text) String() string { return "TEXT " + quoted(n.Text) }

// Any reports whether is holds of a node of the tree that has no others below it.
func Any(n Node, is func(Node) bool) bool {
	below := func(m Node) bool { return Any(m, is) }
	switch n := n.(type) {
	case nil:
		return false
	case And:
		return slices.ContainsFunc(n, below)
	case Or:
		return slices.ContainsFunc(n, below)
	case Not:
		return below(n.Node)
	}
	return is(n)
}

// Mentions reports whether a tree asks about a field.
func Mentions(n Node, name string) bool {
	return Any(n, func(n Node) bool {
		switch n := n.(type) {
		case Compare:
			return n.Field.Name == name
		case In:
			return n.Field.Name == name
		case Null:
			return n.Field.Name == name
		}
		return false
	})
}
