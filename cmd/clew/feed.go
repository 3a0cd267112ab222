package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/clewflow/clew/internal/socket"
)

// feedAgain is when a process is asked again that was there and has ended.
var feedAgain = time.Second

func feed(s *site) *cobra.Command {
	var after uint64
	var goOn bool
	cmd := &cobra.Command{
		Use:   "feed",
		Short: "Print the rows of the runs that have changed since a position",
		Long: `Print the rows of the runs that have changed behind a position of the log, a line of JSON for each, for an
outside system that is to have what clew find finds. Each line has the position to go on from. Each change is told at
least once, as the run stands when it is told: a row replaces the one before of the same namespace, id and run. Of an
execution that was deleted there is a line with "gone".

Without --follow it ends at what was recorded when it began. With it, it goes on, while a process has the store open.`,
		Example: "  clew feed > runs.jsonl\n  clew feed --after 48217 --follow | load-into-warehouse",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			e, err := s.open(cmd)
			if err != nil {
				return err
			}
			defer func() { _ = e.close() }()
			if goOn && !e.served {
				return errors.New("no process has the store open, so nothing changes; feed it without --follow, or start the process first")
			}
			lines := json.NewEncoder(cmd.OutOrStdout())
			for {
				for changed, failed := range e.source.Feed(cmd.Context(), e.namespace, after, goOn) {
					if err = failed; err == nil {
						err = lines.Encode(changed)
					}
					if err != nil {
						break
					}
					if after = changed.Position; goOn {
						if f, ok := cmd.OutOrStdout().(interface{ Flush() error }); ok {
							err = f.Flush()
						}
					}
				}
				if !errors.Is(err, socket.ErrInterrupted) {
					return err
				}
				if err = again(cmd.Context(), e); err != nil {
					return fmt.Errorf("going on at position %d: %w", after, err)
				}
			}
		},
	}
	cmd.Flags().Uint64Var(&after, "after", 0, "position of the last line that was taken; default: from the beginning")
	cmd.Flags().BoolVar(&goOn, "follow", false, "go on with what changes")
	return cmd
}

// again finds the process that has the store open now.
func again(ctx context.Context, e *executions) error {
	select {
	case <-time.After(feedAgain):
	case <-ctx.Done():
		return ctx.Err()
	}
	next, err := e.reopen()
	if err != nil {
		return err
	}
	_ = e.close() // of a connection with nobody
	*e = *next
	return nil
}
