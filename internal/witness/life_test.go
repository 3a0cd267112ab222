package witness

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A life is a process, seen from outside: from its start to its end.
type life struct {
	number int
	born   time.Time
	cmd    *exec.Cmd
	in     io.WriteCloser
	lines  chan line // closed when the process has ended and everything that it wrote was received
	stderr bytes.Buffer

	opening bool // it has begun to open the store
	ready   bool
	asked   bool // to close
	closed  bool // without an error
	killed  bool
	died    bool // by itself
}

// born starts a process on a directory. The variables, as NAME=value, are added to its environment.
func born(t *testing.T, dir string, number int, variables ...string) *life {
	self, err := os.Executable()
	require.NoError(t, err)
	l := &life{number: number, born: time.Now(), cmd: exec.Command(self), lines: make(chan line, 1024)}
	l.cmd.Env = append(os.Environ(), dirVariable+"="+dir, nameVariable+"="+strconv.Itoa(number))
	l.cmd.Env = append(l.cmd.Env, variables...)
	l.cmd.Stderr = &l.stderr
	l.in, err = l.cmd.StdinPipe()
	require.NoError(t, err)
	out, err := l.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, l.cmd.Start())
	go l.listen(out)
	return l
}

// listen passes on what the process tells. A line that is cut off was never told.
func (l *life) listen(out io.Reader) {
	defer close(l.lines)
	lines := bufio.NewReaderSize(out, 1<<20)
	for {
		text, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var told line
		if json.Unmarshal(text, &told) != nil {
			told = line{What: "garbage", Text: string(text)}
		}
		l.lines <- told
	}
}

// ask sends a request. If the process is dead nobody answers.
func (l *life) ask(r request) {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	_, _ = l.in.Write(append(text, '\n'))
}

func (l *life) kill() {
	l.killed = true
	_ = l.cmd.Process.Kill()
}

// close asks the process to close.
func (l *life) close() {
	l.asked = true
	_ = l.cmd.Process.Signal(syscall.SIGTERM)
}

// end waits for the end of a process whose lines have all been received.
func (l *life) end() error {
	_ = l.in.Close()
	return l.cmd.Wait()
}
