package main

import (
	"context"
	"errors"
	"fmt"
	"os/user"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/clewflow/clew/internal/socket"
	"github.com/clewflow/clew/runtime"
)

// operations are the commands that do something to an execution.
func operations(s *site) []*cobra.Command {
	return []*cobra.Command{
		operation(s, runtime.PauseIt, "is paused", "Hold an execution", `Hold an execution. Attempts in hand go on and are recorded, no others are begun, and the code is told
nothing until clew unpause. Signals are kept, due timers wait unless --timers-on, time-outs go on.`),
		operation(s, runtime.UnpauseIt, "goes on", "Let a paused execution go on", `Let an execution go on that is paused: the code is told in order what has happened meanwhile. One that is
not paused stays as it is.`),
		operation(s, runtime.CancelIt, "is asked to end", "Ask an execution to end", `Tell the code of an execution that it is to end. It may clean up first, or go on. One that is paused is told
when it goes on.`),
		operation(s, runtime.TerminateIt, "is terminated", "Close an execution at once", `Close an execution at once. Its code is not asked, and its activities are cancelled.`),
	}
}

func operation(s *site, what runtime.Operation, done, short, long string) *cobra.Command {
	var act socket.Act
	cmd := &cobra.Command{
		Use:   string(what) + " ID",
		Short: short,
		Long: long + `

Who did it, and why, is recorded in the history. If a process has the store open it is done there, else in
the store itself: whoever opens it next finds it.`,
		Example: fmt.Sprintf("  clew %s order-17 --reason 'the bank is down'", what),
		Args:    oneID,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
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
			act.What, act.ID, act.Request = string(what), e.id(args[0]), uuid.Must(uuid.NewV7()).String()
			if err := e.Operate(cmd.Context(), act); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", args[0], done)
			return err
		},
	}
	cmd.Flags().StringVar(&act.Reason, "reason", "", "why, for the history")
	cmd.Flags().StringVar(&act.By, "by", "", "who does it; default: the user of this process")
	if what == runtime.PauseIt {
		cmd.Flags().BoolVar(&act.TimersOn, "timers-on", false, "let due timers fire all the same; the code is told of that later")
	}
	return cmd
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
func (e *executions) Operate(ctx context.Context, act socket.Act) error {
	return e.try(func() error { return e.source.Operate(ctx, act) })
}

func (d direct) Operate(ctx context.Context, act socket.Act) error {
	opts := []runtime.CallOption{runtime.Reason(act.Reason), runtime.Operator(act.By), runtime.RequestID(act.Request)}
	if act.TimersOn {
		opts = append(opts, runtime.TimersOn())
	}
	return d.rt.Operate(ctx, runtime.Operation(act.What), act.ID.Workflow, opts...)
}
