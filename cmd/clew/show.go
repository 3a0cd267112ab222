package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/clewflow/clew/history"
)

// A sight is how show shows a history.
type sight struct {
	asJSON, overview, payloads, taken bool

	at, span string
	then     instant // that of at
	kinds    []string
	step     uint64
	number   uint64 // of the run; 0: all
}

func show(s *site) *cobra.Command {
	v := &sight{}
	cmd := &cobra.Command{
		Use:   "show ID | --erased",
		Short: "Show the history of an execution in words",
		Long: `Show the history of an execution, a line for each entry: its number; when it happened, absolute for the
first entry of a run and then since the start of the run; how long after the entry before; and what
happened. Payloads are cut to 80 characters, and heartbeats that follow each other are one line. With --at it
says how the execution stood then: its status, what it waited for, its attributes and what it had published,
with --between what has changed between two entries. With --erased it is the record of what was taken away.`,
		Example: `  clew show order-17
  clew show order-17 --run 2 --payloads
  clew show order-17 --kind signaled,attempt --step 3
  clew show order-17 --between 3..7
  clew show order-17 --json | head -3`,
		Args: func(cmd *cobra.Command, args []string) error {
			if v.taken {
				return noArgs(cmd, args)
			}
			return oneID(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if err := v.form(cmd); err != nil {
				return &usageError{err, cmd}
			}
			if v.at != "" {
				if v.then, err = parseInstant(v.at); err != nil {
					return &usageError{err, cmd}
				}
			}
			e, err := s.open(cmd)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, e.close()) }()
			if v.taken {
				return erased(cmd.Context(), cmd.OutOrStdout(), e)
			}
			return v.show(cmd.Context(), cmd.OutOrStdout(), e, args[0])
		},
	}
	v.flags(cmd)
	return cmd
}

func (v *sight) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&v.asJSON, "json", false, "print the entries as they are recorded, one in a line")
	f.BoolVar(&v.overview, "overview", false, "print one object of JSON: the runs, what each asked for, with attempts and outcomes, and what it was told")
	f.BoolVar(&v.taken, "erased", false, "say what was redacted and deleted in the namespace, by whom, when and why")
	f.StringVar(&v.at, "at", "", "say how it stood at an entry, by its number, or at a time, instead of showing the history")
	f.StringVar(&v.span, "between", "", "say what has changed between two entries, such as 3..7")
	f.StringSliceVar(&v.kinds, "kind", nil, "only entries of these kinds, as --json names them, or of which the kind begins so: activity, attempt-failed, timer")
	f.Uint64Var(&v.step, "step", 0, "only entries about this step, and of an activity where its policy comes from; with --kind those of both")
	f.BoolVar(&v.payloads, "payloads", false, "print payloads in full")
	f.Uint64Var(&v.number, "run", 0, "number of the run; default: all runs")
}

// form refuses forms of the history that exclude each other.
func (v *sight) form(cmd *cobra.Command) error {
	form := "" // other than words
	for _, name := range []string{"json", "overview", "at", "between", "erased"} {
		if !cmd.Flags().Changed(name) {
			continue
		}
		if form != "" {
			return fmt.Errorf("--%s and --%s exclude each other", form, name)
		}
		form = name
	}
	for _, name := range []string{"kind", "step", "run"} {
		part := form == "" || form == "json" || form == "overview" && name == "run"
		if cmd.Flags().Changed(name) && !part {
			return fmt.Errorf("--%s and --%s exclude each other", form, name)
		}
	}
	return nil
}

// show shows the history of an execution.
func (v *sight) show(ctx context.Context, w io.Writer, e *executions, workflow string) error {
	switch {
	case v.at != "":
		return asOf(ctx, w, e, workflow, v.then)
	case v.overview:
		all, err := e.entries(ctx, workflow, v.number)
		if err != nil {
			return err
		}
		return printAnswer(w, history.OverviewOf(all))
	case v.asJSON:
		return printJSON(ctx, w, e, workflow, v.number, wanted(v.kinds, history.Step(v.step)))
	case v.span != "":
		all, err := e.entries(ctx, workflow, 0)
		if err != nil {
			return err
		}
		return between(w, all, v.span)
	}
	return v.tell(ctx, w, e, workflow)
}

// tell shows entries in words, and what keeps them from being taken away.
func (v *sight) tell(ctx context.Context, w io.Writer, e *executions, workflow string) error {
	p := newPrinter(w, v.payloads)
	p.wanted = wanted(v.kinds, history.Step(v.step))
	about := sourced{step: history.Step(v.step)}
	err := e.each(ctx, workflow, v.number, func(entry history.Entry) error {
		about.see(entry)
		return p.print(entry)
	})
	if err = errors.Join(p.close(), err); err != nil {
		return err
	}
	if p.wanted != nil && p.fits == 0 {
		fmt.Fprintln(w, "no entry is of that kind or about that step; --json shows how kinds are named")
	}
	if err := about.print(ctx, w, e); err != nil {
		return err
	}
	d, err := e.Describe(ctx, e.id(workflow))
	for _, line := range toldHolds(d.Holds) {
		fmt.Fprintln(w, line)
	}
	return err
}

// wanted are the entries of some kinds and about a step; nil: all.
func wanted(kinds []string, step history.Step) func(history.Entry) bool {
	if len(kinds) == 0 && step == 0 {
		return nil
	}
	return func(e history.Entry) bool {
		ofKind := len(kinds) == 0 || slices.ContainsFunc(kinds, func(kind string) bool {
			return e.Event.Kind() == kind || strings.HasPrefix(e.Event.Kind(), kind+"-")
		})
		return ofKind && (step == 0 || stepOf(e) == step)
	}
}

// each calls see with the entries of an execution, of one run only unless number is 0.
func (e *executions) each(ctx context.Context, workflow string, number uint64, see func(history.Entry) error) error {
	shown, current := false, uint64(0)
	for entry, err := range e.History(ctx, e.id(workflow)) {
		if err != nil {
			return err
		}
		if started, ok := entry.Event.(*history.Started); ok {
			current = started.Number
		}
		if number > 0 && current != number {
			continue
		}
		shown = true
		if err := see(entry); err != nil {
			return err
		}
	}
	if !shown {
		return fmt.Errorf("the execution %s has no run %d; see \"clew ls --id %s\"", workflow, number, workflow)
	}
	return nil
}

// entries are those of an execution, of one run only unless number is 0.
func (e *executions) entries(ctx context.Context, workflow string, number uint64) (all []history.Entry, err error) {
	err = e.each(ctx, workflow, number, func(entry history.Entry) error { all = append(all, entry); return nil })
	return all, err
}

// printJSON prints entries as they are recorded, those alone that are wanted unless that is nil.
func printJSON(ctx context.Context, w io.Writer, e *executions, workflow string, number uint64, wanted func(history.Entry) bool) error {
	var line []byte
	return e.each(ctx, workflow, number, func(entry history.Entry) error {
		if wanted != nil && !wanted(entry) {
			return nil
		}
		line = append(history.AppendEntry(line[:0], entry), '\n')
		_, err := w.Write(line)
		return err
	})
}

// A printer prints entries in words. Heartbeats are kept back until it is known how many follow each other.
type printer struct {
	out     *tabwriter.Writer
	teller  teller
	began   time.Time // of the run
	last    time.Time // of the entry printed last
	runs    int
	beats   int
	beat    history.Entry // the newest kept back
	first   uint64        // Seq of the oldest kept back
	pending int           // lines since the table was last written out

	wanted func(history.Entry) bool // of those that are printed; nil: all
	fits   int                      // how many were wanted
}

func newPrinter(w io.Writer, full bool) *printer {
	return &printer{out: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0), teller: teller{map[history.Step]string{}, map[history.Step]bool{}, full}}
}

// linesAtOnce bounds the lines that are kept to align them.
const linesAtOnce = 1000

func (p *printer) print(e history.Entry) error {
	if p.wanted != nil {
		_, begins := e.Event.(*history.Started)
		switch {
		case p.wanted(e):
			p.fits++
		case !begins:
			p.teller.tell(e) // it knows the names then
			return nil
		}
	}
	beat, ok := e.Event.(*history.Heartbeat)
	if ok && p.beats > 0 && p.beat.Event.(*history.Heartbeat).Step == beat.Step {
		p.beats, p.beat = p.beats+1, e
		return nil
	}
	if err := p.flush(); err != nil {
		return err
	}
	if ok {
		p.beats, p.beat, p.first = 1, e, e.Seq
		return nil
	}
	if started, ok := e.Event.(*history.Started); ok {
		if err := p.run(started, e); err != nil {
			return err
		}
	}
	return p.line(fmt.Sprint(e.Seq), e, p.teller.tell(e))
}

// run begins a new run.
func (p *printer) run(started *history.Started, e history.Entry) error {
	if err := p.out.Flush(); err != nil {
		return err
	}
	p.runs, p.began, p.last = p.runs+1, time.Time{}, time.Time{}
	clear(p.teller.names)
	if p.runs > 1 {
		fmt.Fprintln(p.out)
	}
	if started.Number > 1 {
		fmt.Fprintf(p.out, "run %d\n", started.Number)
	}
	return p.out.Flush()
}

// flush prints the heartbeats that were kept back.
func (p *printer) flush() error {
	n, e := p.beats, p.beat
	p.beats = 0
	switch n {
	case 0:
		return nil
	case 1:
		return p.line(fmt.Sprint(e.Seq), e, p.teller.tell(e))
	}
	v := e.Event.(*history.Heartbeat)
	text := fmt.Sprintf("%d heartbeats of %s%s", n, p.teller.try(v.Try), p.teller.checkpoint(v.Checkpoint))
	return p.line(fmt.Sprintf("%d…%d", p.first, e.Seq), e, text)
}

func (p *printer) line(seq string, e history.Entry, text string) error {
	at, since := moment(e.At), ""
	if p.began.IsZero() {
		p.began = e.At
	} else {
		at, since = "+"+span(e.At.Sub(p.began)), "+"+span(e.At.Sub(p.last))
	}
	p.last = e.At
	fmt.Fprintf(p.out, "%s\t%s\t%s\t%s\n", seq, at, since, text)
	if p.pending++; p.pending >= linesAtOnce {
		p.pending = 0
		return p.out.Flush()
	}
	return nil
}

// note prints a line that is no entry.
func (p *printer) note(seq, text string) error {
	_, err := fmt.Fprintf(p.out, "%s\t\t\t%s\n", seq, text)
	return err
}

func (p *printer) close() error {
	return errors.Join(p.flush(), p.out.Flush())
}
