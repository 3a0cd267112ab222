package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/clewflow/clew/check"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/examine"
	"github.com/clewflow/clew/replay"
)

// comesBack is how long code may run along a history that nobody follows with a debugger.
const comesBack = time.Minute

// A travel is a journey back in the history of an execution.
type travel struct {
	app
	from    []string
	run     uint64
	until   uint64
	queries []string
	broken  bool
	json    bool
}

func replayCommand(s *site) *cobra.Command {
	t := &travel{}
	cmd := &cobra.Command{
		Use:   "replay ID --with PROGRAM [-- ARGS]",
		Short: "Say where in the code a run waits, as of any entry",
		Long: `Run the code of a program along the history of a run, up to an entry, and say how the run stood then: where
each coroutine of the workflow waits, with the calls of the author's code, and for what; what is open; what
the code has asked for that was recorded only after that entry; the signals that were not received; and
what the code answers to queries. The program is started as "clew check" does; nothing is changed.

With --break its module is built without optimizations and it is run by the debugger dlv, with a breakpoint
where the workflow begins; without dlv on PATH, what is printed says how to run it in another debugger. Nothing is
limited in time then. The program gets no further than runtime.Open, in which the history is replayed.

The exit status is 1 if the code does not fit the history, or stalls.`,
		Example: `  clew replay order-1 --with ./cmd/shop
  clew replay order-1 --with ./cmd/shop --until 17 --query status
  clew replay order-1 --with ./cmd/shop --query 'price={"currency":"EUR"}' --json
  clew replay order-1 --with ./cmd/shop --break`,
		Args: func(cmd *cobra.Command, args []string) error {
			own, _ := split(cmd, args)
			if err := oneID(cmd, own); err != nil {
				return err
			}
			_, err := t.questions()
			return errors.Join(err, t.check())
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			own, programs := split(cmd, args)
			stand, err := t.stand(cmd, s, own[0], programs)
			if err != nil {
				return err
			}
			return t.print(cmd.OutOrStdout(), own[0], stand)
		},
	}
	t.flags(cmd)
	cmd.Flags().StringArrayVar(&t.from, "from", nil, "an export, or a directory of exports, instead of a store; can be given again")
	cmd.Flags().Uint64Var(&t.run, "run", 0, "number of the run; default: the newest")
	cmd.Flags().Uint64Var(&t.until, "until", 0, "number of the last entry that the code is shown; default: all")
	cmd.Flags().StringArrayVar(&t.queries, "query", nil, "a query that the code is to answer: its name, or name=JSON; can be given again")
	cmd.Flags().BoolVar(&t.broken, "break", false, "replay in a debugger")
	cmd.Flags().BoolVar(&t.json, "json", false, "print as JSON")
	return cmd
}

func (t *travel) questions() (all []replay.Question, err error) {
	for _, q := range t.queries {
		name, arg, _ := strings.Cut(q, "=")
		if name == "" || arg != "" && !json.Valid([]byte(arg)) {
			return nil, fmt.Errorf("--query is %q, want the name of a query, or name=JSON", q)
		}
		all = append(all, replay.Question{Query: name, Arg: json.RawMessage(arg)})
	}
	return all, nil
}

// stand has the program replay the run.
func (t *travel) stand(cmd *cobra.Command, s *site, id string, args []string) (stand *replay.Stand, err error) {
	h, from, err := t.history(cmd, s, id)
	if err != nil {
		return nil, err
	}
	q := examine.StandRequest{Run: t.run, Until: t.until, Level: t.replayLevel(), Patience: comesBack}
	q.Questions, _ = t.questions() // checked with the arguments
	ask := func(ctx context.Context, q examine.StandRequest) func(*examine.Session) error {
		return func(session *examine.Session) (err error) {
			stand, err = session.Stand(ctx, q, from, h)
			return err
		}
	}
	if !t.broken {
		err = t.examined(cmd.Context(), newProgress(cmd.ErrOrStderr()), args, ask(cmd.Context(), q))
		return stand, err
	}
	first := q
	first.Questions = nil
	if first.Until, err = t.first(cmd.Context(), h); err != nil {
		return nil, err
	}
	q.Patience = 0
	d := &debugger{app: t.app, cmd: cmd, args: args}
	err = d.examined(ask(cmd.Context(), first), func() string { return outermost(stand) },
		func(ctx context.Context) func(*examine.Session) error { return ask(ctx, q) })
	return stand, err
}

// history reads the history of an execution into memory, so that nobody is kept from the store while it is replayed. from is
// where it is from.
func (t *travel) history(cmd *cobra.Command, s *site, id string) (h check.History, from examine.Place, err error) {
	a, err := s.histories(cmd, t.from)
	if err != nil {
		return h, from, err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	h, err = a.named(cmd.Context(), id)
	var entries []history.Entry
	if err == nil {
		entries, err = collected(h)
	}
	if err != nil {
		return h, from, fmt.Errorf("reading the history of %s: %w", id, err)
	}
	h.Entries = func(yield func(history.Entry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
	return h, a.from, nil
}

func collected(h check.History) (entries []history.Entry, err error) {
	for e, err := range h.Entries {
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	if len(entries) == 0 {
		return nil, errors.New("there is none; see \"clew ls\"")
	}
	return entries, nil
}

// first is the Seq of the first entry of the run. Its payloads may be closed to this process.
func (t *travel) first(ctx context.Context, h check.History) (uint64, error) {
	v, err := check.Opener("")
	if err != nil {
		return 0, err
	}
	run, err := check.ReadRun(ctx, h, t.run, v)
	if run == nil {
		return 0, err
	}
	return run.Entries[0].Seq, nil
}

func (t *travel) print(out io.Writer, id string, s *replay.Stand) error {
	if t.json {
		line, err := json.Marshal(s)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(out, printable(line)); err != nil {
			return err
		}
	} else if _, err := io.WriteString(out, standing(id, s)); err != nil {
		return err
	}
	if s.Mismatch != nil || s.Stalled != nil {
		return errReported
	}
	return nil
}

// outermost is the function in which the first coroutine began: that of the workflow, unless it is a closure.
func outermost(s *replay.Stand) string {
	if s == nil || len(s.Coroutines) == 0 || len(s.Coroutines[0].Stack) == 0 {
		return ""
	}
	stack := s.Coroutines[0].Stack
	return strings.TrimSuffix(stack[len(stack)-1].Function, "-fm")
}
