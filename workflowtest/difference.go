package workflowtest

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/diff"
)

// difference shows side by side how two histories differ; empty: they do not. If what people read of them is the same, it
// shows the first place at which the bytes differ.
func difference(one string, a []byte, other string, b []byte) string {
	if bytes.Equal(a, b) {
		return ""
	}
	left, err := history.Unmarshal(a)
	if err != nil {
		return fmt.Sprintf("%s cannot be read as a history: %v\n", one, err)
	}
	right, err := history.Unmarshal(b)
	if err != nil {
		return fmt.Sprintf("%s cannot be read as a history: %v\n", other, err)
	}
	if text := sideBySide(one, left, other, right); text != "" {
		return fmt.Sprintf("%s has %d entries, %s has %d\n%s", one, len(left), other, len(right), text)
	}
	return rawly(one, a, other, b)
}

// line is what people read of an entry.
type line struct{ kind, step, what string }

func lines(entries []history.Entry) []line {
	all := make([]line, len(entries))
	for i, e := range entries {
		step, what := tell(e)
		all[i] = line{e.Event.Kind(), step, what}
	}
	return all
}

func (l line) String() string {
	return strings.Join(strings.Fields(l.kind+" "+l.step+" "+l.what), " ")
}

func (l line) fits(m line) int {
	switch {
	case l == m:
		return 3
	case l.kind == m.kind && l.step == m.step:
		return 2
	case l.kind == m.kind:
		return 1
	}
	return 0
}

// sideBySide shows two histories with what differs marked, and cut where it does not; empty if nothing does.
func sideBySide(one string, left []history.Entry, other string, right []history.Entry) string {
	ls, rs := lines(left), lines(right)
	same := 0
	for same < min(len(ls), len(rs)) && ls[same] == rs[same] {
		same++
	}
	rows := make([]diff.Row, 0, len(ls))
	for i := range same {
		rows = append(rows, diff.Row{Number: left[i].Seq, Left: ls[i].String(), Right: rs[i].String()})
	}
	differs := false
	for _, p := range diff.Align(len(ls)-same, len(rs)-same, func(i, j int) int { return ls[same+i].fits(rs[same+j]) }) {
		row := diff.Row{Mark: true}
		if p.Right >= 0 {
			row.Right = rs[same+p.Right].String()
		}
		if p.Left >= 0 {
			row.Number, row.Left = left[same+p.Left].Seq, ls[same+p.Left].String()
			row.Mark = p.Right < 0 || ls[same+p.Left] != rs[same+p.Right]
		}
		differs = differs || row.Mark
		rows = append(rows, row)
	}
	if !differs {
		return ""
	}
	return diff.SideBySide("seq", one, other, cut(rows))
}

// cut takes out the rows that are far from all that differs, and what differs far behind the first.
func cut(rows []diff.Row) []diff.Row {
	const near, most = 3, 40
	var shown []diff.Row
	left := 0
	for i, row := range rows {
		close := false
		for _, r := range rows[max(0, i-near):min(len(rows), i+near+1)] {
			close = close || r.Mark
		}
		if !close || len(shown) >= most {
			left++
			continue
		}
		shown, left = append(leftOut(shown, left), row), 0
	}
	return leftOut(shown, left)
}

func leftOut(rows []diff.Row, left int) []diff.Row {
	if left == 0 {
		return rows
	}
	return append(rows, diff.Row{Left: fmt.Sprintf("… %d more …", left)})
}

// rawly shows the first line in which the bytes of two histories differ.
func rawly(one string, a []byte, other string, b []byte) string {
	as, bs := strings.Split(string(a), "\n"), strings.Split(string(b), "\n")
	for i := range min(len(as), len(bs)) {
		l, r := as[i], bs[i]
		if l == r {
			continue
		}
		same := 0
		for same < min(len(l), len(r)) && l[same] == r[same] {
			same++
		}
		width := max(len(one), len(other))
		return fmt.Sprintf("they read the same, and differ in the bytes of entry %d:\n  %-*s  %s\n  %-*s  %s\n",
			i+1, width, one, excerpt(l, same), width, other, excerpt(r, same))
	}
	return "they differ in how their lines end\n"
}

// excerpt is the part of a line about a place in it.
func excerpt(line string, i int) string {
	const before, after = 60, 100
	from, to := max(0, i-before), min(len(line), i+after)
	part := line[from:to]
	if from > 0 {
		part = "…" + part
	}
	if to < len(line) {
		part += "…"
	}
	return part
}
