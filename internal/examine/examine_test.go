package examine

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/check"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/workflow"
)

// TestMain makes this program the one that is looked at, as mode says.
func TestMain(m *testing.M) {
	if !Asked() {
		os.Exit(m.Run())
	}
	code := Code{Build: "b1", Codes: func(string, int) workflow.Code { return nil }}
	switch mode := os.Args[len(os.Args)-1]; mode {
	case "mute": // says hello and then dies
		_ = converse(context.Background(), Hello{Protocol: protocol}, nil)
		fmt.Fprintln(os.Stderr, "out of memory")
		os.Exit(2)
	case "future":
		_ = converse(context.Background(), Hello{Protocol: protocol + 1}, nil)
	case "stays":
		_ = Serve(context.Background(), code)
		time.Sleep(time.Hour)
	default:
		_ = Serve(context.Background(), code)
	}
	os.Exit(0)
}

func start(t *testing.T, mode string) (*Session, error) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	s, err := Start(t.Context(), Program{Path: self, Args: []string{mode}, Limit: 20 * time.Second})
	if s != nil {
		t.Cleanup(s.Close)
	}
	return s, err
}

func none(func(check.History, error) bool) {}

func TestASessionHasAnEnd(t *testing.T) {
	s, err := start(t, "well")
	require.NoError(t, err)
	assert.Equal(t, "b1", s.Hello.Build)
	r, err := s.Check(t.Context(), replay.Strict, Place{}, none, nil)
	require.NoError(t, err)
	assert.Equal(t, "strict", r.Level)
	assert.Equal(t, "b1", r.Build)
	folder := s.folder
	s.Close()
	assert.NoDirExists(t, folder)
	assert.NoError(t, s.how, "the program has ended by itself")
}

func TestAProgramThatBreaksOffIsNamed(t *testing.T) {
	s, err := start(t, "mute")
	require.NoError(t, err)
	_, err = s.Check(t.Context(), replay.Names, Place{}, none, nil)
	assert.EqualError(t, err, "the program ended (exit status 2) before it had answered")
	assert.Equal(t, "out of memory", err.(*Failure).Said)

	_, err = start(t, "future")
	assert.ErrorContains(t, err, "speaks version 2 of the conversation, this command speaks 1")
}

func TestHistoriesThatCannotBeGotAreNotAReport(t *testing.T) {
	s, err := start(t, "well")
	require.NoError(t, err)
	_, err = s.Check(t.Context(), replay.Names, Place{}, func(yield func(check.History, error) bool) { yield(check.History{}, assert.AnError) }, nil)
	assert.ErrorIs(t, err, assert.AnError)
}

func TestTheEndOfTheContextEndsASession(t *testing.T) {
	s, err := start(t, "well")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	_, err = s.Check(ctx, replay.Names, Place{}, func(func(check.History, error) bool) { cancel() }, nil)
	assert.ErrorIs(t, err, context.Canceled)
}

func TestTheVariableLeadsOnlyToOneself(t *testing.T) {
	open := filepath.Join(t.TempDir(), "open")
	require.NoError(t, os.Mkdir(open, 0o700))
	l, err := net.Listen("unix", filepath.Join(open, "s"))
	require.NoError(t, err)
	defer l.Close()
	require.NoError(t, os.Chmod(open, 0o755))
	for path, want := range map[string]string{
		filepath.Join(open, "s"):             "is not a folder that only this user may enter",
		"s":                                  "want the path of a socket",
		filepath.Join(t.TempDir(), "x", "s"): "no such file",
	} {
		t.Setenv(Variable, path)
		err := Serve(t.Context(), Code{})
		assert.ErrorContains(t, err, want)
		assert.ErrorContains(t, err, "unset it to have an ordinary process")
	}
}

func TestTheTailIsTheLastLines(t *testing.T) {
	var w tail
	for i := range 10_000 {
		fmt.Fprintln(&w, "line", i)
	}
	lines := strings.Split(w.String(), "\n")
	assert.Equal(t, "line 9999", lines[len(lines)-1])
	assert.True(t, strings.HasPrefix(lines[0], "line "))
	assert.LessOrEqual(t, len(w.String()), most)
}
