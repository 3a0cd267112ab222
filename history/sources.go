package history

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Sources say where the fields of a policy, or the bounds of a run, come from. What they name nowhere is the built-in default.
type Sources struct {
	Recorded   bool   // else what they name nowhere may be of a definition or of a rule too
	Asked      Fields // the call, or the start, has asked for these itself
	Definition Fields // the definition says these
	Rules      []Part // rules that had a part in it; no two name the same field
}

// Part is what a rule has said of something.
type Part struct {
	Of      string // what the rule is of; its name is that of the activity, or of the workflow
	Version uint64 // of the policies that the rule came with
	Force   bool
	Fields  Fields
}

func (s *Sources) equal(o *Sources) bool {
	return s.Recorded == o.Recorded && s.Asked == o.Asked && s.Definition == o.Definition && slices.Equal(s.Rules, o.Rules)
}

func (s *Sources) none() bool { return s.equal(&Sources{}) }

// String names all that is no default: "call max-attempts; activity 7 forced priority,weight".
func (s Sources) String() string {
	var all []string
	say := func(who string, fields Fields) {
		if fields != 0 {
			all = append(all, who+" "+fields.String())
		}
	}
	say("call", s.Asked)
	say("definition", s.Definition)
	for _, p := range s.Rules {
		who := fmt.Sprintf("%s %d", p.Of, p.Version)
		if p.Force {
			who += " forced"
		}
		say(who, p.Fields)
	}
	return strings.Join(all, "; ")
}

// leaves are those of some fields that a rule decides: all of them if it is forced, else those that nobody has asked for.
func (s *Sources) leaves(fields Fields, force bool) Fields {
	if force {
		return fields
	}
	return fields &^ s.Asked
}

// under are the sources after a rule has said some fields.
func (s Sources) under(part Part) Sources {
	rules := s.without(part.Fields).Rules
	if part.Fields != 0 {
		rules = append(rules, part)
	}
	s.Rules = rules
	return s
}

// without are the sources if no rule has said some fields.
func (s Sources) without(fields Fields) Sources {
	var rules []Part
	for _, p := range s.Rules {
		if p.Fields &^= fields; p.Fields != 0 {
			rules = append(rules, p)
		}
	}
	s.Rules = rules
	return s
}

// AskedAnew are the sources after somebody has asked for some fields, whatever rules say.
func (s Sources) AskedAnew(fields Fields) Sources {
	s = s.without(fields)
	s.Asked |= fields
	return s
}

// Source says where a value comes from.
type Source string

// Where values come from.
const (
	FromDefault    Source = "default" // clew's own
	FromDefinition Source = "definition"
	FromCall       Source = "call"
	FromStart      Source = "start" // of a run: the client, the parent, or the run before
	FromBoth       Source = "definition and call"
	FromRule       Source = "rule" // of operators
	NotRecorded    Source = "not recorded"
)

// Of is where a field comes from, and the rule if it is one. called is what asking for it is named.
func (s *Sources) of(field Fields, called Source) (Source, Part) {
	for _, p := range s.Rules {
		if p.Fields&field != 0 {
			return FromRule, p
		}
	}
	switch {
	case s.Asked&s.Definition&field&gathered != 0:
		return FromBoth, Part{}
	case s.Asked&field != 0:
		return called, Part{}
	case s.Definition&field != 0:
		return FromDefinition, Part{}
	case !s.Recorded:
		return NotRecorded, Part{}
	}
	return FromDefault, Part{}
}

// put writes all but what was asked for, which stands beside it.
func (s *Sources) put(w *writer) {
	if !s.Recorded && s.Definition == 0 && len(s.Rules) == 0 {
		return
	}
	w.object("from", func() {
		w.flag("partly", !s.Recorded)
		s.Definition.put(w, "definition")
		if len(s.Rules) > 0 {
			w.list("rules", len(s.Rules), func(i int) { s.Rules[i].put(w) })
		}
	})
}

func (s *Sources) take(r *reader) {
	s.Recorded = true
	r.object(func(key string) bool {
		switch key {
		case "partly":
			s.Recorded = !r.flag()
		case "definition":
			s.Definition = takeFields(r)
		case "rules":
			r.list(func() { s.Rules = append(s.Rules, takePart(r)) })
		default:
			return false
		}
		return true
	})
}

func (p *Part) put(w *writer) {
	w.text("of", p.Of)
	w.num("version", p.Version)
	w.flag("force", p.Force)
	p.Fields.put(w, "fields")
}

func takePart(r *reader) (p Part) {
	r.object(func(key string) bool {
		switch key {
		case "of":
			p.Of = r.text()
		case "version":
			p.Version = r.num()
		case "force":
			p.Force = r.flag()
		case "fields":
			p.Fields = takeFields(r)
		default:
			return false
		}
		return true
	})
	return p
}

// Setting is a field of something as it holds: what it says, where that comes from, and if that is a rule, whose.
type Setting struct {
	Field   string `json:"field"` // by the words of rules
	Value   string `json:"value"`
	From    Source `json:"from"`
	Rule    string `json:"rule,omitempty"`    // what the rule is of
	Version uint64 `json:"version,omitempty"` // of the policies that it came with
	Force   bool   `json:"force,omitempty"`   // it comes before the call

	By     Actor     `json:"by,omitempty"` // who laid the rule down, when and why, where the policies are at hand
	At     time.Time `json:"at,omitzero"`
	Reason string    `json:"reason,omitempty"`
}

// Chosen are the settings that somebody has chosen, or of which that is not recorded. The rest are the built-in defaults.
func Chosen(all []Setting) []Setting {
	return slices.DeleteFunc(slices.Clone(all), func(s Setting) bool { return s.From == FromDefault })
}

// String is "by the rule of activity charge (version 3, forced, laid down by operator:ann at 2026-01-02T15:04:05Z, because …)", or the like.
func (s Setting) String() string {
	switch s.From {
	case FromDefault:
		return "by default"
	case NotRecorded:
		return string(NotRecorded)
	case FromRule:
	default:
		return "by the " + strings.ReplaceAll(string(s.From), " and ", " and the ")
	}
	of := s.Rule
	if of == OfNamespace {
		of = "the namespace"
	}
	text := fmt.Sprintf("by the rule of %s (version %d", of, s.Version)
	if s.Force {
		text += ", forced"
	}
	if s.By != "" {
		text += fmt.Sprintf(", laid down by %s at %s", s.By, s.At.Format(time.RFC3339))
	}
	if s.Reason != "" {
		text += ", because " + s.Reason
	}
	return text + ")"
}

// setting says a value of a field with its source. name is that of what rules can be of.
func (s *Sources) setting(field Fields, value string, called Source, name string) Setting {
	from, part := s.of(field, called)
	all := Setting{Field: field.String(), Value: value, From: from, Version: part.Version, Force: part.Force}
	if from == FromRule {
		all.Rule = part.subject(name).String()
	}
	return all
}

// subject is what the rule is of, by the name of what it was laid on.
func (p Part) subject(name string) Subject {
	if p.Of == OfNamespace {
		name = ""
	}
	return Subject{Of: p.Of, Name: name}
}
