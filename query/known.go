package query

import (
	"slices"
	"strings"
)

// Keyed are the attributes, members of the memo and fields of the input that a tree asks about, each once.
func Keyed(n Node) (all []Field) {
	Any(n, func(n Node) bool {
		var f Field
		switch n := n.(type) {
		case Compare:
			f = n.Field
		case In:
			f = n.Field
		case Null:
			f = n.Field
		}
		if f.Key != "" && !slices.Contains(all, f) {
			all = append(all, f)
		}
		return false // all of them
	})
	return all
}

// Types are the types that a query asks for by their whole names, each once.
func Types(q Query) (all []string) {
	add := func(v any) {
		if name, is := v.(string); is && name != "" && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	add(q.Type)
	tree, err := ParseWhere(q.Where)
	if err != nil {
		return all
	}
	Any(tree, func(n Node) bool {
		switch n := n.(type) {
		case Compare:
			if n.Field.Name == "type" && n.Op == Equal {
				add(n.Value)
			}
		case In:
			if n.Field.Name == "type" {
				for _, v := range n.Values {
					add(v)
				}
			}
		}
		return false // all of them
	})
	return all
}

// Unknown is the error about a field that no run has, with the names that may have been meant of those that some have.
func Unknown(f Field, known []string) *Invalid {
	want := "a name that some run has; none has any"
	switch best := Misspelt(f, known); {
	case best != "":
		want = "a name that some run has: did you mean " + best + "?"
	case len(known) > 20:
		want = "a name that some run has, such as " + strings.Join(known[:20], ", ")
	case len(known) > 0:
		want = "a name that some run has: one of " + strings.Join(known, ", ")
	}
	if f.Name == inputField {
		want += "; a field of an input is found by where its type has the tag `find:\"" + f.Key + "\"`"
	}
	return &Invalid{Field: "Where", Value: "about " + f.orderName(), Want: want}
}

// Misspelt is the one of the names that some run has of which a field may be a misspelling; empty if there is none.
// Names that differ only in digits, as region1 and region2, are two names.
func Misspelt(f Field, known []string) (meant string) {
	name := strings.ToLower(f.orderName())
	least := min(4, 1+len(f.Key)/3)
	for _, k := range known {
		near := strings.ToLower(k)
		if d := distance(name, near); d < least && k != f.orderName() && (near == name || undigited(name) != undigited(near)) {
			meant, least = k, d
		}
	}
	return meant
}

// undigited is a text with all digits alike.
func undigited(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return '0'
		}
		return r
	}, text)
}
