package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/clewflow/clew/internal/socket"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/system"
)

// batch is the command that does something to all executions that a query finds.
func batch(s *site) *cobra.Command {
	cmd := &cobra.Command{
		Use: "batch", Short: "Do something to all executions that a query finds",
		Long: `Do something to all executions that a query finds, as a workflow of its own: it goes on after a crash, is
paused and cancelled like any other, and does nothing twice. The executions are those whose current run the
query finds when it begins; what has changed before its turn comes is left alone. Instead of a query, @FILE
names a file with the id of an execution in each line, @- the standard input.`,
		Example: `  clew batch retry "type = 'order' AND status = failed" --rate 20 --reason 'the bank answers again'
  clew batch terminate "type = 'import' AND started < now-30d" --dry-run
  clew find "failure = 'declined'" --json | jq -r .id | clew batch terminate @-
  clew batch show 'batch-7f3c'`,
		Args: below, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	for _, a := range append(acts(), takings()...) {
		cmd.AddCommand(batchOf(s, a))
	}
	cmd.AddCommand(batchShow(s))
	return cmd
}

// takings are what batches take away. For one execution clew redact and clew delete do it.
func takings() []act {
	return []act{
		{use: "delete ID", short: "Delete closed executions", like: "clew delete order-17 --reason 'ticket 4712'", long: "Delete the histories of closed executions with all that belongs to them; a record of that stays."},
		{use: "redact ID", short: "Take payloads away", like: "clew redact order-17 --reason 'ticket 4711'", long: "Take the bytes of payloads away; their sums stay, so the histories verify as before.",
			flags: func(cmd *cobra.Command, o *runtime.Operation) {
				cmd.Flags().Uint64Var(&o.Entry, "entry", 0, "only those of this entry; default: of all")
				cmd.Flags().StringVar(&o.Field, "field", "", `only this payload, such as "input" or "result"; default: all`)
			}},
	}
}

// A batchWish is a batch that is asked for.
type batchWish struct {
	name string // of the command that is done to each
	do   runtime.Operation
	system.Batch
	id   string
	wait bool
}

func batchOf(s *site, a act) *cobra.Command {
	w := &batchWish{name: strings.Fields(a.use)[0]}
	if a.more == nil {
		a.more = func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("a query is wanted, in quotes; '*' is every run")
			}
			return nil
		}
	}
	cmd := &cobra.Command{
		Use: strings.Replace(a.use, " ID", " QUERY", 1), Short: a.short + ", for all that a query finds", Args: a.more,
		Example: "  " + strings.NewReplacer("clew ", "clew batch ", "order-17", `"type = 'order'"`).Replace(a.like),
		Long:    fmt.Sprintf("What clew %s does, to each of the executions that a query finds.\n\n%s", w.name, a.long),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if w.do.Do = a.do; w.do.Do == "" {
				w.do.Do = w.name
			}
			if a.take != nil {
				if err := a.take(&w.do, args[1:]); err != nil {
					return &usageError{err, cmd}
				}
			}
			q, err := w.read(args[0], cmd.InOrStdin())
			if err != nil {
				return &usageError{err, cmd}
			}
			if w.By == "" {
				if w.By, err = whoIAm(); err != nil {
					return err
				}
			}
			e, err := s.open(cmd)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, e.close()) }()
			if w.DryRun {
				return w.dryRun(cmd, e, q)
			}
			return w.begin(cmd.Context(), cmd.OutOrStdout(), e)
		},
	}
	w.flags(cmd)
	if a.flags != nil {
		a.flags(cmd, &w.do)
	}
	return cmd
}

func (w *batchWish) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&w.Reason, "reason", "", "why, for the histories")
	f.StringVar(&w.By, "by", "", "who does it; default: the user of this process")
	f.Float64Var(&w.Rate, "rate", system.StandardRate, "operations a second, at the most")
	f.IntVar(&w.Most, "most", system.StandardMost, "executions, at the most: a query that finds more is refused")
	f.BoolVar(&w.DryRun, "dry-run", false, "only say how many executions there are, and which are the first")
	f.StringVar(&w.id, "id", "", "workflow id of the batch; default: one is made")
	f.BoolVar(&w.wait, "wait", false, "until it is done, and show how far it is")
}

// read takes in which executions are meant, and returns the query that finds them if they are not listed.
func (w *batchWish) read(text string, in io.Reader) (q query.Query, err error) {
	if w.Rate <= 0 {
		return q, fmt.Errorf("--rate is %v, want a number above 0", w.Rate)
	}
	if w.Most < 1 {
		return q, fmt.Errorf("--most is %d, want 1 or more", w.Most)
	}
	if w.Query, w.IDs, err = batchSet(text, in); err != nil {
		return q, err
	}
	if len(w.IDs) > 0 || strings.TrimSpace(text) == "*" {
		text = ""
	}
	if q, err = query.Parse(text); err != nil {
		return q, err
	}
	w.Operation, err = json.Marshal(w.do)
	return q, err
}

// dryRun says what would be done.
func (w *batchWish) dryRun(cmd *cobra.Command, e *executions, q query.Query) error {
	if len(w.IDs) == 0 {
		return dryRun(cmd, e, q, w.name)
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "clew %s would be done to %s; nothing was done\n", w.name, count(len(w.IDs), "execution", "executions"))
	return err
}

// begin has the batch begun, and shows how far it is if that is wanted.
func (w *batchWish) begin(ctx context.Context, out io.Writer, e *executions) error {
	request := uuid.Must(uuid.NewV7()).String()
	if w.id == "" {
		w.id = "batch-" + request[len(request)-8:]
	}
	operation, err := json.Marshal(runtime.Operation{Do: "batch", Batch: &w.Batch})
	if err != nil {
		return err
	}
	if _, err := e.Operate(ctx, socket.Act{ID: e.id(w.id), Operation: operation, Reason: w.Reason, By: w.By, Request: request}); err != nil {
		return err
	}
	fmt.Fprintf(out, "batch %s has begun; see \"clew batch show %s\"\n", w.id, w.id)
	switch {
	case !e.served:
		fmt.Fprintln(out, "no process has the store open: it is done by whoever runs next")
	case w.wait:
		return follow(ctx, out, e, w.id)
	}
	return nil
}

// batchSet is which executions a batch is about: those that a query finds, or @ and the name of a file with an id in each line; @- is the
// standard input.
func batchSet(text string, in io.Reader) (query string, ids []string, err error) {
	name, listed := strings.CutPrefix(text, "@")
	if !listed {
		return text, nil, nil
	}
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", nil, fmt.Errorf("reading the ids of executions: %w", err)
		}
		defer f.Close()
		in = f
	}
	all, err := io.ReadAll(in)
	if err != nil {
		return "", nil, fmt.Errorf("reading the ids of executions: %w", err)
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(all)) {
		if id := strings.TrimSpace(line); id != "" && !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return "", nil, fmt.Errorf("%s has no ids, want one in each line", text)
	}
	return "", ids, nil
}

func batchShow(s *site) *cobra.Command {
	var wait bool
	cmd := &cobra.Command{
		Use: "show ID", Short: "Show how far a batch is, and who refused", Args: oneID, Example: "  clew batch show batch-7f3c --wait",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			e, err := s.open(cmd)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, e.close()) }()
			if wait {
				return follow(cmd.Context(), cmd.OutOrStdout(), e, args[0])
			}
			_, err = showBatch(cmd.Context(), cmd.OutOrStdout(), e, args[0])
			return err
		},
	}
	cmd.Flags().BoolVar(&wait, "wait", false, "until it is done")
	return cmd
}

// follow shows how far a batch is until it is over. One that does not complete is an error.
func follow(ctx context.Context, out io.Writer, e *executions, id string) error {
	for last := ""; ; {
		var text strings.Builder
		d, err := showBatch(ctx, &text, e, id)
		if err != nil {
			return err
		}
		if last != text.String() {
			last = text.String()
			fmt.Fprint(out, last)
			if f, ok := out.(interface{ Flush() error }); ok {
				_ = f.Flush()
			}
		}
		if over(d) {
			return completed(d)
		}
		select {
		case <-time.After(500 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// over reports whether an execution has ended, and goes on in no other run. The status itself does not travel.
func over(d runtime.Description) bool {
	return !d.Closed.IsZero() && d.StatusName != query.Continued.String()
}

// completed is an error if an execution that is over did not complete. How it ended was said.
func completed(d runtime.Description) error {
	if d.StatusName != query.Completed.String() {
		return errReported
	}
	return nil
}

// showBatch says how far a batch is.
func showBatch(ctx context.Context, out io.Writer, e *executions, id string) (runtime.Description, error) {
	d, err := e.Describe(ctx, e.id(id))
	if err != nil {
		return d, err
	}
	if d.Type != system.Batches.Name() {
		return d, fmt.Errorf("%s is no batch, but a workflow %s", id, plain(d.Type))
	}
	var r system.Report
	if len(d.View) > 0 {
		if err := json.Unmarshal(d.View, &r); err != nil {
			return d, fmt.Errorf("what batch %s shows of itself cannot be read: %w", id, err)
		}
	}
	fmt.Fprintf(out, "%s: %s; %d found, %d done, %d refused\n", id, d.StatusName, r.Found, r.Done, r.Refused)
	if r.Older > 0 {
		fmt.Fprintf(out, "  %s left alone: another run of the execution has followed\n", count(r.Older, "run was", "runs were"))
	}
	if d.Failure != "" {
		fmt.Fprintf(out, "  %s\n", oneLine(d.Failure))
	}
	for _, kind := range slices.Sorted(maps.Keys(r.Why)) {
		fmt.Fprintf(out, "  %d refused: %s\n", r.Why[kind], plain(kind))
	}
	for n, one := range slices.Sorted(maps.Keys(r.First)) {
		if n == 10 {
			fmt.Fprintf(out, "  … and %d more\n", len(r.First)-n)
			break
		}
		fmt.Fprintf(out, "  %s: %s\n", plain(one), oneLine(strings.TrimPrefix(r.First[one], "clew: ")))
	}
	return d, nil
}
