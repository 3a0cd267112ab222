package query

import (
	"strconv"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"

	"github.com/clewflow/clew/history"
)

// Parse reads a question in the query language, such as
//
//	type = 'order' AND status IN ('failed', 'stalled') AND started > now-24h ORDER BY closed DESC LIMIT 20
//
// What it says of order and limit is in Order and Most of the result, the condition in Where. The error is a [*Wrong].
func Parse(text string) (Query, error) {
	n, s, err := parse(text)
	if err != nil {
		return Query{}, err
	}
	var q Query
	if n != nil {
		q.Where = n.String()
	}
	if s.Order != nil {
		f, err := s.Order.Path.field(text)
		if err != nil {
			return q, err
		}
		q.Order = f.orderName()
		if s.Order.Desc {
			q.Order = "-" + q.Order
		}
		if _, err := ParseOrder(q.Order); err != nil {
			return q, wrongAt(text, s.Order.Pos.Offset, "runs cannot be ordered by "+f.String(), "another field")
		}
	}
	if s.Limit != nil {
		n, err := strconv.Atoi(s.Limit.Number)
		if err != nil || n < 1 {
			return q, wrongAt(text, s.Limit.Pos.Offset, "LIMIT is "+s.Limit.Number, "a whole number from 1 on")
		}
		q.Most = n
	}
	return q, nil
}

// ParseWhere reads a condition as a tree; that of an empty text is nil. The error is a [*Wrong].
func ParseWhere(text string) (Node, error) {
	n, s, err := parse(text)
	switch {
	case err != nil:
		return nil, err
	case s.Order != nil:
		return nil, wrongAt(text, s.Order.Pos.Offset, "there is an ORDER BY in a condition", "it in Order, or the whole in Parse")
	case s.Limit != nil:
		return nil, wrongAt(text, s.Limit.Pos.Offset, "there is a LIMIT in a condition", "it in Most, or the whole in Parse")
	}
	return n, nil
}

func parse(text string) (Node, *gSentence, error) {
	if strings.TrimSpace(text) == "" { // which most questions have, and the grammar takes its time for
		return nil, &gSentence{}, nil
	}
	s, err := read(text)
	if err != nil {
		return nil, nil, err
	}
	if s.Where == nil {
		return nil, s, nil
	}
	p := &parser{text: text}
	n, err := p.or(s.Where, 0)
	return n, s, err
}

// parser makes a tree of what the grammar has read, and sees to it that values are of the kinds of their fields.
type parser struct {
	text  string
	tests int
}

func (p *parser) wrong(at lexer.Position, found, want string) error {
	return wrongAt(p.text, at.Offset, found, want)
}

func (p *parser) or(g *gOr, depth int) (Node, error) {
	var all Or
	for _, term := range g.Terms {
		n, err := p.and(term, depth)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return all, nil
}

func (p *parser) and(g *gAnd, depth int) (Node, error) {
	var all And
	for _, term := range g.Terms {
		n, err := p.not(term, depth)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return all, nil
}

func (p *parser) not(g *gNot, depth int) (Node, error) {
	if depth > maxDepth {
		return nil, wrongAt(p.text, 0, "parentheses and NOTs stand too deep in each other", "at most 50")
	}
	switch {
	case g.Not != nil:
		n, err := p.not(g.Not, depth+1)
		return Not{n}, err
	case g.Group != nil:
		return p.or(g.Group, depth+1)
	case g.Text != nil:
		text := unquote(g.Text.Text)
		if words, _ := Sought(text); len(words) == 0 {
			return nil, p.wrong(g.Text.Pos, "there is no word in "+g.Text.Text, "at least one")
		}
		return Text{text}, p.count(g.Text.Pos)
	}
	if err := p.count(g.Test.Pos); err != nil {
		return nil, err
	}
	return p.test(g.Test)
}

func (p *parser) count(at lexer.Position) error {
	if p.tests++; p.tests > maxTests {
		return p.wrong(at, "there are too many comparisons", "at most 200; a list is one")
	}
	return nil
}

func (p *parser) test(g *gTest) (Node, error) {
	f, err := g.Path.field(p.text)
	if err != nil {
		return nil, err
	}
	switch {
	case g.Is && g.NotNull:
		return Not{Null{f}}, nil
	case g.Is:
		return Null{f}, nil
	case g.Starts != nil:
		return p.compare(f, StartsWith, g.Starts)
	case g.In != nil:
		return p.negated(g.Not)(p.in(f, g.In, g.Pos))
	case g.Low != nil:
		low, err := p.compare(f, AtLeast, g.Low)
		if err != nil {
			return nil, err
		}
		high, err := p.compare(f, AtMost, g.High)
		return p.negated(g.Not)(And{low, high}, err)
	case g.Op == "!=" || g.Op == "<>":
		return p.negated(true)(p.compare(f, Equal, g.Value))
	}
	return p.compare(f, Op(g.Op), g.Value)
}

func (p *parser) negated(not bool) func(Node, error) (Node, error) {
	return func(n Node, err error) (Node, error) {
		if err != nil || !not {
			return n, err
		}
		return Not{n}, nil
	}
}

func (p *parser) in(f Field, list []*gValue, at lexer.Position) (Node, error) {
	if len(list) > maxList {
		return nil, p.wrong(at, "the list has "+strconv.Itoa(len(list))+" values", "at most 1000")
	}
	all := In{Field: f}
	var set Status
	for _, g := range list {
		v, err := p.value(f, Equal, g)
		if err != nil {
			return nil, err
		}
		if status, ok := v.(Status); ok {
			set |= status
		}
		all.Values = append(all.Values, v)
	}
	if set != 0 {
		return Compare{f, Equal, set}, nil
	}
	return all, nil
}

func (p *parser) compare(f Field, op Op, g *gValue) (Node, error) {
	v, err := p.value(f, op, g)
	if err != nil {
		return nil, err
	}
	if f.Name == "started-by" && op == Equal && (v == "parent" || v == "schedule") { // of which each has an id behind it
		return Compare{f, StartsWith, v.(string) + ":"}, nil
	}
	return Compare{f, op, v}, nil
}

// value is a value as one of the kind of its field.
func (p *parser) value(f Field, op Op, g *gValue) (any, error) {
	v, shown := g.value()
	if v == nil {
		return nil, p.wrong(g.Pos, "there is "+shown, "a number, a time or a duration that can be kept")
	}
	want := ""
	if text, is := v.(string); is && f.Name == "version" && strings.EqualFold(text, latest) {
		return Latest{}, p.ordered(f, op, g)
	}
	switch kind := f.Kind(); kind {
	case KindText:
		if _, ok := v.(string); ok {
			return v, nil
		}
		want = "a text in quotes"
	case KindStatus:
		if set, ok := statusOf(v); ok && op == Equal {
			return set, nil
		}
		if op != Equal {
			return nil, p.wrong(g.Pos, "status is compared by "+string(op), "=, != or IN")
		}
		want = nearStatus(shown) + "one of open, closed, " + strings.ReplaceAll((Open|Closed).String(), ",", ", ")
	case KindTime:
		if v, ok := timeOf(v); ok {
			return v, p.ordered(f, op, g)
		}
		want = "a time: 2026-01-02, 2026-01-02T15:04:05Z, now-24h, or milliseconds since 1970"
	case KindNumber, KindDuration, KindBool:
		if kindOf(v) == kind {
			return v, p.ordered(f, op, g)
		}
		want = map[Kind]string{KindNumber: numberOr(f), KindDuration: "a duration: 90s, 1h30m, 14d", KindBool: "TRUE or FALSE"}[kind]
	default:
		if _, ok := v.(string); !ok {
			return v, p.ordered(f, op, g)
		}
		return v, nil
	}
	return nil, p.wrong(g.Pos, f.String()+" is compared with "+shown, want)
}

// numberOr is what a number is compared with.
func numberOr(f Field) string {
	if f.Name == "version" {
		return "a number, or " + latest
	}
	return "a number"
}

// ordered refuses the beginning of what is no text.
func (p *parser) ordered(f Field, op Op, g *gValue) error {
	if op == StartsWith {
		return p.wrong(g.Pos, "STARTS WITH is for texts", "a text in quotes")
	}
	return nil
}

func kindOf(v any) Kind {
	switch v.(type) {
	case int64, float64:
		return KindNumber
	case bool:
		return KindBool
	case string:
		return KindText
	case Status:
		return KindStatus
	}
	if _, ok := timeOf(v); ok {
		return KindTime
	}
	return KindDuration
}

func statusOf(v any) (set Status, ok bool) {
	text, ok := v.(string)
	if !ok {
		return 0, false
	}
	for name := range strings.SplitSeq(text, ",") {
		one, known := history.ParseStatus(strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), " ", "-"))
		if !known {
			return 0, false
		}
		set |= one
	}
	return set, true
}

func unquote(text string) string {
	q := text[:1]
	return strings.ReplaceAll(text[1:len(text)-1], q+q, q)
}

// field is the field of a path.
func (g *gPath) field(text string) (Field, error) {
	var keys []string
	for _, key := range g.Keys {
		if key != "" && (key[0] == '\'' || key[0] == '"') {
			key = unquote(key)
		}
		keys = append(keys, key)
	}
	f, want := fieldOf(g.Name, strings.Join(keys, "."), len(keys) > 0)
	if want != "" {
		return f, wrongAt(text, g.Pos.Offset, "there is no field "+g.Name, want)
	}
	return f, nil
}
