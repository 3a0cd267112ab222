package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
)

func ls(s *site) *cobra.Command {
	var q query.Query
	var statuses []string
	var since string
	var limit int
	var asJSON, asCSV, count bool
	var groups []string
	var order string
	var within time.Duration
	cmd := &cobra.Command{
		Use:     "ls [QUERY]",
		Aliases: []string{"find"},
		Short:   "List or count executions, newest first",
		Long: `List the runs of executions, newest first: when they started, how long they took or have been open, and
what open ones wait for. All that is given must hold; of several statuses any will do.

Statuses are running, paused, stalled, completed, failed, cancelled, terminated, timed-out and continued,
open for the first three and closed for the others.

QUERY is a question in the query language, in one argument or several:
  type = 'order' AND status IN ('failed', 'stalled') AND started > now-24h ORDER BY closed DESC LIMIT 20`,
		Example: `  clew ls
  clew ls --status open --type order
  clew ls --status failed,timed-out --since 14d
  clew find "attr.env = 'uat' AND duration > 1h"
  clew find "started > now-7d" --group-by day,status
  clew ls --prefix order- --since 2026-01-02 --json`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			now := now()
			asked, err := query.Parse(strings.Join(args, " "))
			if err != nil {
				return &usageError{err, cmd}
			}
			q.Where, q.Order, q.Within = asked.Where, asked.Order, within
			if order != "" {
				q.Order = order
			}
			if asked.Most > 0 && !cmd.Flags().Changed("limit") {
				limit = asked.Most
			}
			if asJSON && asCSV || count && len(groups) > 0 || asCSV && (count || len(groups) > 0) {
				return &usageError{errors.New("--json and --csv, --count and --group-by, and --csv and a count exclude each other"), cmd}
			}
			if _, err := query.ParseGroups(groups...); err != nil {
				return &usageError{err, cmd}
			}
			if err := ask(&q, statuses, since, now); err != nil {
				return &usageError{err, cmd}
			}
			if limit < 0 {
				return &usageError{fmt.Errorf("--limit is %d, want 1 or more, or 0 for all", limit), cmd}
			}
			if err := q.Check(); err != nil {
				return &usageError{err, cmd}
			}
			e, err := s.open(cmd)
			if err != nil {
				return err
			}
			if count || len(groups) > 0 {
				q.Namespace = e.of(q)
				answer, err := e.Group(cmd.Context(), q, groups...)
				if err := errors.Join(err, e.close()); err != nil {
					return err
				}
				return printGroups(cmd.OutOrStdout(), answer, asJSON)
			}
			if asCSV {
				return errors.Join(query.WriteCSV(cmd.OutOrStdout(), e.find(cmd.Context(), q, limit)), e.close())
			}
			most := limit
			if limit > 0 {
				most++ // to know whether there are more
			}
			var rows []query.Row
			for row, err := range e.find(cmd.Context(), q, most) {
				if err != nil {
					return errors.Join(err, e.close())
				}
				rows = append(rows, row)
			}
			if err := e.close(); err != nil {
				return err
			}
			more := limit > 0 && len(rows) > limit
			if more {
				rows = rows[:limit]
			}
			if asJSON {
				return printRows(cmd.OutOrStdout(), rows)
			}
			if err := printTable(cmd.OutOrStdout(), rows, now); err != nil || !more {
				return err
			}
			_, err = fmt.Fprintf(cmd.ErrOrStderr(), "clew: these are the first %d, there are more; give --limit\n", limit)
			return err
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&statuses, "status", nil, "one or more, parted by commas")
	f.StringVar(&q.Type, "type", "", "of the workflow")
	f.StringVar(&q.ID, "id", "", "of the execution")
	f.StringVar(&q.IDPrefix, "prefix", "", "with which the id begins")
	f.StringVar(&since, "since", "", "started since: how long ago (1h30m, 14d, PT1H) or when (RFC 3339, or a date, in UTC)")
	f.IntVar(&limit, "limit", 50, "runs at most; 0: all")
	f.BoolVar(&asCSV, "csv", false, "print CSV, with a line of names above")
	f.BoolVar(&count, "count", false, "print how many there are")
	f.StringSliceVar(&groups, "group-by", nil, "count by one or two fields, day or closed-day, parted by commas")
	f.StringVar(&order, "order", "", "by a field, with a minus before it the greatest first; default -started")
	f.DurationVar(&within, "within", 0, "for which the question may be worked on; default 30s")
	f.BoolVar(&asJSON, "json", false, "print a line of JSON for each run")
	return cmd
}

// ask completes a query by what was given as text.
func ask(q *query.Query, statuses []string, since string, now time.Time) error {
	for _, name := range statuses {
		status, ok := history.ParseStatus(name)
		if !ok {
			return fmt.Errorf("--status is %q, want open, closed, or of %s", name, strings.ReplaceAll((query.Open|query.Closed).String(), ",", ", "))
		}
		q.Status |= status
	}
	if since == "" {
		return nil
	}
	var err error
	if q.Since, err = parseSince(since, now); err != nil {
		return fmt.Errorf("--since: %w", err)
	}
	return nil
}

func printGroups(w io.Writer, answer query.Groups, asJSON bool) error {
	if asJSON {
		line, err := json.Marshal(answer)
		if err == nil {
			_, err = fmt.Fprintln(w, printable(line))
		}
		return err
	}
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	if len(answer.By) > 0 {
		header := "RUNS"
		for _, by := range answer.By {
			header += "\t" + strings.ToUpper(plain(by))
		}
		fmt.Fprintln(t, header)
	}
	for _, g := range answer.Groups {
		fmt.Fprint(t, g.Count)
		for _, key := range g.Keys {
			if key == nil {
				key = "-"
			}
			fmt.Fprint(t, "\t", plain(fmt.Sprint(key)))
		}
		fmt.Fprintln(t)
	}
	if answer.More {
		fmt.Fprintln(t, "…")
	}
	_ = t.Flush() // into memory
	for line := range strings.Lines(b.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

func printRows(w io.Writer, rows []query.Row) error {
	for _, row := range rows {
		line, err := json.Marshal(row)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(w, printable(line)); err != nil {
			return err
		}
	}
	return nil
}

func printTable(w io.Writer, rows []query.Row, now time.Time) error {
	if len(rows) == 0 {
		_, err := fmt.Fprintln(w, "no executions")
		return err
	}
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tTYPE\tSTATUS\tSTARTED\tDURATION\tWAITING")
	for _, row := range rows {
		end := row.Closed
		if end.IsZero() {
			end = now
		}
		waiting := abridged(row.Waiting)
		if row.Failure != "" {
			waiting = "(failure: " + abridged(row.Failure) + ")"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", plain(row.ID), plain(row.Type), row.Status, second(row.Started), span(end.Sub(row.Started)), waiting)
	}
	_ = t.Flush() // into memory
	for line := range strings.Lines(b.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}
