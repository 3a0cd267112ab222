package query

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Kind is what the values of a field are.
type Kind uint8

// The kinds of fields.
const (
	KindText Kind = iota + 1
	KindNumber
	KindTime
	KindDuration
	KindBool
	KindStatus
	KindAny // whatever was set: attributes, memos and inputs are what each run says they are
)

// Field is something that is known of runs and can be asked about: one of [Fields], or with a Key an attribute, a member of the
// memo or a field of the input.
type Field struct {
	Name string // one of [Fields], or "attr", "memo", "input"
	Key  string // the name of the attribute, the member or the input field
}

// The fields that have keys.
const (
	attrField  = "attr"
	memoField  = "memo"
	inputField = "input"
)

// InputPrefix is how the names of the attributes begin that hold fields of the input.
const InputPrefix = inputField + "."

// fact is how a row answers for a field: nil where it has nothing to say.
type fact struct {
	kind Kind
	of   func(r *Row, now time.Time) any
}

var facts = map[string]fact{
	"namespace":               {KindText, func(r *Row, _ time.Time) any { return some(r.Namespace) }},
	"id":                      {KindText, func(r *Row, _ time.Time) any { return r.ID }},
	"run":                     {KindText, func(r *Row, _ time.Time) any { return r.Run }},
	"type":                    {KindText, func(r *Row, _ time.Time) any { return r.Type }},
	"version":                 {KindNumber, func(r *Row, _ time.Time) any { return some(int64(r.Version)) }},
	"number":                  {KindNumber, func(r *Row, _ time.Time) any { return int64(r.Number) }},
	"build":                   {KindText, func(r *Row, _ time.Time) any { return some(r.Build) }},
	"status":                  {KindStatus, func(r *Row, _ time.Time) any { return r.Status }},
	"started":                 {KindTime, func(r *Row, _ time.Time) any { return r.Started }},
	"closed":                  {KindTime, func(r *Row, _ time.Time) any { return known(r.Closed) }},
	"duration":                {KindDuration, duration},
	"deadline":                {KindTime, func(r *Row, _ time.Time) any { return known(r.Deadline) }},
	"wake":                    {KindTime, func(r *Row, _ time.Time) any { return known(r.Wake) }},
	"waiting-for":             {KindText, func(r *Row, _ time.Time) any { return some(r.Waiting) }},
	"correlation-id":          {KindText, func(r *Row, _ time.Time) any { return some(r.CorrelationID) }},
	"parent":                  {KindText, func(r *Row, _ time.Time) any { return some(r.Parent) }},
	"root":                    {KindText, func(r *Row, _ time.Time) any { return some(r.Root) }},
	"is-child":                {KindBool, func(r *Row, _ time.Time) any { return r.Parent != "" }},
	"started-by":              {KindText, func(r *Row, _ time.Time) any { return some(r.Origin) }},
	"last-progress":           {KindTime, func(r *Row, _ time.Time) any { return known(r.Progressed) }},
	"attempts-since-progress": {KindNumber, func(r *Row, _ time.Time) any { return int64(r.Attempts) }},
	"failure":                 {KindText, func(r *Row, _ time.Time) any { return some(r.Failure) }},
	"activities":              {KindNumber, func(r *Row, _ time.Time) any { return int64(r.Activities) }},
	"timers":                  {KindNumber, func(r *Row, _ time.Time) any { return int64(r.Timers) }},
	"children":                {KindNumber, func(r *Row, _ time.Time) any { return int64(r.Children) }},
	"signals":                 {KindNumber, func(r *Row, _ time.Time) any { return int64(r.Signals) }},
	"held":                    {KindBool, func(r *Row, _ time.Time) any { return r.Held }},
	"depth":                   {KindNumber, func(r *Row, _ time.Time) any { return int64(r.Depth) }},
	"unread":                  {KindNumber, func(r *Row, _ time.Time) any { return int64(r.Unread) }},
	"attempts":                {KindNumber, func(r *Row, _ time.Time) any { return some(int64(r.Attempt)) }},
	"queue":                   {KindText, func(r *Row, _ time.Time) any { return r.Queues }},
	"patch":                   {KindText, func(r *Row, _ time.Time) any { return r.Patches }},
	"halted":                  {KindBool, func(r *Row, _ time.Time) any { return r.Halted }},
	"entries":                 {KindNumber, func(r *Row, _ time.Time) any { return int64(r.Entries) }},
}

// duration is how long a closed run took, or an open one has taken so far.
func duration(r *Row, now time.Time) any {
	end := r.Closed
	if end.IsZero() {
		end = now
	}
	return time.Duration(Nanos(end) - Nanos(r.Started))
}

func some[T comparable](v T) any {
	var none T
	if v == none {
		return nil
	}
	return v
}

func known(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}

// Fields are the names of all fields that have no key, in the order of the alphabet.
func Fields() []string { return slices.Sorted(maps.Keys(facts)) }

// ParseField reads the name of a field, such as "closed", "attr.env" or "Started_By". Else the error is an [*Invalid].
func ParseField(text string) (Field, error) {
	name, key, keyed := strings.Cut(text, ".")
	f, want := fieldOf(name, key, keyed)
	if want != "" {
		return f, &Invalid{Field: "a field", Value: quoted(text), Want: want}
	}
	return f, nil
}

// fieldOf says what was wanted instead if there is no such field.
func fieldOf(name, key string, keyed bool) (f Field, want string) {
	f = Field{strings.ReplaceAll(strings.ToLower(name), "_", "-"), key}
	switch _, is := facts[f.Name]; {
	case is && !keyed:
		return f, ""
	case is:
		return f, "nothing behind " + f.Name + ", which has no parts"
	case f.keyed() && key != "":
		return f, ""
	case f.keyed():
		return f, "a name behind it, as in " + f.Name + ".total"
	}
	return f, "a field" + near(f.Name)
}

func (f Field) keyed() bool {
	return f.Name == attrField || f.Name == memoField || f.Name == inputField
}

// Kind is what the values of the field are.
func (f Field) Kind() Kind {
	if f.keyed() {
		return KindAny
	}
	return facts[f.Name].kind
}

// String is the field as it is written in the language.
func (f Field) String() string {
	if !f.keyed() {
		return f.Name
	}
	return f.Name + "." + keyText(f.Key)
}

// Values are what a row has for the field: none, one, or the elements of a list. now is for the duration of open runs.
func (f Field) Values(r *Row, now time.Time) []any {
	switch f.Name {
	case attrField:
		if strings.HasPrefix(f.Key, InputPrefix) {
			return nil
		}
		return Elements(r.Attributes[f.Key])
	case inputField:
		return Elements(r.Attributes[InputPrefix+f.Key])
	case memoField:
		return Elements(r.Memo[f.Key])
	}
	switch v := facts[f.Name].of(r, now).(type) {
	case nil:
		return nil
	case []string:
		return Elements(v)
	default:
		return []any{v}
	}
}

// Many reports whether one run can have several values of the field though it has no key: patch and queue.
func (f Field) Many() bool { return f.Name == "patch" || f.Name == "queue" }

// Elements are the values in an attribute or a member of a memo that can be searched for: itself, or the texts of a list.
func Elements(v any) (all []any) {
	switch v := v.(type) {
	case string, int64, float64, bool, time.Time, time.Duration:
		return []any{v}
	case []string:
		for _, text := range v {
			all = append(all, text)
		}
	case []any:
		for _, element := range v {
			if text, ok := element.(string); ok {
				all = append(all, text)
			}
		}
	}
	return all
}
