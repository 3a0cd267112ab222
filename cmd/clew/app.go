package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/clewflow/clew/internal/examine"
	"github.com/clewflow/clew/replay"
)

// An app is an application whose code is looked at, as flags name it.
type app struct {
	with  string
	limit time.Duration
	level string
}

func (a *app) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&a.with, "with", "", "the program whose code is meant, or its main package, which is then built")
	cmd.Flags().DurationVar(&a.limit, "limit", 30*time.Second, "how long the program may take to get to runtime.Open")
	cmd.Flags().StringVar(&a.level, "level", "names", "how closely histories are held against code: names, as in production, or strict")
}

// split parts arguments into those of the command and those of the program, which stand behind --.
func split(cmd *cobra.Command, args []string) (own, programs []string) {
	if n := cmd.ArgsLenAtDash(); n >= 0 {
		return args[:n], args[n:]
	}
	return args, nil
}

// check says what is wrong with the flags.
func (a *app) check() error {
	switch {
	case a.with == "":
		return errors.New("--with is missing, want the program or the main package whose code is meant, such as ./cmd/app")
	case a.level != "names" && a.level != "strict":
		return fmt.Errorf("--level is %q, want names or strict", a.level)
	case a.limit <= 0:
		return fmt.Errorf("--limit is %s, want more than 0", a.limit)
	}
	return nil
}

func (a *app) replayLevel() replay.Level {
	if a.level == "strict" {
		return replay.Strict
	}
	return replay.Names
}

// scratch is a folder for what is built.
func scratch() (folder string, remove func() error, err error) {
	if folder, err = os.MkdirTemp("", "clew-app-"); err != nil {
		return "", nil, fmt.Errorf("making a folder for the program: %w", err)
	}
	return folder, func() error { return os.RemoveAll(folder) }, nil
}

// examined calls look with a session with the program. To build it may take long.
func (a *app) examined(ctx context.Context, progress *progress, args []string, look func(*examine.Session) error) (err error) {
	folder, remove, err := scratch()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	s, err := a.begun(ctx, progress, folder, args)
	if err != nil {
		return err
	}
	defer s.Close()
	return look(s)
}

// begun is the program, built in a folder and begun.
func (a *app) begun(ctx context.Context, progress *progress, folder string, args []string) (*examine.Session, error) {
	defer progress.working()()
	path, err := examine.Build(ctx, a.with, folder)
	if err != nil {
		return nil, err
	}
	return examine.Start(ctx, examine.Program{Path: path, Args: args, Limit: a.limit})
}

// said is the end of what a program has written, if an error is about it: lines of their own below the error.
func said(err error) string {
	var f *examine.Failure
	if !errors.As(err, &f) || f.Said == "" {
		return ""
	}
	return "  | " + strings.ReplaceAll(plainLines(strings.TrimSpace(f.Said)), "\n", "\n  | ") + "\n"
}
