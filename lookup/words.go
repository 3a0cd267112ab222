package lookup

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
)

// words says which words of inputs, results and failures an index keeps.
type words struct {
	kept bool
	of   []string // types of workflow, in order; nil: all
}

func (w words) has(kind string) bool {
	if !w.kept || w.of == nil {
		return w.kept
	}
	_, has := slices.BinarySearch(w.of, kind)
	return has
}

// again are options by which the same are kept.
func (w words) again() wanted {
	if !w.kept {
		return wanted{as: AsItIs}
	}
	return wanted{On, w.of}
}

// write notes in a new file whose words they are.
func (w words) write(c *conn) error {
	for _, kind := range w.of {
		if err := c.exec(context.Background(), "INSERT INTO text_of VALUES (?)", kind); err != nil {
			return fmt.Errorf("noting whose words are kept: %w", err)
		}
	}
	return nil
}

// readWords reads what write has noted.
func readWords(c *conn, kept bool) (words, error) {
	w := words{kept: kept}
	if !kept {
		return w, nil
	}
	err := c.query(context.Background(), "SELECT type FROM text_of ORDER BY type", nil, func(row []driver.Value) error {
		kind, _ := row[0].(string)
		w.of = append(w.of, kind)
		return nil
	})
	return w, err
}

// wanted is which words an index is to keep.
type wanted struct {
	as Switch
	of []string // in order; nil: all
}

func wantedOf(o Options) wanted {
	w := wanted{as: o.Text}
	if o.Text == Off || len(o.TextOf) == 0 {
		return w
	}
	w.as, w.of = On, slices.Compact(slices.Sorted(slices.Values(o.TextOf)))
	return w
}

// fits reports whether an index that keeps words can go on with them.
func (w wanted) fits(have words) bool {
	switch w.as {
	case AsItIs:
		return true
	case On:
		return have.kept && slices.Equal(w.of, have.of)
	}
	return !have.kept
}

// anew are the words of an index that begins.
func (w wanted) anew() words {
	if w.as != On {
		return words{}
	}
	return words{true, w.of}
}
