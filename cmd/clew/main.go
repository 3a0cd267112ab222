// Command clew reads and operates the store of a clew runtime: it lists executions, shows their histories, says why they wait or how
// they ended, exports them, and verifies that nothing was changed. It also finds what workflow code must not do, says whether
// new code fits what is recorded, and shows where in the code a run waits. See "clew help".
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/clewflow/clew/runtime"
)

func main() {
	if isVetTool(os.Args[1:]) {
		beVetTool()
	}
	signal.Ignore(syscall.SIGPIPE) // a reader that has seen enough is met as an error of writing, and the store is closed
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// What the process returns.
const (
	succeeded = 0
	failed    = 1
	misused   = 2
)

// run runs the command that args name, and returns what the process returns.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cmd := root()
	out := bufio.NewWriterSize(stdout, 64<<10)
	cmd.SetArgs(append([]string{}, args...)) // none are nil to cobra, which then takes those of the process
	cmd.SetOut(out)
	cmd.SetErr(stderr)
	err := cmd.ExecuteContext(ctx)
	if flushed := out.Flush(); err == nil {
		err = flushed
	}
	wrong, status := (*usageError)(nil), failed
	if u := (*unresolved)(nil); errors.As(err, &u) {
		status = u.status
	}
	switch {
	case err == nil, errors.Is(err, syscall.EPIPE):
		return succeeded
	case errors.As(err, &wrong):
		fmt.Fprintf(stderr, "clew: %s\nusage: %s; see \"%s --help\"\n", brief(wrong), wrong.cmd.UseLine(), wrong.cmd.CommandPath())
		return misused
	case errors.Is(err, errReported):
		return status
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "clew: interrupted")
		return status
	}
	if errors.Is(err, runtime.ErrNotFound) {
		err = fmt.Errorf("%w; see \"clew ls\"", err)
	}
	fmt.Fprintf(stderr, "clew: %s\n%s", brief(err), said(err))
	return status
}

// errReported ends a command that has said what is wrong, as part of its output.
var errReported = errors.New("reported")

// root is the whole tool.
func root() *cobra.Command {
	s := &site{}
	cmd := &cobra.Command{
		Use:   "clew COMMAND",
		Short: "Read and operate the store of a clew runtime",
		Long: `clew reads the store of a clew runtime: it lists executions, shows their histories, says why they
wait or how they ended, exports them, and verifies that nothing was changed. It says whether new code fits
what is recorded, and where in the code a run waits. What a command changes its help says.

The store is a directory, or a server (esdb://…), which is read through an index that each command makes in
memory. If a process has a directory open, that process is asked, through the socket clew.sock
in it; else the directory is opened. While clew has it open nobody else can, so a process
that starts meanwhile may have to try again. vet reads code, coverage reads reports of tests, and bench
makes a store of its own.

The exit status is 0 for success, 1 for an error or something bad that was found, 2 for wrong use.`,
		Example: `  clew ls --status open --since 1h
  clew why order-17
  clew pause order-17 --reason 'the bank is down'
  clew show order-17 --payloads
  clew export order-17 -o order-17.jsonl
  clew verify --dir /var/lib/shop/clew.data
  clew check --with ./cmd/shop`,
		Args:                  below,
		RunE:                  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors:         true,
		SilenceUsage:          true,
		DisableFlagsInUseLine: true,
		CompletionOptions:     cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	// A command that can be run and has others below is shown with two ways to use it; here they are the same.
	cmd.SetUsageTemplate(strings.Replace(cmd.UsageTemplate(), "{{if .HasAvailableSubCommands}}\n  {{.CommandPath}} [command]{{end}}", "", 1))
	cmd.SetHelpCommand(help(cmd))
	cmd.PersistentFlags().StringVar(&s.dir, "dir", "", "the store: a directory, or esdb://…; default: $CLEW_STORE, else clew.data")
	cmd.PersistentFlags().StringVar(&s.namespace, "namespace", "", "of the executions; default: $CLEW_NAMESPACE, else default")
	cmd.SetFlagErrorFunc(misusedFlag)
	commands := []*cobra.Command{ls(s), show(s), why(s), compare(s), stepping(s), feed(s), export(s), importCommand(s), verify(s), anchor(s), actsCommand(s), checkCommand(s), replayCommand(s), nodes(s), policy(s), vetCommand(), coverageCommand(), benchCommand(), version()}
	commands = append(commands, erasures(s)...)
	for _, c := range append(commands, operations(s)...) {
		cmd.AddCommand(c)
	}
	all := append(cmd.Commands(), cmd)
	for _, c := range cmd.Commands() {
		all = append(all, c.Commands()...)
	}
	for _, c := range all {
		if check := c.Args; check != nil {
			c.Args = func(cmd *cobra.Command, args []string) error {
				if err := check(cmd, args); err != nil {
					return &usageError{err, cmd}
				}
				return nil
			}
		}
	}
	return cmd
}

// help is a help command that does not take a wrong name for a question.
func help(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Explain a command, with examples",
		Example: "  clew help show",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := root.Find(args)
			if err != nil {
				return &usageError{err, cmd}
			}
			if len(rest) > 0 {
				return &usageError{fmt.Errorf("there is no command %q%s", strings.Join(args, " "), meant(about, rest[0])), cmd}
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}

// oneID is the arguments of commands about one execution.
func oneID(_ *cobra.Command, args []string) error {
	switch len(args) {
	case 0:
		return errors.New("the id of an execution is missing")
	case 1:
		return nil
	}
	return fmt.Errorf("one id is expected, not %d", len(args))
}

// named are the arguments that the use of a command names behind the id: one in brackets may be left out, one that ends in "…" repeated.
func named(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return oneID(cmd, args)
	}
	all := strings.Fields(cmd.Use)[1:]
	repeated := strings.HasSuffix(all[len(all)-1], "…")
	switch {
	case len(args) < len(all) && all[len(args)][0] != '[':
		return fmt.Errorf("%s is missing", strings.TrimSuffix(all[len(args)], "…"))
	case len(args) > len(all) && !repeated:
		return fmt.Errorf("%q is too much", args[len(all)])
	}
	return nil
}

func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%q is too much", args[0])
	}
	return nil
}
