package replay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/clewflow/clew/history"
)

// A Field is a part of the values that a name has, which may differ.
type Field struct {
	// Name is that of an activity, of a child's type, of a signal that is sent; or that of the workflow itself, for its result,
	// its lookups, its views, its attributes, its answers and the input with which it continues as new.
	Name string
	// Path leads to the part, as in $.Items[*].Price: names behind dots, and [2] for the third of a list or [*] for each.
	// "$" is the whole value.
	Path string
}

// Check says what is wrong with a path.
func (f Field) Check() error {
	if _, ok := pathOf(f.Path); !ok || f.Name == "" {
		return fmt.Errorf(`replay: the field %q of %q is no part of a value: want a name, and a path such as "$.Items[*].Price"`, f.Path, f.Name)
	}
	return nil
}

// pathOf takes a path apart.
func pathOf(path string) (parts []string, ok bool) {
	rest, ok := strings.CutPrefix(path, "$")
	for ok && rest != "" {
		var part string
		switch {
		case rest[0] == '.':
			rest = rest[1:]
			end := strings.IndexAny(rest, ".[")
			if end < 0 {
				end = len(rest)
			}
			part, rest = rest[:end], rest[end:]
		case rest[0] == '[':
			part, rest, ok = strings.Cut(rest[1:], "]")
			part = "[" + part
			_, err := strconv.ParseUint(part[1:], 10, 31)
			ok = ok && (part == "[*" || err == nil)
		default:
			ok = false
		}
		ok = ok && part != ""
		parts = append(parts, part)
	}
	return parts, ok
}

// ignores reports whether two values of a name differ only in fields that may.
func (m *Machine) ignores(name string, a, b history.Payload) bool {
	left, right, ok := values(a, b)
	some := false
	for _, f := range m.config.Ignore {
		if parts, good := pathOf(f.Path); f.Name == name && good {
			left, right, some = blank(left, parts), blank(right, parts), true
		}
	}
	return ok && some && reflect.DeepEqual(left, right)
}

// blank takes a part out of a value.
func blank(v any, parts []string) any {
	if len(parts) == 0 {
		return nil
	}
	switch v := v.(type) {
	case map[string]any:
		if part, some := v[parts[0]]; some && len(parts) > 1 {
			v[parts[0]] = blank(part, parts[1:])
		} else {
			delete(v, parts[0])
		}
	case []any:
		for i := range v {
			if parts[0] == "[*" || parts[0] == fmt.Sprint("[", i) {
				v[i] = blank(v[i], parts[1:])
			}
		}
	}
	return v
}

func values(a, b history.Payload) (left, right any, ok bool) {
	left, one := value(a)
	right, two := value(b)
	return left, right, one && two
}

func value(p history.Payload) (v any, ok bool) {
	if p.Encoding != "" || p.Data == nil {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(p.Data))
	d.UseNumber()
	return v, d.Decode(&v) == nil
}

// where says at which place two values differ first, and how; empty: not known.
func where(recorded, asked history.Payload) string {
	switch path, l, r := parted(recorded, asked); path {
	case "":
		return ""
	case "$":
		return fmt.Sprintf(": recorded is %s, asked %s", text(l), text(r))
	default:
		return fmt.Sprintf(": they differ at %s, recorded is %s, asked %s", path, text(l), text(r))
	}
}

// parted is the place at which two values differ first, and what each has there; empty: they cannot be read, or differ only
// in how they are written.
func parted(recorded, asked history.Payload) (path string, there, here any) {
	l, r, ok := values(recorded, asked)
	if !ok {
		return "", nil, nil
	}
	return part("$", l, r)
}

// nothing stands for a part that is not there.
type nothing struct{}

// part finds where two values differ first; an empty path: nowhere.
func part(path string, l, r any) (string, any, any) {
	switch lv := l.(type) {
	case map[string]any:
		rv, ok := r.(map[string]any)
		if !ok {
			break
		}
		all := maps.Clone(lv)
		maps.Copy(all, rv)
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if at, a, b := part(path+"."+name, member(lv, name), member(rv, name)); at != "" {
				return at, a, b
			}
		}
		return "", nil, nil
	case []any:
		rv, ok := r.([]any)
		if !ok {
			break
		}
		for i := range max(len(lv), len(rv)) {
			if at, a, b := part(fmt.Sprintf("%s[%d]", path, i), element(lv, i), element(rv, i)); at != "" {
				return at, a, b
			}
		}
		return "", nil, nil
	}
	if reflect.DeepEqual(l, r) {
		return "", nil, nil
	}
	return path, l, r
}

func member(v map[string]any, name string) any {
	if part, some := v[name]; some {
		return part
	}
	return nothing{}
}

func element(v []any, i int) any {
	if i < len(v) {
		return v[i]
	}
	return nothing{}
}

func text(v any) string {
	if v == (nothing{}) {
		return "nothing"
	}
	data, _ := json.Marshal(v) // it was read from JSON
	return abridged(history.JSON(data), short)
}
