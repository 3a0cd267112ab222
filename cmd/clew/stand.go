package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/clewflow/clew/replay"
)

// standing is a stand in words.
func standing(id string, s *replay.Stand) string {
	var b strings.Builder
	name := s.Workflow
	if s.Version > 0 {
		name += fmt.Sprintf(" version %d", s.Version)
	}
	fmt.Fprintf(&b, "%s (%s), run %s, as of entry %d, %s\n", plain(id), plain(name), plain(s.Run), s.Seq, moment(s.At))
	if s.Closed {
		b.WriteString("\nthe run has ended\n")
	}
	for _, c := range s.Coroutines {
		coroutine(&b, c)
	}
	section(&b, "open", s.Open, func(o replay.Open) string {
		text := plain(o.Why)
		if o.Step > 0 {
			text = fmt.Sprintf("step %d: %s", o.Step, text)
		}
		if !o.Until.IsZero() {
			text += " until " + second(o.Until)
		}
		return text
	})
	section(&b, "asked, and not recorded by then", s.Asked, plain)
	section(&b, "signals not received", s.Unread, func(u replay.Unread) string {
		return fmt.Sprintf("entry %d: %s %s", u.Seq, plain(u.Name), abridged(string(u.Value)))
	})
	for _, a := range s.Answers {
		fmt.Fprintf(&b, "\nquery %s\n  %s\n", plain(a.Query), plain(string(a.Value)+a.Error))
	}
	if s.Mismatch != nil {
		fmt.Fprintf(&b, "\nthe code goes no further:\n  %s\n", indented(s.Mismatch.Error()))
	}
	if s.Stalled != nil {
		fmt.Fprintf(&b, "\nthe code goes no further:\n  %s\n", indented(strings.TrimSpace(s.Stalled.Reason+"\n"+s.Stalled.Stack)))
	}
	return b.String()
}

func section[T any](b *strings.Builder, title string, all []T, say func(T) string) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", title)
	for _, one := range all {
		fmt.Fprintf(b, "  %s\n", say(one))
	}
}

func coroutine(b *strings.Builder, c replay.Parked) {
	var waits []string
	for _, w := range c.Waits {
		text := plain(w.For)
		if w.State != "" {
			text += ": " + plain(w.State)
		}
		waits = append(waits, text)
	}
	if len(waits) == 0 {
		waits = []string{"its scope to end"}
	}
	fmt.Fprintf(b, "\n%s waits for %s\n", plain(c.Name), strings.Join(waits, ", or for "))
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, f := range c.Stack {
		fmt.Fprintf(w, "  %s:%d\t%s\n", plain(near(f.File)), f.Line, plain(f.Function))
	}
	_ = w.Flush() // into memory
}

// near is the path of a file from here, if that is shorter.
func near(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(here, path); err == nil && len(rel) < len(path) {
		return rel
	}
	return path
}
