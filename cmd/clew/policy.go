package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/socket"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
)

// policy shows and changes what operators have laid down.
func policy(s *site) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Show and change limits, retries and time-outs while all goes on",
		Long: `Show and change what operators have laid down for activities, for limits that several activities share, and
for queues. Limits hold at once for all that waits; the rest holds for what is scheduled from then on. What
the call says comes first, then the policy, then the definition; a policy with "force" comes before the call.
Each change is recorded: who, when, why, what was before.`,
		Example: `  clew policy set activity charge at-once=3 rate=100/10s --reason 'the bank asked'
  clew policy set limit bank per-key=2
  clew policy pause queue slow --reason 'the disk is full'
  clew policy pause workflow order --reason 'prices are wrong'
  clew policy pause namespace
  clew policy history`,
		Args: below,
		RunE: func(cmd *cobra.Command, _ []string) error { return listPolicies(s, cmd) },
	}
	cmd.AddCommand(
		&cobra.Command{Use: "list", Short: "List the policies in force", Example: "  clew policy list", Args: noArgs, RunE: func(cmd *cobra.Command, _ []string) error { return listPolicies(s, cmd) }},
		&cobra.Command{Use: "history [OF NAME]", Short: "List all changes, oldest first", Example: "  clew policy history\n  clew policy history activity charge", Args: subjectOrNone, RunE: func(cmd *cobra.Command, args []string) error { return policyHistory(s, cmd, args) }},
		policyChange(s, "set OF NAME WORD…", "Lay a policy down, in place of what was there", "at-once=3 rate=100/10s --reason 'the bank asked'", func(of history.Subject, words []string) (commands.PolicyChange, error) {
			if len(words) == 0 {
				return commands.PolicyChange{}, fmt.Errorf("WORD is missing, such as at-once=3; clew policy remove %s takes a policy back", of)
			}
			rule, err := commands.ParseRule(words...)
			return commands.PolicyChange{Subject: of, Rule: rule}, err
		}),
		policyChange(s, "remove OF NAME", "Take a policy back", "", func(of history.Subject, words []string) (commands.PolicyChange, error) {
			return commands.PolicyChange{Subject: of}, tooMuch(words)
		}),
		policyChange(s, "pause OF NAME", "Let no further attempts be begun, and halt the runs of a workflow or the namespace", "--reason 'the bank is down'", func(of history.Subject, words []string) (commands.PolicyChange, error) {
			return commands.PolicyChange{Subject: of, Pause: true}, tooMuch(words)
		}),
		policyChange(s, "unpause OF NAME", "Let attempts be begun again, and runs go on", "", func(of history.Subject, words []string) (commands.PolicyChange, error) {
			return commands.PolicyChange{Subject: of, Unpause: true}, tooMuch(words)
		}),
		policyRestore(s),
		policyExport(s), policyApply(s),
	)
	for _, sub := range cmd.Commands() {
		check := sub.Args
		sub.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return &usageError{err, cmd}
			}
			return nil
		}
	}
	return cmd
}

func tooMuch(words []string) error {
	if len(words) > 0 {
		return fmt.Errorf("%q is too much", words[0])
	}
	return nil
}

func subject(_ *cobra.Command, args []string) error {
	if len(args) < 2 && (len(args) == 0 || args[0] != history.OfNamespace) {
		return errors.New(`want what the policy is of and its name, as in "activity charge", "limit bank", "queue slow", "workflow order" or "namespace"`)
	}
	return nil
}

func subjectOrNone(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return subject(cmd, args)
}

// subjectOf is what arguments begin with, and the rest of them. A namespace has no name: policies are those of one.
func subjectOf(args []string) (history.Subject, []string) {
	if args[0] == history.OfNamespace {
		return history.Subject{Of: args[0]}, args[1:]
	}
	return history.Subject{Of: args[0], Name: args[1]}, args[2:]
}

func policyChange(s *site, use, short, like string, change func(history.Subject, []string) (commands.PolicyChange, error)) *cobra.Command {
	var act socket.Act
	var dry bool
	cmd := &cobra.Command{
		Use: use, Short: short, Args: subject,
		Example: strings.TrimRight("  clew policy "+strings.Fields(use)[0]+" activity charge "+like, " "),
		Long:    short + ".\n\nOF is activity, limit, queue, workflow, or namespace, which has no NAME.",
		RunE: func(cmd *cobra.Command, args []string) error {
			of, words := subjectOf(args)
			c, err := change(of, words)
			if err != nil {
				return &usageError{err, cmd}
			}
			if dry && !act.Pending {
				return &usageError{errors.New("--dry-run goes with --apply-to-pending"), cmd}
			}
			if dry {
				return dryPending(s, cmd)
			}
			return changePolicy(s, cmd, act, c)
		},
	}
	whoAndWhy(cmd, &act)
	if strings.HasPrefix(use, "set ") {
		cmd.Long += "\n\nWords of a policy:\n  " + wrapped(commands.RuleWords, 100, "\n  ") + `

0 stops what it is of, and so does "paused"; what is not named is not bounded.`
		cmd.Flags().BoolVar(&act.Pending, "apply-to-pending", false, "what is scheduled already is put under it too, by a batch; of an activity or the namespace")
		cmd.Flags().BoolVar(&dry, "dry-run", false, "with --apply-to-pending: only say how many executions have something scheduled")
	}
	return cmd
}

func whoAndWhy(cmd *cobra.Command, act *socket.Act) {
	cmd.Flags().StringVar(&act.Reason, "reason", "", "why, for the history")
	cmd.Flags().StringVar(&act.By, "by", "", "who does it; default: the user of this process")
}

func changePolicy(s *site, cmd *cobra.Command, act socket.Act, c commands.PolicyChange) (err error) {
	if act.By == "" {
		if act.By, err = whoIAm(); err != nil {
			return err
		}
	}
	e, err := s.open(cmd)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	act.ID.Namespace, act.Request, act.Policies = e.namespace, uuid.Must(uuid.NewV7()).String(), []commands.PolicyChange{c}
	if _, err := e.Operate(cmd.Context(), act); err != nil {
		return err
	}
	p, err := policiesOf(cmd.Context(), e, func(history.Entry, *history.PolicySet) error { return nil })
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s: %s (version %d of the policies)\n", plain(c.Subject.String()), p.Rules[c.Subject].Rule, p.Version)
	if act.Pending {
		batch := runtime.PendingBatch(p.Version)
		fmt.Fprintf(cmd.OutOrStdout(), "what is scheduled is put under it by batch %s; see \"clew batch show %s\"\n", batch, batch)
		if !e.served {
			fmt.Fprintln(cmd.OutOrStdout(), "no process has the store open: it is done by whoever runs next")
		}
	}
	return nil
}

// dryPending says which executions have something scheduled.
func dryPending(s *site, cmd *cobra.Command) (err error) {
	q, err := query.Parse(runtime.PendingQuery)
	if err != nil {
		return err
	}
	e, err := s.open(cmd)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	return dryRun(cmd, e, q, "apply-policies")
}

// policiesOf reads all changes of the policies, and what they amount to.
func policiesOf(ctx context.Context, e *executions, each func(history.Entry, *history.PolicySet) error) (*history.Policies, error) {
	p := &history.Policies{}
	for entry, err := range e.History(ctx, history.PolicyID(e.namespace)) {
		if errors.Is(err, commands.ErrNotFound) {
			return p, nil // nobody has laid anything down
		}
		if err != nil {
			return nil, err
		}
		p = p.With(entry)
		if set, ok := entry.Event.(*history.PolicySet); ok {
			if err := each(entry, set); err != nil {
				return nil, err
			}
		}
	}
	return p, nil
}

func listPolicies(s *site, cmd *cobra.Command) (err error) {
	e, err := s.open(cmd)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	p, err := policiesOf(cmd.Context(), e, func(history.Entry, *history.PolicySet) error { return nil })
	if err != nil {
		return err
	}
	if len(p.Rules) == 0 {
		_, err := fmt.Fprintln(cmd.OutOrStdout(), "no policy is in force; what the definitions say holds")
		return err
	}
	t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "OF\tNAME\tPOLICY\tVERSION\tSINCE\tBY\tREASON")
	for _, of := range p.Subjects() {
		r := p.Rules[of]
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n", of.Of, plain(of.Name), r.Rule, r.Version, second(r.At), plain(string(r.By)), oneLine(plain(r.Reason)))
	}
	return t.Flush()
}

func policyHistory(s *site, cmd *cobra.Command, args []string) (err error) {
	e, err := s.open(cmd)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	t, none := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0), true
	_, err = policiesOf(cmd.Context(), e, func(entry history.Entry, set *history.PolicySet) error {
		if len(args) > 0 {
			if of, _ := subjectOf(args); set.Subject != of {
				return nil
			}
		}
		if none {
			fmt.Fprintln(t, "VERSION\tAT\tBY\tOF\tNAME\tBEFORE\tAFTER\tREASON")
		}
		none = false
		_, err := fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", entry.Seq, second(entry.At), plain(string(entry.By)), plain(set.Subject.Of), plain(set.Subject.Name),
			set.Before, set.After, oneLine(plain(set.Reason)))
		return err
	})
	if none && err == nil {
		_, err = fmt.Fprintln(cmd.OutOrStdout(), "no policy was ever laid down")
	}
	return errors.Join(err, t.Flush())
}

func policyRestore(s *site) *cobra.Command {
	var act socket.Act
	cmd := &cobra.Command{
		Use: "restore VERSION", Short: "Lay down again what a version has laid down", Example: "  clew policy restore 3",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("want one version, see clew policy history")
			}
			if _, err := strconv.ParseUint(args[0], 10, 64); err != nil {
				return fmt.Errorf("%q is no version; see clew policy history", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			version, _ := strconv.ParseUint(args[0], 10, 64) // checked
			e, err := s.open(cmd)
			if err != nil {
				return err
			}
			var c *commands.PolicyChange
			_, err = policiesOf(cmd.Context(), e, func(entry history.Entry, set *history.PolicySet) error {
				if entry.Seq == version {
					c = &commands.PolicyChange{Subject: set.Subject, Rule: set.After}
				}
				return nil
			})
			if err = errors.Join(err, e.close()); err != nil {
				return err
			}
			if c == nil {
				return fmt.Errorf("there is no version %d of the policies; see clew policy history", version)
			}
			return changePolicy(s, cmd, act, *c)
		},
	}
	whoAndWhy(cmd, &act)
	return cmd
}
