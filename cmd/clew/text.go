package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// plain makes a text from outside harmless to a terminal: what is not printable is written as an escape.
func plain(s string) string {
	clean := utf8.ValidString(s)
	for _, r := range s {
		clean = clean && strconv.IsPrint(r)
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case strconv.IsPrint(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}

// plainLines is plain, but for the ends of lines and tabs.
func plainLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		cells := strings.Split(strings.TrimSuffix(line, "\r"), "\t")
		for j := range cells {
			cells[j] = plain(cells[j])
		}
		lines[i] = strings.Join(cells, "\t")
	}
	return strings.Join(lines, "\n")
}

// printable writes what a terminal might act on in a line of JSON as escapes of JSON, where only strings can hold it.
func printable(line []byte) string {
	var b strings.Builder
	for _, r := range string(line) {
		if strconv.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}

// oneLine is the text of an error as one harmless line.
func oneLine(s string) string {
	return plain(strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' || r == '\t' }), " "))
}

// abridged is a harmless text of at most 80 characters.
const abridgedTo = 80

func abridged(s string) string {
	if len(s) > 4*abridgedTo { // enough for 80 characters, however long each is
		s = s[:4*abridgedTo] + " "
	}
	if s = plain(s); utf8.RuneCountInString(s) <= abridgedTo {
		return s
	}
	runes := []rune(s)
	return string(runes[:abridgedTo-1]) + "…"
}

// span writes a duration to about three digits.
func span(d time.Duration) string {
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	const day = 24 * time.Hour
	switch {
	case d == 0:
		return "0s"
	case d < time.Millisecond:
		d = max(d.Round(time.Microsecond), time.Microsecond)
	case d < time.Second:
		d = d.Round(time.Millisecond)
	case d < time.Minute:
		d = d.Round(10 * time.Millisecond)
	case d < time.Hour:
		d = d.Round(time.Second)
	}
	if d < time.Hour {
		text := d.String()
		if strings.HasSuffix(text, "m0s") {
			text = strings.TrimSuffix(text, "0s")
		}
		return sign + text
	}
	d = d.Round(time.Minute)
	days, hours, minutes := d/day, d%day/time.Hour, d%time.Hour/time.Minute
	text := sign
	for _, part := range []struct {
		n    time.Duration
		unit string
	}{{days, "d"}, {hours, "h"}, {minutes, "m"}} {
		if part.n > 0 && (part.unit != "m" || days == 0) {
			text += fmt.Sprint(int64(part.n)) + part.unit
		}
	}
	return text
}

// now is the clock; tests set it.
var now = time.Now

// moment writes a time to the millisecond, in UTC.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// second writes a time to the second, in UTC.
func second(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// seen says how far a moment is from now.
func seen(t, now time.Time) string {
	if d := t.Sub(now); d > 0 {
		return "in " + span(d)
	}
	return span(now.Sub(t)) + " ago"
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// wrapped parts a text into lines of words.
func wrapped(text string, width int, end string) string {
	var b strings.Builder
	line := 0
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case line+1+n > width:
			b.WriteString(end)
			line = -1
		default:
			b.WriteString(" ")
		}
		b.WriteString(word)
		line += 1 + n
	}
	return b.String()
}
