package examine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Program is an application to be looked at.
type Program struct {
	Path string   // of the executable
	Args []string // that it is given

	Limit time.Duration                               // how long it may take to get to runtime.Open; 0: for ever
	Begin func(environment string) (*exec.Cmd, error) // starts it instead, with environment; a nil Cmd: somebody else does. nil: it is started here
}

// Failure says why an application cannot be looked at.
type Failure struct {
	Text string
	Said string // the end of what the application has written
}

func (f *Failure) Error() string { return f.Text }

// Session is a conversation with an application.
type Session struct {
	Hello Hello

	conn   *net.UnixConn
	in     *json.Decoder
	said   *tail
	folder string
	kill   context.CancelFunc
	exited chan struct{} // closed when the process has ended, with how at hand
	how    error
	ours   bool // it was started here
}

// patience is how long an application may take to end by itself when it has answered.
const patience = 5 * time.Second

// Start starts an application and waits until it gets to runtime.Open. The error is a *[Failure] if that is the application's.
func Start(ctx context.Context, p Program) (_ *Session, err error) {
	s := &Session{said: &tail{}, exited: make(chan struct{})}
	if s.folder, err = os.MkdirTemp("", "clew-examine-"); err != nil { // nobody else may enter
		return nil, fmt.Errorf("examine: making a folder for a socket: %w", err)
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	socket := filepath.Join(s.folder, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("examine: making the socket %s (if its path is too long, set TMPDIR to a shorter one): %w", socket, err)
	}
	defer l.Close()
	if err := s.begin(ctx, p, Variable+"="+socket); err != nil {
		return nil, err
	}
	if err := s.accept(ctx, l, p.Limit); err != nil {
		return nil, err
	}
	if err := s.greet(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Session) begin(ctx context.Context, p Program, environment string) (err error) {
	ctx, s.kill = context.WithCancel(ctx)
	var cmd *exec.Cmd
	if p.Begin != nil {
		cmd, err = p.Begin(environment)
	} else {
		cmd = exec.CommandContext(ctx, p.Path, p.Args...)
		cmd.Stdout, cmd.Stderr = s.said, s.said
		cmd.WaitDelay = time.Second // for what it has started itself and left
	}
	if err != nil {
		return err
	}
	if cmd == nil {
		return nil
	}
	cmd.Env = append(os.Environ(), environment)
	if err := cmd.Start(); err != nil {
		return &Failure{Text: fmt.Sprintf("%s cannot be started: %v; want a program, or the directory of a main package", p.Path, err)}
	}
	s.ours = true
	go func() {
		s.how = cmd.Wait()
		close(s.exited)
	}()
	return nil
}

// accept waits for the application.
func (s *Session) accept(ctx context.Context, l *net.UnixListener, limit time.Duration) error {
	connected := make(chan error, 1)
	go func() {
		conn, err := l.AcceptUnix()
		s.conn = conn
		connected <- err
	}()
	var late <-chan time.Time
	if limit > 0 {
		timer := time.NewTimer(limit)
		defer timer.Stop()
		late = timer.C
	}
	var err error
	select {
	case err := <-connected:
		return err
	case <-ctx.Done():
		err = ctx.Err()
	case <-s.exited:
		err = &Failure{fmt.Sprintf("the program ended (%s) before it got to runtime.Open, want one that opens a runtime with its workflows; arguments for it stand behind --", how(s.how)), s.said.String()}
	case <-late:
		err = &Failure{fmt.Sprintf("the program did not get to runtime.Open within %s; give it arguments with which it does, behind --, have it look at runtime.Examined before it does anything slow, or give it more time with --limit", limit), s.said.String()}
	}
	_ = l.Close()
	if <-connected == nil {
		return nil // just in time
	}
	return err
}

func how(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

func (s *Session) greet() error {
	s.in = json.NewDecoder(s.conn)
	if err := s.in.Decode(&s.Hello); err != nil {
		return s.lost(err)
	}
	switch {
	case s.Hello.Refusal != "":
		return &Failure{Text: "the program cannot be looked at: " + s.Hello.Refusal}
	case s.Hello.Protocol != protocol:
		return &Failure{Text: fmt.Sprintf("the program was built with a release of clew that speaks version %d of the conversation, this command speaks %d; build both of the same release", s.Hello.Protocol, protocol)}
	}
	return nil
}

// lost is the error of a conversation that has broken off.
func (s *Session) lost(err error) error {
	over := func(end error) bool { return errors.Is(err, end) }
	if !slices.ContainsFunc([]error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE}, over) {
		return fmt.Errorf("examine: talking to the program: %w", err)
	}
	text := "the program broke off before it had answered"
	if s.ours {
		select {
		case <-s.exited:
			text = fmt.Sprintf("the program ended (%s) before it had answered", how(s.how))
		case <-time.After(patience):
		}
	}
	return &Failure{text, s.said.String()}
}

// Close ends the conversation, and the application if it does not end by itself.
func (s *Session) Close() {
	if s.conn != nil {
		_ = s.conn.Close()
	}
	if s.ours {
		if s.conn != nil {
			select {
			case <-s.exited:
			case <-time.After(patience):
			}
		}
		s.kill()
		<-s.exited
	}
	if s.kill != nil {
		s.kill()
	}
	_ = os.RemoveAll(s.folder)
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

// most is how much of it.
const most = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if len(t.text) > 2*most {
		t.text = append(t.text[:0], t.text[len(t.text)-most:]...)
	}
	return len(p), nil
}

// String is the last lines, which are whole.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := t.text
	if len(text) > most {
		text = text[len(text)-most:]
		_, rest, _ := strings.Cut(string(text), "\n")
		text = []byte(rest)
	}
	return strings.TrimSpace(string(text))
}
