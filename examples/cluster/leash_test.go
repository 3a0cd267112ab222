package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// launched is a launcher with a server, a node that works and one that sleeps. The pipe ends when all of them have.
func launched(t *testing.T) (launcher *exec.Cmd, kin *os.File, dir string) {
	program, err := os.Executable()
	require.NoError(t, err)
	kin, theirs, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { _ = kin.Close() })
	dir = t.TempDir()
	launcher = exec.Command(program)
	launcher.Env = append(os.Environ(), launchVariable+"=yes", "TMPDIR="+dir)
	launcher.ExtraFiles = []*os.File{theirs}
	launcher.Stderr = os.Stderr
	said, err := launcher.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, launcher.Start())
	require.NoError(t, theirs.Close())
	t.Cleanup(func() { _ = launcher.Process.Kill() })
	for lines := bufio.NewScanner(said); ; {
		require.True(t, lines.Scan(), "the launcher ended before its nodes were up")
		if strings.Contains(lines.Text(), asleep) {
			break
		}
	}
	made, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, made, 1)
	go func() { _, _ = io.Copy(io.Discard, said) }() // ends with the launcher
	return launcher, kin, dir
}

// requireEnd waits until nobody has the pipe any more.
func requireEnd(t *testing.T, kin *os.File) {
	_, err := kin.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
}

func TestProcessesEndWithTheOneThatStartedThem(t *testing.T) {
	launcher, kin, _ := launched(t)
	require.NoError(t, launcher.Process.Kill())
	requireEnd(t, kin)
	require.Error(t, launcher.Wait())
}

func TestASignalEndsEverythingAndLeavesNothing(t *testing.T) {
	launcher, kin, dir := launched(t)
	require.NoError(t, launcher.Process.Signal(syscall.SIGTERM))
	requireEnd(t, kin)
	var ended *exec.ExitError
	require.True(t, errors.As(launcher.Wait(), &ended))
	require.Equal(t, 1, ended.ExitCode(), "it says that it was interrupted")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}
