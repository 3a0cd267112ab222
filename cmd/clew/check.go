package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/clewflow/clew/check"
	"github.com/clewflow/clew/internal/examine"
)

// unchecked is the status of a check that has no result.
const unchecked = 2

// unresolved ends a command with a status of its own.
type unresolved struct {
	error
	status int
}

func (e *unresolved) Unwrap() error { return e.error }

func checkCommand(s *site) *cobra.Command {
	var a app
	var from []string
	var sample check.Sample
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check --with PROGRAM [-- ARGS]",
		Short: "Say whether new code fits the histories that there are",
		Long: `Run the code of a program along histories and say, for each workflow and version, how many runs it fits, how
many need a gate (workflow.Patched), for how many there is no code, how many stall, and how many cannot be
read. Of each kind there is one example, with the place in the history and in the code.

The program is built if it is a main package, and run with the arguments behind --. Where it calls
runtime.Open it finds that its code is to be looked at, opens nothing, and ends. The newest run of every
open execution is replayed, and of some that are closed: half of them the newest, the others spread over
the rest. With --from it is all that the exports hold. Nothing is changed, in the store or elsewhere.

The exit status is 0 if the code can go on with every run, 1 if one needs a gate or stalls, or an open one
has no code, and 2 if that could not be found out, for one run or at all.`,
		Example: `  clew check --with ./cmd/shop
  clew check --with ./shop --dir /var/lib/shop/clew.data --closed 10000 --json -- --config shop.yaml
  clew check --with ./cmd/shop --from histories/ --level strict`,
		Args: func(cmd *cobra.Command, args []string) error {
			own, _ := split(cmd, args)
			if sample.Closed < 0 {
				return fmt.Errorf("--closed is %d, want 0 or more", sample.Closed)
			}
			return errors.Join(noArgs(cmd, own), a.check())
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			_, args = split(cmd, args)
			report, err := a.report(cmd, s, from, sample, args)
			if err != nil {
				return &unresolved{err, unchecked}
			}
			return result(cmd.OutOrStdout(), report, asJSON)
		},
	}
	a.flags(cmd)
	cmd.Flags().StringArrayVar(&from, "from", nil, "an export, or a directory of exports, instead of a store; can be given again")
	cmd.Flags().IntVar(&sample.Closed, "closed", 1000, "how many executions are looked at that are closed")
	cmd.Flags().BoolVar(&sample.All, "all", false, "look at all that are closed")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	return cmd
}

// report has the program look at an archive.
func (a *app) report(cmd *cobra.Command, s *site, from []string, sample check.Sample, args []string) (report *check.Report, err error) {
	p, err := s.histories(cmd, from)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	said := newProgress(cmd.ErrOrStderr())
	defer said.end()
	err = a.examined(cmd.Context(), said, args, func(session *examine.Session) (err error) {
		report, err = session.Check(cmd.Context(), a.replayLevel(), p.from, p.histories(cmd.Context(), sample), func(p check.Progress) { said.say("%d entries of %d runs", p.Entries, p.Runs) })
		return err
	})
	return report, err
}

func result(out io.Writer, report *check.Report, asJSON bool) error {
	text := plainLines(report.String())
	if asJSON {
		line, err := json.Marshal(report)
		if err != nil {
			return err
		}
		text = printable(line) + "\n"
	}
	if _, err := io.WriteString(out, text); err != nil {
		return err
	}
	switch {
	case !report.Fits():
		return errReported
	case !report.Complete():
		return &unresolved{errReported, unchecked}
	}
	return nil
}
