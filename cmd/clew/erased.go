package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/runtime"
)

// erased prints what was taken away, by whom, when and why.
func erased(ctx context.Context, w io.Writer, e *executions) error {
	out, none := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0), true
	for entry, err := range e.History(ctx, history.AdminOf(e.namespace)) {
		if errors.Is(err, runtime.ErrNotFound) {
			break
		}
		if err != nil {
			return err
		}
		none = false
		fmt.Fprintf(out, "%d\t%s\t%s\t%s\n", entry.Seq, moment(entry.At), plain(string(entry.By)), toldErasure(entry.Event))
	}
	if none {
		_, err := fmt.Fprintln(w, "nothing was taken away, held or taken over")
		return err
	}
	return out.Flush()
}

// toldErasure says what an entry of the stream says that is about the record itself.
func toldErasure(event history.Event) string {
	switch v := event.(type) {
	case *history.Redacted:
		field := "the payloads"
		if v.Field != "" {
			field = "the payload " + plain(v.Field)
		}
		return fmt.Sprintf("%s of %s of %s redacted%s", field, stretch(v.From, v.To), plain(v.ID.Workflow), because(v.Reason))
	case *history.Deleted:
		text := fmt.Sprintf("%s of %s deleted (%s, workflow %s, %s; the last hash was %s)", stretch(v.From, v.To), plain(v.ID.Workflow), count(v.Runs, "run", "runs"), plain(v.Type), plain(v.Status), v.Hash)
		if v.Rule != "" {
			text += " by the rule " + plain(v.Rule)
		}
		return text + because(v.Reason)
	case *history.Held:
		return fmt.Sprintf("%s held as %s%s", plain(v.ID.Workflow), plain(v.Name), because(v.Reason))
	case *history.Released:
		return fmt.Sprintf("%s released from the hold %s%s", plain(v.ID.Workflow), plain(v.Name), because(v.Reason))
	case *history.Imported:
		text := fmt.Sprintf("entries 1 to %d of %s taken over from an archive", v.To, plain(v.ID.Workflow))
		if v.From.Namespace != v.ID.Namespace {
			text += " of the namespace " + plain(v.From.Namespace)
		}
		if v.Undone != "" {
			return fmt.Sprintf("%s not taken over after all: %s", plain(v.ID.Workflow), plain(v.Undone))
		}
		return text + because(v.Reason)
	case *history.Disclosed:
		text := fmt.Sprintf("%s shown with its payloads (%s)", plain(v.ID.Workflow), plain(v.How))
		if v.Keys {
			text += " and their keys"
		}
		return text + because(v.Reason)
	case *history.Erased:
		return fmt.Sprintf("done: %v", v.Acts)
	}
	return event.Kind()
}

func stretch(from, to uint64) string {
	if from == to {
		return fmt.Sprintf("entry %d", from)
	}
	return fmt.Sprintf("entries %d to %d", from, to)
}
