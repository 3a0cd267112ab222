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
	"sync"
	"syscall"
	"time"

	"github.com/clewflow/clew/internal/proxy"
)

// process is one that was started here. It is tied to this one by its standard input, see leash.
type process struct {
	name       string
	complaints string // the file
	cmd        *exec.Cmd
	in         io.WriteCloser
	proxy      *proxy.Proxy  // a node's way to the server
	out        chan request  // to be written
	ended      chan struct{} // closed when it has ended, and everything that it said was read
	err        error         // with which it ended

	mu      sync.Mutex
	numbers int
	waiting map[int]chan answer
	owes    map[int]time.Time // requests that were given up, until they are answered
	wanted  bool              // it is to end
}

// spawn starts this program in another role, which its variables say. What it complains of goes to a file. The first line that it
// says is passed to first, if that is not nil, and the others are taken for answers.
func spawn(name, complaints string, kin *os.File, first func(string), variables ...string) (*process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{
		name: name, complaints: complaints, cmd: exec.Command(program), out: make(chan request, 1000), ended: make(chan struct{}),
		waiting: map[int]chan answer{}, owes: map[int]time.Time{},
	}
	p.cmd.Env = append(os.Environ(), variables...)
	stderr, err := os.OpenFile(complaints, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer stderr.Close() // the process has its own
	p.cmd.Stderr = stderr
	if kin != nil {
		p.cmd.ExtraFiles = []*os.File{kin}
	}
	p.cmd.SysProcAttr = tied()
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	said, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	written := make(chan struct{})
	go func() {
		defer close(written)
		p.write()
	}()
	go func() {
		defer close(p.ended)
		p.hear(said, first)
		p.err = p.cmd.Wait()
		p.forgo()
		<-written
	}()
	return p, nil
}

// write passes requests on. To a process that is stopped that may take as long as it is.
func (p *process) write() {
	to := json.NewEncoder(p.in)
	for r := range p.out {
		_ = to.Encode(r) // a process that has ended answers nothing
	}
}

func (p *process) hear(said io.Reader, first func(string)) {
	for lines := bufio.NewScanner(said); lines.Scan(); {
		if first != nil {
			first(lines.Text())
			first = nil
			continue
		}
		var a answer
		if json.Unmarshal(lines.Bytes(), &a) != nil {
			continue // it was torn when the process died
		}
		p.mu.Lock()
		if to := p.waiting[a.Number]; to != nil {
			to <- a // it has room
		}
		delete(p.waiting, a.Number)
		delete(p.owes, a.Number)
		p.mu.Unlock()
	}
}

// forgo tells those who wait that there is no answer.
func (p *process) forgo() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, to := range p.waiting {
		to <- answer{Unknown: true}
	}
	p.waiting = nil // nobody is to wait any more
	close(p.out)
}

// ask puts a request to a node. The answer is unknown if there is none in time.
func (p *process) ask(ctx context.Context, r request) answer {
	to := make(chan answer, 1)
	p.mu.Lock()
	if p.waiting == nil {
		p.mu.Unlock()
		return answer{Unknown: true}
	}
	p.numbers++
	r.Number = p.numbers
	select {
	case p.out <- r:
		p.waiting[r.Number] = to
	default: // it does not even read
		to <- answer{Unknown: true}
	}
	p.mu.Unlock()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case a := <-to:
		return a
	case <-late.C:
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, waits := p.waiting[r.Number]; waits {
		delete(p.waiting, r.Number)
		p.owes[r.Number] = time.Now()
	}
	return answer{Unknown: true}
}

// answers reports whether it is worth asking: there is nothing that it still owes.
func (p *process) answers() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waiting != nil && len(p.owes) == 0
}

// end says that the process is to end, by a signal if one is given, else by letting go of it.
func (p *process) end(by syscall.Signal) error {
	p.mu.Lock()
	p.wanted = true
	p.mu.Unlock()
	if by != 0 {
		return p.cmd.Process.Signal(by)
	}
	_ = p.cmd.Process.Signal(syscall.SIGCONT)               // it may be stopped, and it may have ended
	if err := p.in.Close(); !errors.Is(err, os.ErrClosed) { // as it is when the process has ended
		return err
	}
	return nil
}

// fell is an error if the process has ended without being told to, with the last that it complained of.
func (p *process) fell() error {
	select {
	case <-p.ended:
	default:
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wanted {
		return nil
	}
	text, err := os.ReadFile(p.complaints)
	return errors.Join(fmt.Errorf("%s: %v\n%s", p.name, p.err, text[max(0, len(text)-4000):]), err)
}

// bury waits until the process has ended, and ends it if that takes too long.
func (p *process) bury() error {
	var err error
	select {
	case <-p.ended:
	case <-time.After(endWithin + 5*time.Second):
		err = errors.Join(errors.New(p.name+" does not end and is killed"), p.cmd.Process.Kill())
		<-p.ended
	}
	if p.proxy != nil {
		err = errors.Join(err, p.proxy.Close())
	}
	return err
}
