package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/socket"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
)

// erasures are the commands that take something away.
func erasures(s *site) []*cobra.Command { return []*cobra.Command{redact(s), remove(s), retention(s)} }

const recorded = `

Who did it, when and why, is recorded before it is done, in a stream of its own that clew verify reads and
clew export --all writes. What is interrupted is done by whoever opens the store next. On a server
(esdb://…) payloads are not redacted: encrypt them there, and destroy the key. A history is deleted there if nothing is
encrypted, and its bytes go with the next scavenge.`

// An eraser is who takes something away, and why.
type eraser struct{ by, reason string }

func (x *eraser) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&x.reason, "reason", "", "why, for the record")
	cmd.Flags().StringVar(&x.by, "by", "", "who does it; default: the user of this process")
}

// act is what somebody wants, by whom and why.
func (x *eraser) act(id history.ID, wish json.RawMessage) (act socket.Act, err error) {
	by := x.by
	if by == "" {
		by, err = whoIAm()
	}
	return socket.Act{ID: id, Operation: wish, Reason: x.reason, By: by, Request: uuid.Must(uuid.NewV7()).String()}, err
}

// erase does what a wish says.
func (x *eraser) erase(cmd *cobra.Command, s *site, id string, wish runtime.EraseWish) (done runtime.Erased, err error) {
	e, err := s.open(cmd)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	text, err := json.Marshal(wish)
	if err != nil {
		return done, err
	}
	act, err := x.act(e.id(id), text)
	if err != nil {
		return done, err
	}
	var answer json.RawMessage
	err = e.try(func() (err error) {
		answer, err = e.source.Erase(cmd.Context(), act)
		return err
	})
	if err == nil {
		err = json.Unmarshal(answer, &done)
	}
	return done, err
}

func (d direct) Erase(ctx context.Context, act socket.Act) (json.RawMessage, error) {
	var wish runtime.EraseWish
	if err := json.Unmarshal(act.Operation, &wish); err != nil {
		return nil, err
	}
	done, err := d.rt.Erase(ctx, act.ID.Workflow, wish, runtime.Reason(act.Reason), runtime.Operator(act.By), runtime.RequestID(act.Request))
	if err != nil {
		return nil, err
	}
	return json.Marshal(done)
}

func (d direct) Acts(ctx context.Context, namespace string, question json.RawMessage) (json.RawMessage, error) {
	return d.rt.ActsJSON(ctx, namespace, question)
}

func redact(s *site) *cobra.Command {
	x, wish := &eraser{}, runtime.EraseWish{Do: "redact"}
	all := false
	cmd := &cobra.Command{
		Use:   "redact ID --entry N | --all",
		Short: "Take the bytes of payloads away",
		Long: `Take the bytes of the payloads of an entry, or of all entries, away: from the log, from the index, and the
files in which they were kept. Their sums stay, so the history verifies as before. Code that needs one of the
values stalls and says that it was redacted.` + recorded,
		Example: `  clew redact order-17 --entry 1 --field input --reason 'ticket 4711'
  clew redact order-17 --all`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch err := oneID(cmd, args); {
			case err != nil:
				return err
			case all == (wish.Payloads.Entry > 0):
				return errors.New("say which payloads are meant: those of an entry, with --entry, or with --all those of every entry")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			done, err := x.erase(cmd, s, args[0], wish)
			if err != nil {
				return err
			}
			return gone(cmd.OutOrStdout(), args[0], count(done.Payloads, "payload is", "payloads are")+" gone", done.Erasure)
		},
	}
	cmd.Flags().Uint64Var(&wish.Payloads.Entry, "entry", 0, "number of the entry, see clew show")
	cmd.Flags().StringVar(&wish.Payloads.Field, "field", "", "which payload, such as input or result; default: all")
	cmd.Flags().BoolVar(&all, "all", false, "those of every entry")
	x.flags(cmd)
	return cmd
}

func remove(s *site) *cobra.Command {
	x := &eraser{}
	cmd := &cobra.Command{
		Use:   "delete ID",
		Short: "Remove a closed execution",
		Long: `Remove a closed execution: its history with all its runs, the files in which its payloads were kept, its key
if they are encrypted, and its rows in the index. One that is open is refused, and one whose parent or
children still have to do with it. The id may be used again; its history then begins anew.` + recorded,
		Example: `  clew delete order-17 --reason 'ticket 4711'`,
		Args:    oneID,
		RunE: func(cmd *cobra.Command, args []string) error {
			done, err := x.erase(cmd, s, args[0], runtime.EraseWish{Do: "delete"})
			if err != nil {
				return err
			}
			return gone(cmd.OutOrStdout(), args[0], count(done.Entries, "entry is", "entries are")+" gone", done.Erasure)
		},
	}
	x.flags(cmd)
	return cmd
}

func gone(w io.Writer, id, what string, e runtime.Erasure) error {
	text := fmt.Sprintf("%s: %s", plain(id), what)
	if e.Files > 0 {
		text += ", and " + count(e.Files, "file", "files")
	}
	if e.Later > 0 {
		text += "; " + count(e.Later, "file was", "files were") + " written a moment ago and will go when a process opens the store a minute later, or has it open"
	}
	_, err := fmt.Fprintln(w, text)
	return err
}

func retention(s *site) *cobra.Command {
	x, first := &eraser{}, exportFirst{}
	var rules []string
	apply := false
	cmd := &cobra.Command{
		Use:   "retention --rule RULE… [--apply]",
		Short: "Remove what is kept no longer",
		Long: `Say which closed executions, and which older runs of executions that go on, are kept no longer according to
rules; with --apply remove them. A rule is words name=value with commas between:

  type     of the workflow; none: every type
  status   with which the run ended, several with "|" between; none: any
  age      since it ended, such as 90d or 12h; none: it is kept for ever
  export   first: what is removed is exported before, by the process that has the store open, which must know where
           to (runtime.Config.Archive); what cannot be is kept
  name     is recorded with what the rule removes

Of several rules the first decides that is about a run; one that none is about is kept for ever. A run is kept
too while a later one that is kept refers to it, and an execution while its parent or a child of it still has
to do with it, or while it is held. With --export all of them are written to an archive first, see clew export;
only when that is on the disk they are removed. With clew retention set the rules are laid down, and what they say is done by
itself from then on.` + recorded,
		Example: `  clew retention --rule type=order,status=failed --rule type=order,age=90d
  clew retention --rule status=completed,age=30d,name=month --apply
  clew retention --rule status=completed,age=30d --apply --export gone.clew`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(rules) == 0 && len(args) == 0 {
				return errors.New("--rule is missing, want at least one such as --rule type=order,age=90d")
			}
			if err := first.check(apply); err != nil {
				return err
			}
			return below(cmd, args)
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			wish := runtime.EraseWish{Do: "retain", Dry: !apply}
			for _, text := range rules {
				rule, err := retentionRule(text)
				if err != nil {
					return &usageError{err, cmd}
				}
				wish.Rules = append(wish.Rules, rule)
			}
			if first.file != "" {
				return first.retain(cmd, s, x, wish)
			}
			done, err := x.erase(cmd, s, "all", wish)
			if err != nil {
				return err
			}
			hintRules(cmd, s, wish.Rules, done.Expired)
			return expired(cmd.OutOrStdout(), done.Expired, apply)
		},
	}
	cmd.Flags().StringArrayVar(&rules, "rule", nil, "a rule; several are asked in their order")
	cmd.Flags().BoolVar(&apply, "apply", false, "remove what is listed")
	first.flags(cmd)
	s.sealed.flags(cmd)
	x.flags(cmd)
	cmd.AddCommand(retentions(s)...)
	return cmd
}

// retentionRule reads a rule.
func retentionRule(text string) (rule runtime.RetentionRule, err error) {
	for _, word := range strings.Split(text, ",") {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "type":
			rule.Type = value
		case "name":
			rule.Name = value
		case "export":
			if rule.Export = value == "first"; !rule.Export {
				err = fmt.Errorf("export is %q, want first", value)
			}
		case "age":
			rule.Age, err = ageOf(value)
		case "status":
			for _, one := range strings.Split(value, "|") {
				status, known := history.ParseStatus(one)
				if !known || status&^query.Closed != 0 {
					err = fmt.Errorf("%q is no end of a run, want completed, failed, cancelled, terminated, timed-out or continued", one)
				}
				rule.Status |= status
			}
		default:
			err = fmt.Errorf("there is no %q, want type, status, age, export or name", name)
		}
		if err != nil {
			return rule, fmt.Errorf("--rule %q: %w", text, err)
		}
	}
	return rule, nil
}

func ageOf(text string) (time.Duration, error) {
	age, err := parseDuration(text)
	if err == nil && age <= 0 {
		err = fmt.Errorf("the age is %s, want more than 0; leave it out for ever", text)
	}
	return age, err
}

// expired lists what is kept no longer.
func expired(w io.Writer, all []runtime.Expired, removed bool) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	runs, entries := 0, 0
	for i, x := range all {
		if i == 0 {
			fmt.Fprintln(out, "ID\tTYPE\tSTATUS\tENDED\tRUNS\tENTRIES\tRULE")
		}
		what := fmt.Sprint(x.Runs)
		if !x.Whole {
			what += " older"
		}
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%d\t%s\n", plain(x.ID), plain(x.Type), x.Status, second(x.Closed), what, x.Entries, plain(x.Rule))
		runs, entries = runs+x.Runs, entries+x.Entries
	}
	if err := out.Flush(); err != nil {
		return err
	}
	verb := "would be removed; give --apply to do so"
	if removed {
		verb = "removed"
	}
	whole := len(slices.DeleteFunc(slices.Clone(all), func(x runtime.Expired) bool { return !x.Whole }))
	_, err := fmt.Fprintf(w, "%s in %s of %s, %d of them whole: %s\n", count(entries, "entry", "entries"), count(runs, "run", "runs"),
		count(len(all), "execution", "executions"), whole, verb)
	return err
}
