package lookup

import (
	"database/sql/driver"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/clewflow/clew/query"
)

// grouped is the expression of a grouping, with the kind of its values where each has its own, and the table that it joins.
func (a *ask) grouped(g query.Grouping, place int) (expression, kind, join string, w *condition) {
	w = &condition{now: a.now}
	if !tabled(g.Field) {
		expression = w.expression(g.Field)
		if g.Day {
			expression = "(" + expression + ") / " + nanosOfDay
		}
		return expression, "NULL", "", w
	}
	name := "g" + strconv.Itoa(place)
	w.bind(storedName(g.Field))
	return "ifnull(" + name + ".text, " + name + ".num)", "replace(" + name + ".kind, 'list', 'text')",
		strings.ReplaceAll(" LEFT JOIN attribute AS "+name+" ON g.run = run.position AND g.name = ? AND (g.kind <> 'list' OR NOT EXISTS ("+
			"SELECT 1 FROM attribute AS e WHERE e.run = g.run AND e.name = g.name AND e.text = g.text AND e.place < g.place))", "g.", name+"."), w
}

// A source is where the rows of a question come from: what is shown of each, and what is bound in the order of the text.
type source struct {
	shown, joins                     []string
	shownValues, whereValues, joined []driver.Value
	where                            string
}

func (a *ask) source(f *filter, all []query.Grouping) *source {
	s := &source{where: f.where(), whereValues: f.values}
	for i, g := range all {
		expression, kind, join, w := a.grouped(g, i)
		s.shown = append(s.shown, expression, kind)
		if join == "" {
			s.shownValues = append(s.shownValues, w.values...)
		} else {
			s.joins, s.joined = append(s.joins, join), append(s.joined, w.values...)
		}
	}
	return s
}

// selection is the text that selects first and then what is shown, and what it binds.
func (s *source) selection(first ...string) (text string, values []driver.Value) {
	from := "run" + s.where
	if len(s.joins) > 0 {
		from = "(SELECT * FROM run" + s.where + ") AS run" + strings.Join(s.joins, "")
	}
	return "SELECT " + strings.Join(append(first, s.shown...), ", ") + " FROM " + from, slices.Concat(s.shownValues, s.whereValues, s.joined)
}

func (a *ask) selection(f *filter, all []query.Grouping) (text string, values []driver.Value) {
	s := a.source(f, all)
	text, values = s.selection("count(*)")
	places := make([]string, len(s.shown))
	for i := range places {
		places[i] = strconv.Itoa(i + 2)
	}
	if len(places) > 0 {
		text += " GROUP BY " + strings.Join(places, ", ") + " ORDER BY 1 DESC, " + strings.Join(places, ", ") + fmt.Sprintf(" LIMIT %d", query.MaxGroups+1)
	}
	return text, values
}
