package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// build builds this program.
func build(t *testing.T) (program string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "clew.exe")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return program
}

// shop makes a module with the packages of testdata/vet. Its clew is the one that the tests of package vet have, so that
// nothing has to be fetched.
func shop(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	stubs := filepath.Join("..", "..", "vet", "testdata", "src", "github.com", "clewflow", "clew")
	require.NoError(t, os.CopyFS(filepath.Join(dir, "clew"), os.DirFS(stubs)))
	require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "vet"))))
	for file, text := range map[string]string{
		"clew/go.mod":  "module github.com/clewflow/clew\n\ngo 1.26\n",
		"money/go.mod": "module example.com/money\n\ngo 1.26\n",
		"go.mod": "module example.com\n\ngo 1.26\n\n" +
			"require (\n\texample.com/money v1.0.0\n\tgithub.com/clewflow/clew v1.0.0\n)\n\n" +
			"replace (\n\texample.com/money => ./money\n\tgithub.com/clewflow/clew => ./clew\n)\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, filepath.FromSlash(file)), []byte(text), 0o644))
	}
	return dir
}

// in runs a program in a directory.
func in(t *testing.T, dir, program string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &errs
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod", "GOPROXY=off")
	err := cmd.Run()
	require.NotNil(t, cmd.ProcessState, "%v", err)
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func TestVetFindsWhatWorkflowCodeMustNotDo(t *testing.T) {
	clew, dir := build(t), shop(t)

	code, stdout, found := in(t, dir, clew, "vet", "./shop/...")
	assert.Equal(t, failed, code)
	assert.Empty(t, stdout)
	golden(t, "vet-shop", filepath.ToSlash(found))
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "vet.md"))
	require.NoError(t, err)
	assert.Contains(t, string(page), filepath.ToSlash(found))

	code, _, same := in(t, dir, "go", "vet", "-vettool="+clew, "./shop/...")
	assert.Equal(t, failed, code)
	assert.Equal(t, found, same)

	code, stdout, stderr := in(t, dir, clew, "vet", "./clean")
	assert.Equal(t, succeeded, code)
	assert.Empty(t, stdout+stderr)

	code, _, stderr = in(t, dir, clew, "vet", "./nowhere")
	assert.Equal(t, failed, code)
	assert.Contains(t, stderr, "nowhere")
}

func TestVetNeedsTheGoCommand(t *testing.T) {
	t.Setenv("PATH", "")
	code, stdout, stderr := tool(t, "vet", "./...")
	assert.Equal(t, failed, code)
	assert.Empty(t, stdout)
	assert.Contains(t, stderr, "the go command")
	assert.Contains(t, stderr, "PATH")
	assert.Equal(t, 1, strings.Count(stderr, "\n"))
}

func TestTheGoCommandIsKnownByWhatItAsks(t *testing.T) {
	for _, args := range []string{"-V=full", "-flags", "b001/vet.cfg", "-json -clew b001/vet.cfg"} {
		assert.True(t, isVetTool(strings.Fields(args)), args)
	}
	for _, args := range []string{"", "vet ./...", "vet x.cfg", "show -flags", "show order.cfg", "--help", "ls --status open", "export order-1 -o x.cfg"} {
		assert.False(t, isVetTool(strings.Fields(args)), args)
	}
}
