package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/runtime"
)

// actsCommand lists what operators did.
func actsCommand(s *site) *cobra.Command {
	var q runtime.ActsQuery
	var since, until string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "acts [ID] [--by NAME] [--since TIME]",
		Short: "List what operators did: who, when, to what and why",
		Long: `List what operators did, the newest first: to executions, to policies and retention, holds, redactions and
deletions. It is found by the index and told from the log. What was done to an execution goes with its history
when that is deleted; that it was deleted, and by whom, stays. What rules of retention remove nobody did: see
clew show --erased.`,
		Example: `  clew acts --by ann --since 24h
  clew acts order-17`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return oneID(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if len(args) == 1 {
				q.ID = args[0]
			}
			if q.Limit < 0 {
				return &usageError{fmt.Errorf("--limit is %d, want 1 or more, or 0 for all", q.Limit), cmd}
			}
			if q.Since, err = boundOf("--since", since); err != nil {
				return &usageError{err, cmd}
			}
			if q.Until, err = boundOf("--until", until); err != nil {
				return &usageError{err, cmd}
			}
			e, err := s.open(cmd)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, e.close()) }()
			all, err := e.acts(cmd.Context(), q)
			if err != nil {
				return err
			}
			if asJSON {
				return writeActs(cmd.OutOrStdout(), all)
			}
			return printActs(cmd.OutOrStdout(), all)
		},
	}
	f := cmd.Flags()
	f.StringVar(&q.By, "by", "", "who; default: anybody")
	f.StringVar(&since, "since", "", "how long ago (1h30m, 14d) or when (RFC 3339, or a date, in UTC)")
	f.StringVar(&until, "until", "", "before: likewise")
	f.IntVar(&q.Limit, "limit", 100, "how many at the most; 0: all")
	f.BoolVar(&asJSON, "json", false, "print them as JSON, with the entries that say so, one in a line")
	return cmd
}

// boundOf is the moment that a flag gives; the zero time if it is not given.
func boundOf(flag, text string) (at time.Time, err error) {
	if text == "" {
		return at, nil
	}
	if at, err = parseSince(text, now()); err != nil {
		err = fmt.Errorf("%s: %w", flag, err)
	}
	return at, err
}

// writeActs writes acts as JSON, a line for each.
func writeActs(w io.Writer, all []runtime.Act) error {
	for _, a := range all {
		line, err := json.Marshal(a)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "%s\n", line); err != nil {
			return err
		}
	}
	return nil
}

func printActs(w io.Writer, all []runtime.Act) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "no operator did anything that is recorded")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "AT\tBY\tOF\tWHAT")
	for _, a := range all {
		of := plain(a.ID.Workflow)
		if of == "" {
			of = "(the namespace)"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", second(a.At), plain(a.By), of, toldAct(a.Entry))
	}
	return t.Flush()
}

func (e *executions) acts(ctx context.Context, q runtime.ActsQuery) (all []runtime.Act, err error) {
	question, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	var answer json.RawMessage
	err = e.try(func() (err error) {
		answer, err = e.source.Acts(ctx, e.namespace, question)
		return err
	})
	if err == nil {
		err = json.Unmarshal(answer, &all)
	}
	return all, err
}

// toldAct says what an operator did. Who it was stands beside it.
func toldAct(e history.Entry) string {
	switch v := e.Event.(type) {
	case *history.PolicySet:
		return fmt.Sprintf("policy of %s: %s, before: %s%s", plain(v.Subject.String()), v.After, v.Before, because(plain(v.Reason)))
	case *history.RetentionSet:
		return fmt.Sprintf("retention: %s; before: %s%s", plain(v.After.String()), plain(v.Before.String()), because(plain(v.Reason)))
	case *history.Redacted, *history.Deleted, *history.Held, *history.Released, *history.Imported, *history.Disclosed:
		return toldErasure(e.Event)
	}
	t := teller{map[history.Step]string{}, map[history.Step]bool{}, false}
	return t.event(e)
}

// toldHolds says by what an execution is held.
func toldHolds(holds []runtime.Hold) (lines []string) {
	for _, h := range holds {
		lines = append(lines, "Nothing of it may be taken away: "+plain(h.String())+".")
	}
	return lines
}
