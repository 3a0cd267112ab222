package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/system"
)

// retentions are the commands below retention: what is laid down, and what is done by itself.
func retentions(s *site) []*cobra.Command {
	return []*cobra.Command{retentionShow(s), retentionSet(s), retentionOff(s), retentionHistory(s), retentionRestore(s), retentionRun(s), retentionResult(s)}
}

func retentionSet(s *site) *cobra.Command {
	x, what := &eraser{}, runtime.Retention{}
	var rules []string
	var every string
	cmd := &cobra.Command{
		Use:   "set --rule RULE… [--every TIME] [--rate N]",
		Short: "Lay down how long what has ended is kept",
		Long: `Lay down rules in place of those that were there. They are about what is there already too. A process that has
the store open and runs removes what is kept no longer, at once and then as often as --every says: the workflow
` + system.KeeperID + ` does. Rules are a version of the policies, with who, when and why. What a rule is says
clew help retention.`,
		Example: `  clew retention set --rule type=order,status=failed --rule type=order,age=90d,name=orders --reason 'contract 12'`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(rules) == 0 {
				return errors.New("--rule is missing, want at least one such as --rule type=order,age=90d; to keep everything for ever: clew retention off")
			}
			return noArgs(cmd, args)
		},
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			for _, text := range rules {
				rule, err := retentionRule(text)
				if err != nil {
					return &usageError{err, cmd}
				}
				what.Rules = append(what.Rules, rule)
			}
			if every != "" {
				if what.Every, err = parseDuration(every); err != nil {
					return &usageError{fmt.Errorf("--every: %w", err), cmd}
				}
			}
			if err := setRetention(cmd, s, x, what); err != nil {
				return err
			}
			hintRules(cmd, s, what.Rules, nil)
			return nil
		},
	}
	cmd.Flags().StringArrayVar(&rules, "rule", nil, "a rule; several are asked in their order")
	cmd.Flags().StringVar(&every, "every", "", "how often everything is looked at; default: once a day")
	cmd.Flags().IntVar(&what.Rate, "rate", 0, fmt.Sprintf("executions that are removed in a second, at the most; default: %d", system.StandardRetentionRate))
	x.flags(cmd)
	return cmd
}

func retentionOff(s *site) *cobra.Command {
	x := &eraser{}
	cmd := &cobra.Command{
		Use: "off", Short: "Keep everything for ever, as in the beginning", Example: "  clew retention off --reason 'the contract has ended'", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return setRetention(cmd, s, x, runtime.Retention{}) },
	}
	x.flags(cmd)
	return cmd
}

func setRetention(cmd *cobra.Command, s *site, x *eraser, what runtime.Retention) error {
	done, err := x.erase(cmd, s, "all", runtime.EraseWish{Do: "set-retention", Retention: &what})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s (version %d of the policies)\n", what, done.Version)
	return err
}

// keeping is what is in force, and where the keeper stands.
func retentionShow(s *site) *cobra.Command {
	return &cobra.Command{
		Use: "show", Short: "Show the rules in force, and what came of them", Example: "  clew retention show", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			e, err := s.open(cmd)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, e.close()) }()
			p, err := policiesOf(cmd.Context(), e, func(history.Entry, *history.PolicySet) error { return nil })
			if err != nil {
				return err
			}
			w, k := cmd.OutOrStdout(), p.Keeps
			if len(k.Rules) == 0 {
				_, err := fmt.Fprintln(w, "everything is kept for ever")
				return err
			}
			fmt.Fprintf(w, "laid down by %s at %s%s (version %d of the policies)\n", plain(string(k.By)), second(k.At), because(plain(k.Reason)), k.Version)
			for i, rule := range k.Rules {
				fmt.Fprintf(w, "%d. %s\n", i+1, plain(rule.String()))
			}
			d, err := e.Describe(cmd.Context(), e.id(system.KeeperID))
			if errors.Is(err, commands.ErrNotFound) {
				return nil
			}
			var kept system.Kept
			if err == nil && len(d.View) > 0 {
				err = json.Unmarshal(d.View, &kept)
			}
			if err != nil {
				return err
			}
			if kept.Begun.IsZero() {
				_, err := fmt.Fprintln(w, "nothing was looked at yet: that is done by whoever runs")
				return err
			}
			fmt.Fprintf(w, "looked at %s", second(kept.Begun))
			if !kept.Next.IsZero() {
				fmt.Fprintf(w, ", and again at %s", second(kept.Next))
			}
			fmt.Fprintln(w)
			if kept.Wrong != "" {
				fmt.Fprintf(w, "the last time it came to nothing: %s\n", oneLine(plain(kept.Wrong)))
			}
			if kept.Last != nil {
				return tellSwept(w, *kept.Last)
			}
			return nil
		},
	}
}

// tellSwept says what a sweep has come to.
func tellSwept(w io.Writer, s system.Swept) error {
	verb := "removed"
	if s.DryRun {
		verb = "would be removed"
	}
	text := fmt.Sprintf("%s in %s of %s, %d of them whole: %s", count(s.Entries, "entry", "entries"), count(s.Runs, "run", "runs"), count(s.Whole+s.Cut, "execution", "executions"), s.Whole, verb)
	text += fmt.Sprintf("; %d bytes of entries", s.Bytes)
	if s.Files > 0 {
		text += ", " + count(s.Files, "file", "files")
	}
	if s.Freed > 0 {
		text += fmt.Sprintf("; %d bytes of the disk are free", s.Freed)
	}
	if s.Held > 0 {
		text += "; " + count(s.Held, "execution is", "executions are") + " kept by a hold"
	}
	if s.Unexported > 0 {
		text += "; " + count(s.Unexported, "execution is", "executions are") + " kept because they could not be exported before, see the log of the process"
	}
	if s.Needed > 0 {
		text += "; " + count(s.Needed, "execution is", "executions are") + " still needed by others"
	}
	fmt.Fprintln(w, text)
	for _, rule := range slices.Sorted(maps.Keys(s.ByRule)) {
		name := rule
		if name == "" {
			name = "(a rule without a name)"
		}
		if _, err := fmt.Fprintf(w, "  %s: %s\n", plain(name), count(s.ByRule[rule], "execution", "executions")); err != nil {
			return err
		}
	}
	return nil
}

func retentionHistory(s *site) *cobra.Command {
	return &cobra.Command{
		Use: "history", Short: "List all changes of the rules, oldest first", Example: "  clew retention history", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			e, err := s.open(cmd)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, e.close()) }()
			t, none := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0), true
			err = retentionsOf(cmd, e, func(entry history.Entry, v *history.RetentionSet) {
				if none {
					fmt.Fprintln(t, "VERSION\tAT\tBY\tBEFORE\tAFTER\tREASON")
				}
				none = false
				fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\n", entry.Seq, second(entry.At), plain(string(entry.By)), plain(v.Before.String()), plain(v.After.String()), oneLine(plain(v.Reason)))
			})
			if none && err == nil {
				_, err = fmt.Fprintln(cmd.OutOrStdout(), "no rules were laid down: everything is kept for ever")
			}
			return errors.Join(err, t.Flush())
		},
	}
}

func retentionsOf(cmd *cobra.Command, e *executions, each func(history.Entry, *history.RetentionSet)) error {
	for entry, err := range e.History(cmd.Context(), history.PolicyID(e.namespace)) {
		if errors.Is(err, commands.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if v, ok := entry.Event.(*history.RetentionSet); ok {
			each(entry, v)
		}
	}
	return nil
}

func retentionRestore(s *site) *cobra.Command {
	x := &eraser{}
	cmd := &cobra.Command{
		Use: "restore VERSION", Short: "Lay down again what a version has laid down", Example: "  clew retention restore 1", Args: oneID,
		RunE: func(cmd *cobra.Command, args []string) error {
			version, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil {
				return &usageError{fmt.Errorf("%q is no version; see clew retention history", args[0]), cmd}
			}
			e, err := s.open(cmd)
			if err != nil {
				return err
			}
			var what *runtime.Retention
			err = retentionsOf(cmd, e, func(entry history.Entry, v *history.RetentionSet) {
				if entry.Seq == version {
					what = &v.After
				}
			})
			if err = errors.Join(err, e.close()); err != nil {
				return err
			}
			if what == nil {
				return fmt.Errorf("there is no version %d of the retention; see clew retention history", version)
			}
			return setRetention(cmd, s, x, *what)
		},
	}
	x.flags(cmd)
	return cmd
}

func retentionRun(s *site) *cobra.Command {
	x := &eraser{}
	var dry, wait bool
	var id string
	cmd := &cobra.Command{
		Use: "run", Short: "Remove what is kept no longer now, or say what that would be", Args: noArgs,
		Long: `Look at everything at once, and remove what is kept no longer by the rules in force; with --dry-run only count it.
It is a workflow of its own: what comes of it is found later, by its id. It is done by a process that runs.`,
		Example: "  clew retention run --dry-run --wait",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if id == "" {
				request := uuid.Must(uuid.NewV7()).String()
				id = "sweep-" + request[len(request)-8:]
			}
			if _, err := x.erase(cmd, s, id, runtime.EraseWish{Do: "sweep", Dry: dry}); err != nil {
				return err
			}
			e, err := s.open(cmd)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, e.close()) }()
			fmt.Fprintf(cmd.OutOrStdout(), "%s has begun; see \"clew retention result %s\"\n", id, id)
			switch {
			case !e.served:
				fmt.Fprintln(cmd.OutOrStdout(), "no process has the store open: it is done by whoever runs next")
			case wait:
				return swept(cmd, e, id, true)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only say what would be removed")
	cmd.Flags().BoolVar(&wait, "wait", false, "until it is done")
	cmd.Flags().StringVar(&id, "id", "", "workflow id of it; default: one is made")
	x.flags(cmd)
	return cmd
}

func retentionResult(s *site) *cobra.Command {
	var wait bool
	cmd := &cobra.Command{
		Use: "result ID", Short: "Say what came of a run, or how far it is", Example: "  clew retention result sweep-7f3c --wait", Args: oneID,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			e, err := s.open(cmd)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, e.close()) }()
			return swept(cmd, e, args[0], wait)
		},
	}
	cmd.Flags().BoolVar(&wait, "wait", false, "until it is done")
	return cmd
}

// swept says how far a sweep is.
func swept(cmd *cobra.Command, e *executions, id string, wait bool) error {
	for {
		d, err := e.Describe(cmd.Context(), e.id(id))
		if err != nil {
			return err
		}
		if d.Type != system.Sweeps.Name() {
			return fmt.Errorf("%s is no sweep, but a workflow %s", id, plain(d.Type))
		}
		if wait && !over(d) {
			select {
			case <-time.After(100 * time.Millisecond):
				continue
			case <-cmd.Context().Done():
				return cmd.Context().Err()
			}
		}
		var s system.Swept
		if len(d.View) > 0 {
			if err := json.Unmarshal(d.View, &s); err != nil {
				return fmt.Errorf("what %s shows of itself cannot be read: %w", id, err)
			}
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", plain(id), d.StatusName)
		if d.Failure != "" {
			fmt.Fprintf(cmd.OutOrStdout(), "  %s\n", oneLine(d.Failure))
		}
		if err := tellSwept(cmd.OutOrStdout(), s); err != nil || !wait {
			return err
		}
		return completed(d)
	}
}
