package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/tools/go/analysis/unitchecker"

	"github.com/clewflow/clew/vet"
)

// vetCommand has the go command look for what workflow code must not do, with this program as its tool.
func vetCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "vet [PACKAGES]",
		Short: "Find what workflow code must not do",
		Long: `Find what workflow code must not do: read the clock, throw dice, start goroutines, do I/O, range over
maps where the order matters, and more; and say what to write instead. The packages are named as they
are for the go command, which does the work; without any it is the one in this directory.

What is meant to be as it is can be allowed, by a comment at the end of the line or on the line above:

  //clew:allow the reason

The same as "go vet -vettool=$(which clew) [PACKAGES]", which also has the flags of go vet.`,
		Example: "  clew vet ./...\n  go vet -vettool=$(which clew) -json ./...",
		RunE: func(cmd *cobra.Command, packages []string) error {
			self, err := os.Executable()
			if err != nil {
				return fmt.Errorf("finding this program, to be the tool of go vet: %w", err)
			}
			return goVet(cmd, self, packages)
		},
	}
}

// goVet runs go vet with a tool. What is found is on the standard error, as it is with go vet.
func goVet(cmd *cobra.Command, tool string, packages []string) error {
	program, err := exec.LookPath("go")
	if err != nil {
		return errors.New("clew vet needs the go command to load packages, and it is not on PATH; install Go, or add the directory of its go command to PATH")
	}
	run := exec.CommandContext(cmd.Context(), program, append([]string{"vet", "-vettool=" + tool}, packages...)...)
	run.Stdin, run.Stdout, run.Stderr = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
	err = run.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.Exited() {
		return errReported
	}
	return err
}

// isVetTool reports whether the go command calls this program as a tool of go vet: to ask what it is and which flags it
// has, or to look at one package, which a file describes.
func isVetTool(args []string) bool {
	if len(args) == 0 || slices.ContainsFunc(args[:len(args)-1], func(arg string) bool { return !strings.HasPrefix(arg, "-") }) {
		return false
	}
	last := args[len(args)-1]
	return last == "-V=full" || last == "-flags" || strings.HasSuffix(last, ".cfg")
}

// beVetTool looks at one package and ends the process.
func beVetTool() { unitchecker.Main(vet.Analyzer) }
