package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clewflow/clew/internal/examine"
)

// A debugger runs a program whose code is looked at.
type debugger struct {
	app
	cmd  *cobra.Command
	args []string // of the program
}

// examined calls begin with a session in which the code runs up to where it first waits, and then look with one in a debugger,
// with a breakpoint in the function that is then known.
func (d *debugger) examined(begin func(*examine.Session) error, function func() string, look func(context.Context) func(*examine.Session) error) (err error) {
	folder, remove, err := scratch()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	ctx := d.cmd.Context()
	path, err := examine.Build(ctx, d.with, folder, examine.Debuggable(ctx, d.with)...)
	if err != nil {
		return err
	}
	d.with = path
	if err := d.app.examined(ctx, newProgress(d.cmd.ErrOrStderr()), d.args, begin); err != nil {
		return err
	}
	dlv, missing := exec.LookPath("dlv")
	if missing == nil {
		ctx = context.WithoutCancel(ctx) // an interrupt is for the debugger, which is in the same terminal
	}
	s, err := examine.Start(ctx, examine.Program{Path: path, Begin: func(environment string) (*exec.Cmd, error) {
		if missing != nil {
			d.explain(path, environment, function())
			return nil, nil
		}
		return d.delve(dlv, path, filepath.Join(folder, "init"), function())
	}})
	if err != nil {
		return err
	}
	defer s.Close()
	return look(ctx)(s)
}

// delve is the command that runs a program in dlv.
func (d *debugger) delve(dlv, path, script, function string) (*exec.Cmd, error) {
	args := []string{"exec", path}
	if function != "" {
		if err := os.WriteFile(script, []byte("break "+function+"\ncontinue\n"), 0o600); err != nil {
			return nil, fmt.Errorf("writing the first commands of the debugger: %w", err)
		}
		args = append(args, "--init", script)
	}
	if len(d.args) > 0 {
		args = append(append(args, "--"), d.args...)
	}
	cmd := exec.Command(dlv, args...)                                  // it ends when its user says so
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr // it wants a terminal
	return cmd, nil
}

// explain says how to run the program in a debugger of one's own.
func (d *debugger) explain(path, environment, function string) {
	at := "the function of the workflow"
	if function != "" {
		at = function
	}
	fmt.Fprintf(d.cmd.ErrOrStderr(), `dlv is not on PATH. Run this program in the debugger of your choice, with a breakpoint in
%s, in this directory and with this environment:

  %s %s

The history is replayed in runtime.Open. This command waits for it; interrupt it to give up.
`, plain(at), environment, strings.Join(append([]string{path}, d.args...), " "))
}
