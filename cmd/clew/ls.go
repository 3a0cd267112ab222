package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
)

// An asked is what the arguments and flags of ls ask.
type asked struct {
	q                            query.Query
	statuses, groups             []string
	since, order, asOf, measured string
	limit                        int
	within                       time.Duration
	asJSON, asCSV, count         bool

	shown time.Time // until when what is open has taken; zero: that is not known here
}

func ls(s *site) *cobra.Command {
	a := &asked{}
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
  clew find "type = 'order'" --measure duration --group-by status
  clew find "status = running" --as-of 2026-01-03T09:00:00Z
  clew ls --prefix order- --since 2026-01-02 --json`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.read(cmd, args); err != nil {
				return &usageError{err, cmd}
			}
			e, err := s.open(cmd)
			if err != nil {
				return err
			}
			show, err := a.answer(cmd, e)
			if err := errors.Join(err, e.close()); err != nil {
				return err
			}
			return show()
		},
	}
	a.flags(cmd)
	return cmd
}

func (a *asked) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringSliceVar(&a.statuses, "status", nil, "one or more, parted by commas")
	f.StringVar(&a.q.Type, "type", "", "of the workflow")
	f.StringVar(&a.q.ID, "id", "", "of the execution")
	f.StringVar(&a.q.IDPrefix, "prefix", "", "with which the id begins")
	f.StringVar(&a.since, "since", "", "started since: how long ago (1h30m, 14d, PT1H) or when (RFC 3339, or a date, in UTC)")
	f.IntVar(&a.limit, "limit", 50, "runs at most; 0: all")
	f.BoolVar(&a.asCSV, "csv", false, "print CSV, with a line of names above")
	f.BoolVar(&a.count, "count", false, "print how many there are")
	f.StringVar(&a.measured, "measure", "", "say what the numbers of a field come to, such as duration or input.total; with --group-by of each group")
	f.StringSliceVar(&a.groups, "group-by", nil, "count by one or two fields, day or closed-day, parted by commas")
	f.StringVar(&a.order, "order", "", "by a field, with a minus before it the greatest first; default -started")
	f.StringVar(&a.asOf, "as-of", "", "what was true then: a position of the log, or a time (RFC 3339, a date in UTC, or now-24h)")
	f.DurationVar(&a.within, "within", 0, "for which the question may be worked on; default 30s")
	f.BoolVar(&a.asJSON, "json", false, "print a line of JSON for each run")
}

// read makes the query of what was given. Its errors are about that.
func (a *asked) read(cmd *cobra.Command, args []string) error {
	text := strings.Join(args, " ")
	written, err := query.Parse(text)
	if err != nil && len(args) == 1 && !strings.ContainsAny(text, " =<>!()'\"") {
		return fmt.Errorf("%w; one execution is asked for with --id %s", err, text)
	}
	if err != nil {
		return err
	}
	a.q.Where, a.q.Order, a.q.Within, a.q.Known = written.Where, written.Order, a.within, true
	if a.order != "" {
		a.q.Order = a.order
	}
	if written.Most > 0 && !cmd.Flags().Changed("limit") {
		a.limit = written.Most
	}
	if err := a.form(); err != nil {
		return err
	}
	now := now()
	if a.q.AsOf, err = query.ParseAsOf(a.asOf, now); err != nil {
		return err
	}
	a.shown = now
	switch {
	case a.q.AsOf.Position > 0:
		a.shown = time.Time{}
	case !a.q.AsOf.Time.IsZero():
		now, a.shown = a.q.AsOf.Time, a.q.AsOf.Time
	}
	if err := ask(&a.q, a.statuses, a.since, now); err != nil {
		return err
	}
	if a.limit < 0 {
		return fmt.Errorf("--limit is %d, want 1 or more, or 0 for all", a.limit)
	}
	return a.q.Check()
}

// form refuses forms of the answer that exclude each other, or that there are not.
func (a *asked) form() error {
	if a.asJSON && a.asCSV || a.count && len(a.groups) > 0 || a.asCSV && (a.count || len(a.groups) > 0) {
		return errors.New("--json and --csv, --count and --group-by, and --csv and a count exclude each other")
	}
	if _, err := query.ParseGroups(a.groups...); err != nil {
		return err
	}
	if a.measured == "" {
		return nil
	}
	if _, err := query.ParseMeasured(a.measured); err != nil {
		return err
	}
	if a.asCSV || a.count {
		return errors.New("--measure, and --csv or --count, exclude each other")
	}
	return nil
}

// answer finds what is asked, and returns what prints it when the store is closed. CSV alone is printed as it is found.
func (a *asked) answer(cmd *cobra.Command, e *executions) (show func() error, err error) {
	ctx, w := cmd.Context(), cmd.OutOrStdout()
	switch {
	case a.measured != "":
		a.q.Namespace = e.of(a.q)
		answer, err := e.Measure(ctx, a.q, a.measured, a.groups...)
		hint(cmd, e, a.q, err != nil || len(answer.Measures) > 0)
		return func() error { return printMeasures(w, answer, a.asJSON) }, err
	case a.count, len(a.groups) > 0:
		a.q.Namespace = e.of(a.q)
		answer, err := e.Group(ctx, a.q, a.groups...)
		hint(cmd, e, a.q, err != nil || slices.ContainsFunc(answer.Groups, func(g query.Group) bool { return g.Count > 0 }))
		return func() error { return printGroups(w, answer, a.asJSON) }, err
	case a.asCSV:
		rows, some := noticed(e.find(ctx, a.q, a.limit))
		err := query.WriteCSV(w, rows)
		hint(cmd, e, a.q, err != nil || *some)
		return func() error { return nil }, err
	}
	most := a.limit
	if most > 0 {
		most++ // to know whether there are more
	}
	var rows []query.Row
	for row, err := range e.find(ctx, a.q, most) {
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	hint(cmd, e, a.q, len(rows) > 0)
	return func() error { return a.print(cmd, rows) }, nil
}

// print prints as many rows as are wanted, and says whether there are more.
func (a *asked) print(cmd *cobra.Command, rows []query.Row) error {
	more := a.limit > 0 && len(rows) > a.limit
	if more {
		rows = rows[:a.limit]
	}
	if a.asJSON {
		return printRows(cmd.OutOrStdout(), rows)
	}
	if err := printTable(cmd.OutOrStdout(), rows, a.shown); err != nil || !more {
		return err
	}
	_, err := fmt.Fprintf(cmd.ErrOrStderr(), "clew: these are the first %d, there are more; give --limit\n", a.limit)
	return err
}

// noticed yields what rows yield, and says whether there was anything.
func noticed(rows iter.Seq2[query.Row, error]) (_ iter.Seq2[query.Row, error], some *bool) {
	some = new(bool)
	return func(yield func(query.Row, error) bool) {
		for row, err := range rows {
			*some = true
			if !yield(row, err) {
				return
			}
		}
	}, some
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
		end, took := row.Closed, "-"
		if end.IsZero() {
			end = now
		}
		if !end.IsZero() {
			took = span(end.Sub(row.Started))
		}
		waiting := abridged(row.Waiting)
		if row.Failure != "" {
			waiting = "(failure: " + abridged(row.Failure) + ")"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", plain(row.ID), plain(row.Type), row.Status, second(row.Started), took, waiting)
	}
	_ = t.Flush() // into memory
	return printLines(w, b.String())
}
