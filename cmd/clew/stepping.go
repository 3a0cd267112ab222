package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
)

func stepping(s *site) *cobra.Command {
	return &cobra.Command{
		Use:   "step ID",
		Short: "Step through a history, forward and back",
		Long: `Step through the history of an execution: each entry in words, and what it changed. An empty line steps
forward, b back, a number goes to that entry and says what has changed between, s says how the execution
stands, q ends.`,
		Example: "  clew step order-17\n  printf '5\\n9\\n' | clew step order-17",
		Args:    oneID,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			e, err := s.open(cmd)
			if err != nil {
				return err
			}
			var all []history.Entry
			for entry, err := range e.History(cmd.Context(), e.id(args[0])) {
				if err != nil {
					return errors.Join(err, e.close())
				}
				all = append(all, entry)
			}
			if err := e.close(); err != nil { // others may open it while somebody looks
				return err
			}
			return step(cmd.InOrStdin(), cmd.OutOrStdout(), all)
		},
	}
}

// step shows entries one after the other as lines of in say.
func step(in io.Reader, out io.Writer, all []history.Entry) error {
	t := newPrinter(io.Discard, false).teller
	texts := make([]string, len(all))
	for i, e := range all {
		texts[i] = t.tell(e)
	}
	show := func(from, to int) {
		for i := range all {
			if i == to {
				fmt.Fprintf(out, "%d of %d, %s: %s\n", all[to].Seq, len(all), moment(all[to].At), texts[to])
			}
		}
		for _, line := range changes(standAt(all, from), standAt(all, to)) {
			fmt.Fprintln(out, "  "+line)
		}
		if f, ok := out.(interface{ Flush() error }); ok {
			_ = f.Flush()
		}
	}
	at := 0
	show(-1, 0)
	for lines := bufio.NewScanner(in); lines.Scan(); {
		to := at
		switch word := strings.TrimSpace(lines.Text()); word {
		case "", "n":
			to = at + 1
		case "b", "p":
			to = at - 1
		case "q":
			return nil
		case "s":
			show(-1, at)
			continue
		default:
			n, err := strconv.ParseUint(word, 10, 64)
			i := slices.IndexFunc(all, func(e history.Entry) bool { return err == nil && e.Seq == n })
			if i < 0 {
				fmt.Fprintf(out, "%q is no entry, want a number from %d to %d, nothing for the next, b, s or q\n", word, all[0].Seq, all[len(all)-1].Seq)
				continue
			}
			to = i
		}
		switch {
		case to < 0:
			fmt.Fprintln(out, "that is the first entry")
		case to >= len(all):
			fmt.Fprintln(out, "that is the last entry")
		default:
			show(at, to)
			at = to
		}
	}
	return nil
}

// standAt is how an execution stands after the entry at a place, in lines by what they are about; -1: before the first.
func standAt(all []history.Entry, at int) map[string]string {
	stand := map[string]string{}
	if at < 0 {
		return stand
	}
	s := history.Fold(all[:at+1]...)
	stand["status"] = s.Status.String()
	stand["run"] = fmt.Sprint(s.Run.Number)
	for _, r := range s.Waiting() {
		name := "waits for " + plain(r.Why)
		if r.Step > 0 {
			name = fmt.Sprintf("step %d", r.Step)
		}
		stand[name] = plain(r.String())
	}
	for name, v := range query.AttributesOf(s.Attributes) {
		stand["attribute "+plain(name)] = plain(fmt.Sprint(v))
	}
	if !s.View.Absent() {
		stand["published"] = strings.TrimPrefix((&teller{}).payload(s.View), ": ")
	}
	return stand
}

// changes says what is different between two stands.
func changes(before, after map[string]string) (lines []string) {
	names := maps.Clone(before)
	maps.Copy(names, after)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		was, had := before[name]
		is, has := after[name]
		switch {
		case !had:
			lines = append(lines, "+ "+line(name, is))
		case !has:
			lines = append(lines, "- "+line(name, was))
		case was != is:
			lines = append(lines, fmt.Sprintf("~ %s: %s → %s", name, was, is))
		}
	}
	return lines
}

func line(name, value string) string {
	if strings.HasPrefix(name, "waits for ") {
		return name
	}
	return name + ": " + value
}

// between prints what is different between two entries of a history, given as "3..7".
func between(out io.Writer, all []history.Entry, text string) error {
	from, to, ok := strings.Cut(text, "..")
	place := func(text string) int {
		n, err := strconv.ParseUint(text, 10, 64)
		return slices.IndexFunc(all, func(e history.Entry) bool { return err == nil && e.Seq == n })
	}
	a, b := place(from), place(to)
	if !ok || a < 0 || b < 0 {
		return fmt.Errorf("--between is %q, want the numbers of two entries, such as 3..7, from %d to %d", text, all[0].Seq, all[len(all)-1].Seq)
	}
	lines := changes(standAt(all, a), standAt(all, b))
	if len(lines) == 0 {
		lines = []string{"nothing is different"}
	}
	for _, one := range lines {
		if _, err := fmt.Fprintln(out, one); err != nil {
			return err
		}
	}
	return nil
}
