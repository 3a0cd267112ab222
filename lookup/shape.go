package lookup

import (
	"database/sql/driver"
	"slices"
	"strings"
)

// shapes are the statements that insert a run, by which of its columns have a value: to say nothing of those that are NULL costs less
// than to say it.
type shapes struct {
	texts  map[uint64]string
	values []driver.Value
}

// maxShapes bounds what is kept prepared. Most runs are of a few shapes; the others name all columns.
const maxShapes = 16

var runColumns = slices.Concat(fixed, standing, moving, shown)

// insert returns the statement for the columns of a run, and what it binds. The slice is its own, until the next call.
func (s *shapes) insert(row []driver.Value) (text string, values []driver.Value) {
	var mask uint64
	s.values = s.values[:0]
	for i, v := range row {
		if v != nil {
			mask |= 1 << i
			s.values = append(s.values, v)
		}
	}
	text, ok := s.texts[mask]
	switch {
	case ok:
		return text, s.values
	case len(s.texts) >= maxShapes:
		return insertInto(1<<len(row) - 1), row
	case s.texts == nil:
		s.texts = map[uint64]string{}
	}
	text = insertInto(mask)
	s.texts[mask] = text
	return text, s.values
}

// insertInto is the statement for the columns whose bits are set.
func insertInto(mask uint64) string {
	var names, marks []string
	for i, name := range runColumns {
		if mask&(1<<i) != 0 {
			names, marks = append(names, name), append(marks, "?")
		}
	}
	return "INSERT INTO run (" + strings.Join(names, ", ") + ") VALUES (" + strings.Join(marks, ", ") + ")"
}
