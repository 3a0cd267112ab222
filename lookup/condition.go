package lookup

import (
	"database/sql/driver"
	"slices"
	"strings"
	"time"

	"github.com/clewflow/clew/query"
)

// expressions are the values of fields in the table run. The plus keeps SQLite from choosing an index by them.
var expressions = map[string]string{
	"namespace": "+namespace", "id": "+id", "run": "+run.run", "type": "+type", "version": "+version", "number": "+number", "build": "+build",
	"status": "+status", "started": "+started", "closed": "+closed", "deadline": "+deadline", "wake": "+wake", "waiting-for": "+waiting",
	"correlation-id": "+correlation", "parent": "+parent", "root": "+root", "is-child": "(parent IS NOT NULL)", "started-by": "+origin",
	"last-progress": "+progressed", "attempts-since-progress": "ifnull(attempts, 0)", "failure": "+failure", "activities": "ifnull(activities, 0)",
	"timers": "ifnull(timers, 0)", "children": "ifnull(children, 0)", "signals": "ifnull(signals, 0)", "entries": "(seq - began + 1)",
	"held": "(" + isHeld + ")", "halted": isHalted, "depth": "ifnull(depth, 0)", "unread": "ifnull(unread, 0)", "attempts": attempt,
	"duration": "(ifnull(closed, ?) - started)",
}

// condition compiles a tree. Whatever a user gave becomes a bound value; the texts are those of this package.
type condition struct {
	now    time.Time
	values []driver.Value
}

// expression is the value of a field; it binds what it holds.
func (c *condition) expression(f query.Field) string {
	if tabled(f) {
		c.bind(storedName(f))
		return "(SELECT ifnull(a.text, a.num) FROM attribute AS a WHERE a.run = run.position AND a.name = ? ORDER BY a.place LIMIT 1)"
	}
	if f.Name == "duration" {
		c.bind(query.Nanos(c.now))
	}
	return expressions[f.Name]
}

// tabled reports whether the values of a field stand in the table of attributes, under its storedName.
func tabled(f query.Field) bool { return f.Key != "" || f.Many() }

func storedName(f query.Field) string {
	if f.Key == "" {
		return f.Name
	}
	return f.Name + "." + f.Key
}

func (c *condition) bind(v driver.Value) { c.values = append(c.values, v) }

// of is the condition for a node. It is true where the node fits, and false or NULL where it does not.
func (c *condition) of(n query.Node) string {
	switch n := n.(type) {
	case query.And:
		return c.joined(n, " AND ", "1")
	case query.Or:
		return c.joined(n, " OR ", "0")
	case query.Not:
		return "NOT ifnull(" + c.of(n.Node) + ", 0)"
	case query.Null:
		if tabled(n.Field) {
			c.bind(storedName(n.Field))
			return "NOT EXISTS (SELECT 1 FROM attribute AS a WHERE a.run = run.position AND a.name = ?)"
		}
		return "(" + c.expression(n.Field) + ") IS NULL"
	case query.Text:
		c.bind(matching(n.Text))
		return "EXISTS (SELECT 1 FROM doc WHERE doc.run = run.position AND doc.id IN (SELECT rowid FROM words WHERE words MATCH ?))"
	case query.In:
		return c.in(n)
	case query.Compare:
		return c.compare(n)
	}
	return "0"
}

func (c *condition) joined(nodes []query.Node, by, none string) string {
	if len(nodes) == 0 {
		return none
	}
	var all []string
	for _, n := range nodes {
		all = append(all, c.of(n))
	}
	return "(" + strings.Join(all, by) + ")"
}

// in compares with each, because the kinds of values can differ; texts are together.
func (c *condition) in(n query.In) string {
	var texts []driver.Value
	var rest []query.Node
	for _, v := range n.Values {
		if text, ok := v.(string); ok {
			texts = append(texts, text)
		} else {
			rest = append(rest, query.Compare{Field: n.Field, Op: query.Equal, Value: v})
		}
	}
	var all []string
	if len(texts) > 0 {
		marks := " IN (?" + strings.Repeat(", ?", len(texts)-1) + ")"
		if tabled(n.Field) {
			c.bind(storedName(n.Field))
			all = append(all, "EXISTS (SELECT 1 FROM attribute AS a WHERE a.run = run.position AND a.name = ? AND +a.text"+marks+")")
		} else {
			all = append(all, c.expression(n.Field)+marks)
		}
		c.values = append(c.values, texts...)
	}
	for chunk := range slices.Chunk(rest, 100) { // SQLite goes no deeper than 1,000
		all = append(all, c.joined(chunk, " OR ", "0"))
	}
	return "(" + strings.Join(all, " OR ") + ")"
}

func (c *condition) compare(n query.Compare) string {
	v, kind := stored(query.Resolve(n.Value, c.now))
	if set, ok := n.Value.(query.Status); ok {
		c.bind(int64(set))
		return "(status & ?) <> 0"
	}
	if _, is := n.Value.(query.Latest); is {
		return c.expression(n.Field) + " " + string(n.Op) + " " + latest
	}
	if !tabled(n.Field) {
		return c.compared(c.expression(n.Field), n.Op, v)
	}
	c.bind(storedName(n.Field))
	column := "+a.text" // of the run, and not by the index of all values
	where := ""
	if kind != kindText {
		column = "+a.num"
		where = " AND a.kind = '" + kind + "'"
	}
	return "EXISTS (SELECT 1 FROM attribute AS a WHERE a.run = run.position AND a.name = ?" + where + " AND " + c.compared(column, n.Op, v) + ")"
}

// compared binds v last, behind what expression has bound.
func (c *condition) compared(expression string, op query.Op, v driver.Value) string {
	if op != query.StartsWith {
		c.bind(v)
		return expression + " " + string(op) + " ?"
	}
	prefix, _ := v.(string)
	end, ok := beyond(prefix)
	c.bind(prefix)
	if !ok {
		return expression + " >= ?"
	}
	c.bind(end)
	return "(" + expression + " >= ? AND " + expression + " < ?)"
}

// stored is a value as the table has it, and its kind.
func stored(v any) (driver.Value, string) {
	switch v := v.(type) {
	case string:
		return v, kindText
	case bool:
		n := int64(0)
		if v {
			n = 1
		}
		return n, kindBool
	case time.Time:
		return query.Nanos(v), kindTime
	case time.Duration:
		return int64(v), kindDuration
	case query.Status:
		return int64(v), kindNumber
	}
	return v, kindNumber
}

// matching is the search of package fts5 for words, which consist of letters only.
func matching(text string) string {
	words, prefix := query.Sought(text)
	for i, w := range words {
		words[i] = `"` + w + `"`
		if prefix[i] {
			words[i] += "*"
		}
	}
	return strings.Join(words, " AND ")
}
