package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/clewflow/clew/examples/order/order"
)

// longest is how long the whole story may take.
const longest = 60 * time.Second

// story is what is seen from the outside.
type story struct {
	began  time.Time
	wishes []wish
	args   []string // of the process that works

	child    *exec.Cmd
	mouth    io.Writer       // what is written here, the child hears
	lines    chan line       // what the child says; closed when it has said all
	told     map[string]bool // this child, the answer to an order
	answered map[string]bool // the answer is recorded
	ended    map[string]order.Done
	killed   bool
}

// line is one thing the child says: a word, what it is about, and more of it.
type line struct{ word, id, text string }

// play plays the story.
func play(ctx context.Context, dir, file string, wishes []wish) (err error) {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	if dir == "" {
		if dir, err = os.MkdirTemp("", "clew-order-"); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
	}
	s := &story{
		began: time.Now(), wishes: wishes, args: []string{"-work", "-dir", dir, "-orders", file},
		answered: map[string]bool{}, ended: map[string]order.Done{},
	}
	s.say("", "the store is %s", filepath.Join(dir, "store"))
	for again := true; again && err == nil; {
		again, err = s.live(ctx)
	}
	if err != nil {
		return err
	}
	return s.judge(filepath.Join(dir, books))
}

func (s *story) say(id, format string, args ...any) {
	fmt.Printf("%6.1fs  %-8s %s\n", time.Since(s.began).Seconds(), id, fmt.Sprintf(format, args...))
}

// live is one life of the process that works. again is true if it was killed.
func (s *story) live(ctx context.Context) (again bool, err error) {
	if err := s.start(ctx); err != nil {
		return false, err
	}
	defer func() {
		_ = s.child.Process.Kill() // in vain, unless something went wrong
		for range s.lines {
		}
		if e := s.child.Wait(); err == nil && !again && e != nil {
			err = fmt.Errorf("the process that works: %w", e)
		}
	}()
	for {
		select {
		case l, more := <-s.lines:
			if !more {
				return false, s.complete()
			}
			if s.hear(l) {
				return true, nil
			}
		case <-time.After(s.next()):
			s.answer()
		case <-ctx.Done():
			return false, fmt.Errorf("the story did not come to its end: %w", context.Cause(ctx))
		}
	}
}

// start starts the process that works.
func (s *story) start(ctx context.Context) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	s.child = exec.CommandContext(ctx, program, s.args...)
	s.child.Stderr = os.Stderr
	mouth, err := s.child.StdinPipe()
	if err != nil {
		return err
	}
	out, err := s.child.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.child.Start(); err != nil {
		return err
	}
	s.say("", "process %d works on the orders", s.child.Process.Pid)
	s.mouth, s.lines, s.told = mouth, make(chan line), map[string]bool{}
	go func(lines chan<- line) {
		defer close(lines)
		for in := bufio.NewScanner(out); in.Scan(); {
			l := line{}
			if part := strings.SplitN(in.Text(), "\t", 3); len(part) == 3 {
				l = line{part[0], part[1], part[2]}
			}
			lines <- l
		}
	}(s.lines)
	return nil
}

// hear takes in what the child says. It reports whether that was its last word.
func (s *story) hear(l line) (killed bool) {
	switch l.word {
	case "does":
		s.say(l.id, "%s", l.text)
	case "answered":
		s.answered[l.id] = true
	case "ended":
		if _, before := s.ended[l.id]; before {
			return false // and it was said by the one that was killed
		}
		var done order.Done
		if err := json.Unmarshal([]byte(l.text), &done); err != nil {
			done.Status = "unreadable: " + l.text
		}
		s.ended[l.id] = done
		s.say(l.id, "has ended: %s", done.Status)
	case "table":
		if len(s.ended) == len(s.wishes) {
			fmt.Printf("  %s\n", l.text)
		}
	}
	for _, w := range s.wishes {
		if w.ID == l.id && w.KilledAt != "" && !s.killed && strings.HasSuffix(l.text, " "+w.KilledAt) {
			s.killed = true
			s.say("", "kill -9 %d", s.child.Process.Pid)
			_ = s.child.Process.Kill() // it cannot have ended: it is working
			return true
		}
	}
	return false
}

// next is how long it is until somebody answers.
func (s *story) next() time.Duration {
	next := longest
	for _, w := range s.wishes {
		if w.Answer != nil && !s.told[w.ID] && !s.answered[w.ID] {
			next = min(next, max(time.Duration(w.Answer.After)-time.Since(s.began), 0))
		}
	}
	return next
}

// answer tells the child the answers that have come. After a crash the next one is told what is not known to be recorded.
func (s *story) answer() {
	for _, w := range s.wishes {
		if w.Answer == nil || s.told[w.ID] || s.answered[w.ID] || time.Since(s.began) < time.Duration(w.Answer.After) {
			continue
		}
		text, _ := json.Marshal(told{w.ID, order.Approval{By: w.Answer.By, Granted: w.Answer.Granted}}) // always encodes
		if _, err := fmt.Fprintf(s.mouth, "%s\n", text); err != nil {
			return // it is dead, and the end of its lines says so
		}
		s.told[w.ID] = true
	}
}

// complete is asked when the child has ended by itself.
func (s *story) complete() error {
	if len(s.ended) < len(s.wishes) {
		return fmt.Errorf("the process ended when %d of %d orders had", len(s.ended), len(s.wishes))
	}
	return nil
}

// judge compares what has become of the orders with what is expected.
func (s *story) judge(books string) error {
	charges, err := readBooks(books)
	if err != nil {
		return err
	}
	fmt.Println()
	wrong := 0
	for _, w := range s.wishes {
		verdict, done := "as expected", s.ended[w.ID]
		if done.Status != w.Expect {
			verdict = "expected " + w.Expect
			wrong++
		}
		fmt.Printf("  %-8s %-9s %-18s %s\n", w.ID, done.Status, done.Tracking, verdict)
	}
	twice := 0
	for reference, lines := range charges {
		if n := len(slices.DeleteFunc(lines, func(c charge) bool { return c.Back })); n > 1 {
			fmt.Printf("  the card of payment %s was charged %d times\n", reference, n)
			twice++
		}
	}
	if twice == 0 {
		fmt.Printf("  %d cards were charged, each once\n", len(charges))
	}
	wrong += twice
	if wrong > 0 {
		return fmt.Errorf("not all is as expected, see above: %d", wrong)
	}
	if !s.killed {
		return errors.New("the process was never killed: the directory is not a new one, or no order says where")
	}
	fmt.Printf("all %d orders ended as expected, over a crash, in %.1f s\n", len(s.wishes), time.Since(s.began).Seconds())
	return nil
}
