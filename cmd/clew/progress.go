package main

import (
	"fmt"
	"io"
	"os"
	"time"
)

// A progress says how far long work is: on a terminal in one line that is written anew each second and taken away in the end, elsewhere in
// a line now and then.
type progress struct {
	w        io.Writer
	terminal bool
	said     time.Time // when something was said last, or things began
	shown    bool
}

// How often something is said.
const (
	soon   = time.Second
	seldom = 10 * time.Second
)

func newProgress(w io.Writer) *progress {
	return &progress{w: w, terminal: isTerminal(w), said: time.Now()}
}

// isTerminal reports whether somebody looks at what is written.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// say says how far things are, unless that was said a short while ago.
func (p *progress) say(format string, args ...any) {
	every, line := seldom, format+"\n"
	if p.terminal {
		every, line = soon, "\r"+format+"\x1b[K"
	}
	if time.Since(p.said) < every {
		return
	}
	p.said, p.shown = time.Now(), true
	fmt.Fprintf(p.w, line, args...)
}

// end takes away what stands on a terminal.
func (p *progress) end() {
	if p.shown && p.terminal {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
	p.shown = false
}

// working says on a terminal, from the third second on, that an answer is worked on, until done is called.
func (p *progress) working() (done func()) {
	if !p.terminal {
		return func() {}
	}
	began, stop, ended := time.Now(), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		defer p.end()
		for {
			select {
			case <-stop:
				return
			case <-time.After(soon):
			}
			if took := time.Since(began); took > 2*time.Second {
				p.say("clew: still working, %s", took.Round(time.Second))
			}
		}
	}()
	return func() {
		close(stop)
		<-ended
	}
}

// written is a file of which it is said how much was written.
type written struct {
	io.Writer
	bytes int
	*progress
}

func (w *written) Write(some []byte) (int, error) {
	n, err := w.Writer.Write(some)
	w.bytes += n
	w.say("%d MB are written", w.bytes>>20)
	return n, err
}
