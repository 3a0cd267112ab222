package query

import "time"

// Valued is what the values of fields can be.
type Valued interface {
	string | int | int64 | float64 | bool | time.Time | time.Duration | []string
}

// Column is a field whose values are of one type. Its methods make conditions that mean what the same words mean in the language.
type Column[T any] struct{ Field Field }

// Runs are the fields of all runs.
var Runs = struct {
	Namespace, ID, Run, Type, Build, WaitingFor, CorrelationID, Parent, Root, StartedBy, Failure, Patch, Queue      Column[string]
	Version, Number, AttemptsSinceProgress, Activities, Timers, Children, Signals, Entries, Depth, Unread, Attempts Column[int]
	Started, Closed, Deadline, Wake, LastProgress                                                                   Column[time.Time]
	Duration                                                                                                        Column[time.Duration]
	IsChild, Held, Halted                                                                                           Column[bool]
	Status                                                                                                          Column[Status]
}{
	Namespace: column[string]("namespace"), ID: column[string]("id"), Run: column[string]("run"), Type: column[string]("type"), Build: column[string]("build"),
	WaitingFor: column[string]("waiting-for"), CorrelationID: column[string]("correlation-id"), Parent: column[string]("parent"), Root: column[string]("root"),
	StartedBy: column[string]("started-by"), Failure: column[string]("failure"), Patch: column[string]("patch"), Queue: column[string]("queue"),
	Version: column[int]("version"), Number: column[int]("number"), AttemptsSinceProgress: column[int]("attempts-since-progress"),
	Activities: column[int]("activities"), Timers: column[int]("timers"), Children: column[int]("children"), Signals: column[int]("signals"), Entries: column[int]("entries"),
	Depth: column[int]("depth"), Unread: column[int]("unread"), Attempts: column[int]("attempts"), Halted: column[bool]("halted"),
	Started: column[time.Time]("started"), Closed: column[time.Time]("closed"), Deadline: column[time.Time]("deadline"), Wake: column[time.Time]("wake"),
	LastProgress: column[time.Time]("last-progress"), Duration: column[time.Duration]("duration"), IsChild: column[bool]("is-child"), Held: column[bool]("held"), Status: column[Status]("status"),
}

func column[T any](name string) Column[T] { return Column[T]{Field{Name: name}} }

// Attr is an attribute by its name; see also the Column of a workflow.Attribute.
func Attr[T Valued](name string) Column[T] { return Column[T]{Field{attrField, name}} }

// Memo is a member of the memo by its name.
func Memo[T Valued](name string) Column[T] { return Column[T]{Field{memoField, name}} }

// Input is a field of the input that its type declares to be found by.
func Input[T Valued](name string) Column[T] { return Column[T]{Field{inputField, name}} }

// Is finds what equals v; of a Status any of the set will do.
func (c Column[T]) Is(v T) Node { return Compare{c.Field, Equal, plainOf(v)} }

// IsNot finds all others, and what has no value.
func (c Column[T]) IsNot(v T) Node { return Not{c.Is(v)} }

// In finds what equals one of these; nothing if there are none.
func (c Column[T]) In(all ...T) Node {
	n := In{Field: c.Field}
	var set Status
	for _, v := range all {
		if status, ok := any(v).(Status); ok {
			set |= status
		}
		n.Values = append(n.Values, plainOf(v))
	}
	switch {
	case set != 0:
		return Compare{c.Field, Equal, set}
	case len(n.Values) == 0:
		return Not{Or{Null(c), Not{Null(c)}}}
	}
	return n
}

// IsLatest finds the runs of the highest version among those of their type; see [Latest].
func IsLatest() Node { return Compare{Runs.Version.Field, Equal, Latest{}} }

// Below finds what is less than v, or earlier, or before it in the order of bytes.
func (c Column[T]) Below(v T) Node { return Compare{c.Field, Less, plainOf(v)} }

// AtMost is Below, with v itself.
func (c Column[T]) AtMost(v T) Node { return Compare{c.Field, AtMost, plainOf(v)} }

// Above finds what is more than v, or later, or behind it in the order of bytes.
func (c Column[T]) Above(v T) Node { return Compare{c.Field, More, plainOf(v)} }

// AtLeast is Above, with v itself.
func (c Column[T]) AtLeast(v T) Node { return Compare{c.Field, AtLeast, plainOf(v)} }

// Between finds what is from low to high, both included.
func (c Column[T]) Between(low, high T) Node { return And{c.AtLeast(low), c.AtMost(high)} }

// Missing finds what has no value.
func (c Column[T]) Missing() Node { return Null(c) }

// Prefix finds texts that begin so.
func Prefix[T string | []string](c Column[T], prefix string) Node {
	return Compare{c.Field, StartsWith, prefix}
}

// Has finds lists with an element that equals text.
func Has(c Column[[]string], text string) Node { return Compare{c.Field, Equal, text} }

// Last finds times that are at most d before the question.
func Last(c Column[time.Time], d time.Duration) Node { return Compare{c.Field, AtLeast, Relative(-d)} }

// All finds what fits all conditions, AnyOf what fits one, None what fits none.
func All(conditions ...Node) Node { return And(conditions) }

// AnyOf is beside [All].
func AnyOf(conditions ...Node) Node { return Or(conditions) }

// None is beside [All].
func None(conditions ...Node) Node { return Not{Or(conditions)} }

// Where is q with one more condition that must hold.
func Where(q Query, n Node) Query {
	if q.Where == "" {
		q.Where = n.String()
	} else {
		q.Where = "(" + q.Where + ") AND (" + n.String() + ")"
	}
	return q
}

func plainOf(v any) any {
	switch v := v.(type) {
	case int:
		return int64(v)
	case []string: // compared by its elements; see Has
		if len(v) == 1 {
			return v[0]
		}
		return ""
	}
	return v
}
