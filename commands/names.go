package commands

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxName is the length of the longest id or name, in bytes.
const MaxName = 200

// CheckID refuses what cannot be a workflow id.
func CheckID(field, id string) error {
	want := func(w string) error { return &Invalid{Field: field, Value: id, Want: w} }
	switch {
	case id == "":
		return want("1 to 200 bytes")
	case len(id) > MaxName:
		return want("at most 200 bytes")
	case !utf8.ValidString(id):
		return want("valid UTF-8")
	case strings.ContainsFunc(id, unicode.IsControl):
		return want("no control characters")
	}
	return nil
}

// CheckName refuses what cannot be the name of a definition, a signal, a query or a queue.
func CheckName(field, name string) error {
	if name == "" || len(name) > MaxName || strings.ContainsFunc(name, notInName) {
		return &Invalid{Field: field, Value: name, Want: "1 to 200 letters, digits or any of . _ - /"}
	}
	return nil
}

func notInName(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return false
	}
	return !strings.ContainsRune("._-/", r)
}
