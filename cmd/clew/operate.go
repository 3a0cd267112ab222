package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/user"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/internal/socket"
	"github.com/clewflow/clew/runtime"
)

// An act is a command that does something to an execution.
type act struct {
	use   string // with the arguments behind ID
	do    string // the name of the operation; empty: the first word of use
	done  string // what is said of the execution then
	short string
	long  string
	like  string // an example
	more  cobra.PositionalArgs
	flags func(cmd *cobra.Command, o *runtime.Operation)
	take  func(o *runtime.Operation, args []string) error // the arguments behind ID
	after func(cmd *cobra.Command, e *executions, id string) error
	asks  bool // the code is asked, so there has to be a process with it
}

// operations are the commands that do something to an execution.
func operations(s *site) []*cobra.Command {
	all := acts()
	cmds := make([]*cobra.Command, 0, len(all)+2)
	for _, a := range all {
		cmds = append(cmds, operation(s, a))
	}
	return append(cmds, activities(s), batch(s))
}

// acts are the commands that do something to a whole execution.
func acts() []act {
	return slices.Concat(rests(), anews(), holds(), moves(), settings())
}

// rests are the commands that let an execution rest, go on, or end.
func rests() []act {
	return []act{
		{use: "pause ID", done: "is paused", short: "Let an execution rest", like: "clew pause order-17 --reason 'the bank is down'",
			long: `Let an execution rest. Attempts in hand go on and are recorded, no others are begun, and the code is told
nothing until clew unpause. Signals are kept, due timers wait unless --timers-on, time-outs go on
unless --hold-limits.`,
			flags: func(cmd *cobra.Command, o *runtime.Operation) {
				cmd.Flags().BoolVar(&o.TimersOn, "timers-on", false, "let due timers fire all the same; the code is told of that later")
				cmd.Flags().BoolVar(&o.HoldLimits, "hold-limits", false, "let no time-out pass of the run, the execution and what waits; those of attempts in hand go on")
			}},
		{use: "unpause ID", done: "goes on", short: "Let a paused execution go on", like: "clew unpause order-17 --reason 'it answers again'",
			long: `Let an execution go on that is paused: the code is told in order what has happened meanwhile. One that is
not paused stays as it is.`},
		{use: "cancel ID", done: "is asked to end", short: "Ask an execution to end", like: "clew cancel order-17 --reason 'ordered twice'",
			long: `Tell the code of an execution that it is to end. It may clean up first, or go on. One that is paused is told
when it goes on.`},
		{use: "terminate ID", done: "is terminated", short: "Close an execution at once", like: "clew terminate order-17 --reason 'ordered twice'",
			long: `Close an execution at once. Its code is not asked, and its activities are cancelled.`},
	}
}

// anews are the commands with which an execution that has ended goes on, or begins once more.
func anews() []act {
	anew := func(cmd *cobra.Command, o *runtime.Operation) {
		cmd.Flags().BoolVar(&o.NewestVersion, "newest", false, "of the newest version of the workflow; default: of that of the run before")
		cmd.Flags().BoolVar(&o.TerminateFirst, "terminate-first", false, "terminate the run that is open")
	}
	resume := func(cmd *cobra.Command, o *runtime.Operation) {
		cmd.Flags().BoolVar(&o.ResumeChildren, "resume-children", false, "children that did not complete go on from where they failed; default: they begin anew")
	}
	return []act{
		{use: "retry ID", done: "goes on from where it failed", short: "Let a failed execution go on from where it failed", like: "clew retry order-17 --reason 'the bank answers again'",
			long: `Let an execution that failed, timed out, was cancelled or terminated go on from where that happened, as its next
run. What completed is not done again: the code is told the recorded results. What failed is tried anew, with all
its attempts. The run before stays as it is.`,
			flags: func(cmd *cobra.Command, o *runtime.Operation) { anew(cmd, o); resume(cmd, o) }},
		{use: "restart ID", done: "begins from the beginning", short: "Begin a closed execution from its beginning", like: `clew restart order-17 --input '{"item":"lamp"}'`,
			long: `Begin an execution that has ended from its beginning, as its next run, with the input that it had or another.`,
			flags: func(cmd *cobra.Command, o *runtime.Operation) {
				anew(cmd, o)
				valueVar(cmd, &o.Input, "input", "another input, as JSON")
			}},
		{use: "rerun ID", done: "goes on from there", short: "Let a closed execution go on from a step of its past", like: `clew rerun order-17 --activity ship --input '{"to":"Berlin"}'`,
			long: `Let an execution that has ended go on from a place in its last run, as its next run: the code is told again what
was recorded before it, and asks anew for what comes from there on. With --result the activity at that place is
not made, and with --input it is made with another input. The run before stays as it is.`,
			flags: func(cmd *cobra.Command, o *runtime.Operation) {
				anew(cmd, o)
				resume(cmd, o)
				cmd.Flags().Uint64Var(&o.Step, "step", 0, "the place: before this step")
				cmd.Flags().StringVar(&o.Activity, "activity", "", "the place: before the activity of this name")
				cmd.Flags().IntVar(&o.Nth, "nth", 0, "the how manieth activity of that name; default: the first")
				cmd.Flags().Uint64Var(&o.Entry, "entry", 0, "the place: before this entry of the history")
				valueVar(cmd, &o.Input, "input", "another input for the activity at that place, as JSON")
				valueVar(cmd, &o.WorkflowInput, "workflow-input", "another input for the run, as JSON; what is before the place must follow from it too")
				valueVar(cmd, &o.Result, "result", "the result of the activity at that place, as JSON: it is not made")
			}, take: onePlace},
	}
}

// onePlace refuses an operation that does not say from which place an execution is to go on.
func onePlace(o *runtime.Operation, _ []string) error {
	places := 0
	for _, given := range []bool{o.Step > 0, o.Activity != "", o.Entry > 0} {
		if given {
			places++
		}
	}
	switch {
	case places != 1:
		return errors.New("the place is wanted: one of --step, --activity and --entry")
	case o.Input != nil && o.Result != nil:
		return errors.New("--input and --result exclude each other")
	}
	return nil
}

// holds are the commands about what may be taken away.
func holds() []act {
	return []act{
		{use: "hold ID", done: "is held", short: "Let nothing of an execution be taken away", like: "clew hold order-17 --name case-7 --reason 'the court asked'",
			long: `Let nothing of the record of an execution be taken away: it is neither deleted, nor redacted, nor cut by retention
until clew release. It goes on as before. It may have several holds, each with a name.`, flags: holdName},
		{use: "release ID", done: "has that hold no more", short: "Take a hold back", like: "clew release order-17 --name case-7 --reason 'it is over'",
			long: `Take a hold back. With the last of them gone the execution may be deleted and redacted again.`, flags: holdName, after: stillHeld},
	}
}

// moves are the commands about the policies and the code with which an execution goes on.
func moves() []act {
	return []act{
		{use: "apply-policies ID", done: "has what is scheduled under the policies in force", short: "Put what is scheduled under the policies in force", like: "clew apply-policies order-17 --activity charge --reason 'the bank asked'",
			long: `Put the activities of an open execution that are scheduled and not settled under the policies in force: how they
are tried again, and their limits of time, counted from where they began. What the call asked for stays, unless a
policy is forced. clew policy set --apply-to-pending does it to all executions.`,
			flags: func(cmd *cobra.Command, o *runtime.Operation) {
				cmd.Flags().StringVar(&o.Activity, "activity", "", "only activities of this name; default: all")
			}},
		{use: "try-again ID", done: "is tried again", short: "Try a stalled execution at once", like: "clew try-again order-17",
			long: `Try an execution at once whose code could not go on. It is tried by itself too, after a while that grows up to
five minutes, and when code arrives that fits.`},
		{use: "move ID VERSION", do: "move", done: "is moved", short: "Put an open execution on another version of its workflow", like: "clew move order-17 3",
			long: `Put an open execution on another version of its workflow, for this run and those that continue it. Code that does
not fit what is recorded is refused. The code has to be there: in the process that has the store open.`, asks: true,
			more: named, take: func(o *runtime.Operation, args []string) (err error) {
				o.Version, err = strconv.Atoi(args[0])
				if err != nil {
					err = &commands.Invalid{Field: "the version", Value: args[0], Want: "a number"}
				}
				return err
			}},
	}
}

// settings are the commands that give an execution something: what it is found by, a note, a value, a message.
func settings() []act {
	return []act{
		{use: "set ID NAME=VALUE…", do: "set-attributes", done: "has other attributes", short: "Change what an execution is found by", like: "clew set order-17 env=uat urgent=true note=",
			long: `Change the attributes of an open execution. A value is JSON, or text if it is none; an empty one takes the
attribute away. The code is told nothing.`,
			more: named, take: func(o *runtime.Operation, args []string) (err error) {
				o.Attributes, err = members("an attribute", args)
				return err
			}},
		{use: "set-memo ID NAME=VALUE…", do: "set-memo", done: "has another memo", short: "Change the note that is kept with an execution", like: "clew set-memo order-17 shelf=b7 note=",
			long: `Change members of the memo of an open execution. A value is JSON, or text if it is none; an empty one takes the
member away, and what is not named stays. The code is told nothing.`,
			more: named, take: func(o *runtime.Operation, args []string) (err error) {
				o.Memo, err = members("a member of the memo", args)
				return err
			}},
		{use: "set-variable ID NAME VALUE", do: "set-variable", done: "has taken the value", short: "Change a variable that an execution has declared", like: "clew set-variable order-17 rate 20",
			long: `Change a variable that the code of an execution has declared (workflow.NewVariable). The value is JSON, or text
if it is none. The code is told and may refuse it, so a process has to run it.`, asks: true,
			more: named, take: func(o *runtime.Operation, args []string) error {
				o.Variable, o.Input = args[0], valueOf(args[1])
				return nil
			}},
		{use: "signal ID NAME [VALUE]", do: "signal", done: "has the signal", short: "Send an execution a signal", like: `clew signal order-17 approve '{"by":"ann"}'`,
			long: `Send an execution a signal. The value is JSON, or text if it is none.`,
			more: named, take: func(o *runtime.Operation, args []string) error {
				o.Signal, o.Input = args[0], json.RawMessage("null")
				if len(args) > 1 {
					o.Input = valueOf(args[1])
				}
				return nil
			}},
	}
}

// stillHeld says which holds an execution has left.
func stillHeld(cmd *cobra.Command, e *executions, id string) error {
	d, err := e.Describe(cmd.Context(), e.id(id))
	for _, line := range toldHolds(d.Holds) {
		fmt.Fprintln(cmd.OutOrStdout(), line)
	}
	return err
}

func holdName(cmd *cobra.Command, o *runtime.Operation) {
	cmd.Flags().StringVar(&o.Name, "name", runtime.StandardHold, "of the hold, such as the number of a case")
}

// activities are the commands that do something to one activity of an execution.
func activities(s *site) *cobra.Command {
	cmd := &cobra.Command{
		Use: "activity", Short: "Complete, fail or retry one activity of an execution",
		Long:    `Complete, fail or retry one activity of an open execution. Its step is the number that clew why and clew show name.`,
		Example: `  clew activity complete order-17 3 '{"tracking":"p1"}'`,
		Args:    below, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	step := func(o *runtime.Operation, args []string) (err error) {
		if o.Step, err = strconv.ParseUint(args[0], 10, 64); err != nil || o.Step == 0 {
			return &commands.Invalid{Field: "the step", Value: args[0], Want: "a number from 1, as clew why names it"}
		}
		return nil
	}
	for _, a := range []act{
		{use: "complete ID STEP RESULT", do: "complete-activity", done: "has the result", short: "Give an activity its result by hand", like: `clew activity complete order-17 3 '{"tracking":"p1"}'`,
			long: `Settle an activity by hand: the code is told the result as if the activity had returned it. An attempt that is
under way is cancelled.`,
			more: named, take: func(o *runtime.Operation, args []string) error {
				o.Result = valueOf(args[1])
				return step(o, args)
			}},
		{use: "fail ID STEP MESSAGE", do: "fail-activity", done: "is told that it failed", short: "Let an activity fail by hand", like: `clew activity fail order-17 3 'the parcel is lost'`,
			long: `Settle an activity by hand: the code is told that it failed, and no further attempt is made. An attempt that is
under way is cancelled.`,
			more: named, take: func(o *runtime.Operation, args []string) error {
				o.Failure = args[1]
				return step(o, args)
			}},
		{use: "retry ID STEP", do: "retry-activity", done: "is tried at once", short: "Make the next attempt of an activity at once", like: `clew activity retry order-17 3 --reset`,
			long: `Make the next attempt of an activity at once instead of after its delay. One that is under way is not disturbed.`,
			more: named, take: step, flags: func(cmd *cobra.Command, o *runtime.Operation) {
				cmd.Flags().BoolVar(&o.Reset, "reset", false, "with all its attempts and its limits from now")
			}},
	} {
		cmd.AddCommand(operation(s, a))
	}
	return cmd
}

func operation(s *site, a act) *cobra.Command {
	var o runtime.Operation
	var by, reason string
	if a.more == nil {
		a.more = oneID
	}
	elsewhere := ` If a process has the store open it is done there, else in
the store itself: whoever opens it next finds it.`
	if a.asks {
		elsewhere = ""
	}
	cmd := &cobra.Command{
		Use: a.use, Short: a.short, Example: "  " + a.like, Args: a.more,
		Long: a.long + "\n\nWho did it, and why, is recorded in the history." + elsewhere,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if o.Do = a.do; o.Do == "" {
				o.Do = cmd.Name()
			}
			if a.take != nil {
				if err := a.take(&o, args[1:]); err != nil {
					return &usageError{err, cmd}
				}
			}
			wish, err := json.Marshal(o)
			if err != nil {
				return err
			}
			if by == "" {
				if by, err = whoIAm(); err != nil {
					return err
				}
			}
			e, err := s.open(cmd)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, e.close()) }()
			if dir, _, _ := s.place(); a.asks && !e.served && !isServer(dir) {
				return fmt.Errorf("no process has the store open, and the code of %s has to be asked: start the program that has it first", args[0])
			}
			run, err := e.Operate(cmd.Context(), socket.Act{
				ID: e.id(args[0]), Operation: wish, Reason: reason, By: by, Request: uuid.Must(uuid.NewV7()).String(),
			})
			if err != nil {
				return err
			}
			done := args[0] + " " + a.done
			if a.do != "" && strings.HasSuffix(a.do, "-activity") {
				done = fmt.Sprintf("step %s of %s %s", args[1], args[0], a.done)
			}
			if run != "" {
				done += ", as run " + run
			}
			if _, err = fmt.Fprintln(cmd.OutOrStdout(), done); err != nil || a.after == nil {
				return err
			}
			return a.after(cmd, e, args[0])
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the history")
	cmd.Flags().StringVar(&by, "by", "", "who does it; default: the user of this process")
	if a.flags != nil {
		a.flags(cmd, &o)
	}
	return cmd
}

// members are what NAME=VALUE say; an empty value is null.
func members(what string, args []string) (map[string]json.RawMessage, error) {
	all := map[string]json.RawMessage{}
	for _, arg := range args {
		name, value, ok := strings.Cut(arg, "=")
		if !ok {
			return nil, &commands.Invalid{Field: what, Value: arg, Want: "name=value"}
		}
		if value == "" {
			value = "null"
		}
		all[name] = valueOf(value)
	}
	return all, nil
}

// valueOf is what was written if that is JSON, else the text.
func valueOf(written string) json.RawMessage {
	if json.Valid([]byte(written)) {
		return json.RawMessage(written)
	}
	text, _ := json.Marshal(written) // text always encodes
	return text
}

// valueVar defines a flag that holds a value.
func valueVar(cmd *cobra.Command, into *json.RawMessage, name, usage string) {
	cmd.Flags().Func(name, usage, func(written string) error {
		if !json.Valid([]byte(written)) {
			return errors.New("it is no JSON; text is in double quotes, as in '\"lamp\"'")
		}
		*into = json.RawMessage(written)
		return nil
	})
}

// whoIAm is the name of the user of this process.
func whoIAm() (string, error) {
	u, err := user.Current()
	if err != nil {
		return "", fmt.Errorf("finding out who does this: %w; say it with --by", err)
	}
	return u.Username, nil
}

// Operate is that of [socket.Executions]. It is named by its request, so it can be asked for again.
func (e *executions) Operate(ctx context.Context, act socket.Act) (run string, err error) {
	err = e.try(func() error {
		run, err = e.source.Operate(ctx, act)
		return err
	})
	return run, err
}

func (d direct) Operate(ctx context.Context, act socket.Act) (string, error) {
	if len(act.Policies) > 0 {
		opts := []runtime.CallOption{runtime.Reason(act.Reason), runtime.Operator(act.By), runtime.RequestID(act.Request)}
		if act.Pending {
			opts = append(opts, runtime.ApplyToPending())
		}
		_, err := d.rt.SetPolicies(ctx, act.Policies, opts...)
		return "", err
	}
	return d.rt.OperateJSON(ctx, act.ID.Workflow, act.Operation, runtime.Reason(act.Reason), runtime.Operator(act.By), runtime.RequestID(act.Request))
}
