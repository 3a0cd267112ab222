// Package diff finds what two lists have in common, and shows them side by side.
//
// [Align] pairs the places of two lists, in order, so that as much as possible fits. [SideBySide] writes [Row]s in two
// columns for people.
package diff

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Pair is a place in the left list and the one in the right list that fits it; -1 where nothing does.
type Pair struct{ Left, Right int }

// most bounds the work: longer lists are paired place by place, behind what they have in common.
const most = 1 << 22

// Align pairs n places with m others, in order. fits says how well two places fit each other; 0: not at all. What fits
// nothing on the left comes before what fits nothing on the right.
func Align(n, m int, fits func(left, right int) int) []Pair {
	if n*m > most {
		pairs := make([]Pair, 0, max(n, m))
		for i := range max(n, m) {
			switch {
			case i < min(n, m) && fits(i, i) > 0:
				pairs = append(pairs, Pair{i, i})
			default:
				if i < n {
					pairs = append(pairs, Pair{i, -1})
				}
				if i < m {
					pairs = append(pairs, Pair{-1, i})
				}
			}
		}
		return pairs
	}
	return walk(n, m, scores(n, m, fits))
}

// scores says of each pair of places how well what follows can fit, and how the best way begins.
func scores(n, m int, fits func(left, right int) int) [][]cell {
	table := make([][]cell, n+1)
	for i := n; i >= 0; i-- {
		table[i] = make([]cell, m+1)
		for j := m; j >= 0; j-- {
			switch {
			case i == n && j == m:
			case i == n:
				table[i][j] = cell{0, right}
			case j == m:
				table[i][j] = cell{0, left}
			default:
				table[i][j] = best(fits(i, j), table[i+1][j+1].score, table[i+1][j].score, table[i][j+1].score)
			}
		}
	}
	return table
}

type cell struct {
	score int
	step  byte
}

const (
	both  = 'b'
	left  = 'l'
	right = 'r'
)

func best(fit, afterBoth, afterLeft, afterRight int) cell {
	c := cell{afterLeft, left}
	if afterRight > c.score {
		c = cell{afterRight, right}
	}
	if fit > 0 && fit+afterBoth >= c.score {
		c = cell{fit + afterBoth, both}
	}
	return c
}

func walk(n, m int, table [][]cell) []Pair {
	var pairs []Pair
	for i, j := 0, 0; i < n || j < m; {
		switch table[i][j].step {
		case both:
			pairs = append(pairs, Pair{i, j})
			i, j = i+1, j+1
		case left:
			pairs = append(pairs, Pair{i, -1})
			i++
		default:
			pairs = append(pairs, Pair{-1, j})
			j++
		}
	}
	return pairs
}

// Row is a line of two columns.
type Row struct {
	Mark        bool // in the margin
	Number      uint64
	Left, Right string
}

const widest = 58 // of a column

// SideBySide writes rows in two columns under their names. What is too long is cut, where both are the
// same if they differ behind that. A row without a number has none.
func SideBySide(number, left, right string, rows []Row) string {
	width, digits := utf8.RuneCountInString(left), utf8.RuneCountInString(number)
	for _, r := range rows {
		width = max(width, min(widest, utf8.RuneCountInString(r.Left)))
		digits = max(digits, len(fmt.Sprint(r.Number)))
	}
	var b strings.Builder
	line := func(mark, n, left, right string) {
		text := fmt.Sprintf("%s %*s  %s%s │ %s", mark, digits, n, cut(left), strings.Repeat(" ", width-min(width, utf8.RuneCountInString(cut(left)))), cut(right))
		b.WriteString(strings.TrimRight(text, " ") + "\n")
	}
	line(" ", number, left, right)
	for _, r := range rows {
		mark, n := " ", ""
		if r.Mark {
			mark = "▶"
		}
		if r.Number > 0 {
			n = fmt.Sprint(r.Number)
		}
		left, right := focus(r.Left, r.Right)
		line(mark, n, left, right)
	}
	return b.String()
}

// focus takes out of two texts that differ far behind what they have in common, so that it is seen how they differ.
func focus(left, right string) (string, string) {
	const head, near = 24, 6
	l, r := []rune(left), []rune(right)
	same := 0
	for same < min(len(l), len(r)) && l[same] == r[same] {
		same++
	}
	if same < widest-2*near || left == right || len(l) == 0 || len(r) == 0 {
		return left, right
	}
	out := func(text []rune) string { return string(text[:head]) + "…" + string(text[same-near:]) }
	return out(l), out(r)
}

func cut(text string) string {
	if r := []rune(text); len(r) > widest {
		return string(r[:widest-1]) + "…"
	}
	return text
}
