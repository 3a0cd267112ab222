package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/clewflow/clew/history"
)

func show(s *site) *cobra.Command {
	var asJSON, payloads bool
	var number uint64
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show the history of an execution in words",
		Long: `Show the history of an execution, a line for each entry: its number; when it happened, absolute for the
first entry of a run and then since the start of the run; how long after the entry before; and what
happened. Payloads are cut to 80 characters. Heartbeats that follow each other are one line.`,
		Example: `  clew show order-17
  clew show order-17 --run 2 --payloads
  clew show order-17 --json | head -3`,
		Args: oneID,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			e, err := s.open(cmd)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, e.close()) }()
			if asJSON {
				return printJSON(cmd.Context(), cmd.OutOrStdout(), e, args[0], number)
			}
			p := newPrinter(cmd.OutOrStdout(), payloads)
			err = e.each(cmd.Context(), args[0], number, p.print)
			return errors.Join(p.close(), err)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the entries as they are recorded, one in a line")
	cmd.Flags().BoolVar(&payloads, "payloads", false, "print payloads in full")
	cmd.Flags().Uint64Var(&number, "run", 0, "number of the run; default: all runs")
	return cmd
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

func printJSON(ctx context.Context, w io.Writer, e *executions, workflow string, number uint64) error {
	var line []byte
	return e.each(ctx, workflow, number, func(entry history.Entry) error {
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
}

func newPrinter(w io.Writer, full bool) *printer {
	return &printer{out: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0), teller: teller{map[history.Step]string{}, map[history.Step]bool{}, full}}
}

// linesAtOnce bounds the lines that are kept to align them.
const linesAtOnce = 1000

func (p *printer) print(e history.Entry) error {
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
