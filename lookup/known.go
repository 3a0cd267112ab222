package lookup

import (
	"context"
	"database/sql/driver"
	"slices"
	"strings"

	"github.com/clewflow/clew/query"
)

// The names of attributes, found by leaping from one to the next in the indexes of their values.
const (
	hasName   = "SELECT EXISTS (SELECT 1 FROM attribute WHERE name = ? AND text IS NOT NULL) OR EXISTS (SELECT 1 FROM attribute WHERE name = ? AND num IS NOT NULL)"
	someNames = `WITH RECURSIVE texts (name) AS (
			SELECT min(name) FROM attribute WHERE text IS NOT NULL
			UNION ALL SELECT (SELECT min(name) FROM attribute WHERE text IS NOT NULL AND name > texts.name) FROM texts WHERE texts.name IS NOT NULL
		), nums (name) AS (
			SELECT min(name) FROM attribute WHERE num IS NOT NULL
			UNION ALL SELECT (SELECT min(name) FROM attribute WHERE num IS NOT NULL AND name > nums.name) FROM nums WHERE nums.name IS NOT NULL
		) SELECT name FROM texts WHERE name IS NOT NULL UNION SELECT name FROM nums WHERE name IS NOT NULL ORDER BY 1 LIMIT 1000`
)

// unknown are the names asked about that no run has. Those that look like a misspelling of one that some run has are refused, because
// what they find is nothing; the others may be ahead of the first run that has them, unless the query wants to know.
func (a *ask) unknown(ctx context.Context, c *conn, by ...query.Grouping) (unknown []string, err error) {
	tree, err := query.ParseWhere(a.given.Where)
	if err != nil {
		return nil, err
	}
	fields := query.Keyed(tree)
	if a.order.Field.Key != "" {
		fields = append(fields, a.order.Field)
	}
	for _, g := range by {
		if g.Field.Key != "" {
			fields = append(fields, g.Field)
		}
	}
	var names []string
	for _, f := range fields {
		name := storedName(f)
		n, err := c.number(ctx, hasName, name, name)
		if err != nil {
			return nil, err
		}
		if n != 0 || slices.Contains(unknown, name) {
			continue
		}
		unknown = append(unknown, name)
		if a.given.Unseen {
			continue
		}
		if names == nil {
			if names, err = c.names(ctx); err != nil {
				return nil, err
			}
		}
		if a.given.Known || query.Misspelt(f, names) != "" {
			return nil, query.Unknown(f, names)
		}
	}
	return unknown, nil
}

// names are those of attributes, fields of inputs and members of memos that some run has.
func (c *conn) names(ctx context.Context) (names []string, err error) {
	err = c.query(ctx, someNames, nil, func(row []driver.Value) error {
		if name, _ := row[0].(string); strings.Contains(name, ".") { // the others are of what a run has without having been given it
			names = append(names, name)
		}
		return nil
	})
	return names, err
}
