package history

import (
	"slices"
	"strings"
	"time"
)

// RetentionRule says how long runs are kept after they have ended. Of several rules the first decides that is about a run; one that
// none is about is kept for ever.
type RetentionRule struct {
	Name   string        // is recorded with what it removes
	Type   string        // of the workflow; empty: every type
	Status Status        // with which the run ended, one or several; 0: any
	Age    time.Duration // since it ended; 0: kept for ever
	Export bool          // into an archive, before it is removed
}

// String is the rule in words, as the command line takes it: "type=order,status=failed,age=720h".
func (r RetentionRule) String() string {
	var words []string
	add := func(name, value string) {
		if value != "" {
			words = append(words, name+"="+value)
		}
	}
	add("type", r.Type)
	add("status", strings.ReplaceAll(r.Status.String(), ",", "|"))
	if r.Age > 0 {
		add("age", short(r.Age))
	}
	if r.Export {
		add("export", "first")
	}
	add("name", r.Name)
	if len(words) == 0 {
		return "all"
	}
	return strings.Join(words, ",")
}

// Retention is how long a namespace keeps what has ended, and how what is kept no longer is removed. Without rules everything is kept
// for ever, and nothing looks.
type Retention struct {
	Rules []RetentionRule
	Every time.Duration // between two times that all is looked at; 0: a day
	Rate  int           // executions that are removed in a second at the most; 0: 20
}

// Equal reports whether both say the same.
func (r Retention) Equal(o Retention) bool {
	return slices.Equal(r.Rules, o.Rules) && r.Every == o.Every && r.Rate == o.Rate
}

// IsZero reports whether everything is kept for ever, and nothing else is said.
func (r Retention) IsZero() bool { return r.Equal(Retention{}) }

// String is the retention in words.
func (r Retention) String() string {
	if len(r.Rules) == 0 {
		return "all is kept for ever"
	}
	var words []string
	for _, rule := range r.Rules {
		words = append(words, rule.String())
	}
	if r.Every > 0 {
		words = append(words, "every "+short(r.Every))
	}
	return strings.Join(words, "; ")
}

func (r Retention) put(w *writer, key string) {
	if r.IsZero() {
		return
	}
	w.object(key, func() {
		if len(r.Rules) > 0 {
			w.key("rules")
			w.b = append(w.b, '[')
			for i, rule := range r.Rules {
				if i > 0 {
					w.b = append(w.b, ',')
				}
				w.b = append(w.b, '{')
				rule.put(w)
				w.b = append(w.b, '}')
			}
			w.b = append(w.b, ']')
		}
		w.dur("every", r.Every)
		w.int("rate", r.Rate)
	})
}

func (r RetentionRule) put(w *writer) {
	w.text("name", r.Name)
	w.text("type", r.Type)
	if r.Status != 0 {
		w.texts("status", strings.Split(r.Status.String(), ","))
	}
	w.dur("age", r.Age)
	w.flag("export", r.Export)
}

func (r *Retention) take(from *reader) {
	from.object(func(key string) bool {
		switch key {
		case "rules":
			from.list(func() {
				r.Rules = append(r.Rules, RetentionRule{})
				r.Rules[len(r.Rules)-1].take(from)
			})
		case "every":
			r.Every = from.dur()
		case "rate":
			r.Rate = from.int()
		default:
			return false
		}
		return true
	})
}

func (r *RetentionRule) take(from *reader) {
	from.object(func(key string) bool {
		switch key {
		case "name":
			r.Name = from.text()
		case "type":
			r.Type = from.text()
		case "status":
			for _, name := range from.texts() {
				one, known := ParseStatus(name)
				if !known {
					from.fail("there is no status %q", name)
				}
				r.Status |= one
			}
		case "age":
			r.Age = from.dur()
		case "export":
			r.Export = from.flag()
		default:
			return false
		}
		return true
	})
}

// RetentionSet says how long a namespace keeps what has ended, in place of what was said before. It is an entry of the policies.
type RetentionSet struct {
	Before Retention
	After  Retention
	Reason string
}

func (*RetentionSet) Role() Role            { return Note }
func (*RetentionSet) Kind() string          { return "retention-set" }
func (*RetentionSet) evolve(*State, *Entry) {}
func (e *RetentionSet) put(w *writer) {
	e.Before.put(w, "before")
	e.After.put(w, "after")
	w.text("reason", e.Reason)
}
func (e *RetentionSet) take(r *reader, key string) bool {
	switch key {
	case "before":
		e.Before.take(r)
	case "after":
		e.After.take(r)
	default:
		return takeText(r, key, "reason", &e.Reason)
	}
	return true
}

// Keeping is the retention that is in force: the version of the policies that it came with, who laid it down, when, and why.
type Keeping struct {
	Retention
	Version uint64
	By      Actor
	At      time.Time
	Reason  string
}
