package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/socket"
)

// A document is all policies of a namespace as a file: each rule in the words of clew policy set. What is not in it is not laid down.
type document struct {
	Policies []documented `json:"policies"`
}

type documented struct {
	Of     string `json:"of"`
	Name   string `json:"name,omitempty"`
	Policy string `json:"policy"`
}

func policyExport(s *site) *cobra.Command {
	return &cobra.Command{
		Use: "export", Short: "Write the policies in force as a document", Example: "  clew policy export > policies.json", Args: noArgs,
		Long: `Write the policies in force as a document in JSON, which clew policy apply reads.`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			e, err := s.open(cmd)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, e.close()) }()
			p, err := policiesOf(cmd.Context(), e, func(history.Entry, *history.PolicySet) error { return nil })
			if err != nil {
				return err
			}
			d := document{Policies: []documented{}}
			for _, of := range p.Subjects() {
				d.Policies = append(d.Policies, documented{of.Of, of.Name, p.Rules[of].Rule.String()})
			}
			out := json.NewEncoder(cmd.OutOrStdout())
			out.SetIndent("", "  ")
			return out.Encode(d)
		},
	}
}

func policyApply(s *site) *cobra.Command {
	var act socket.Act
	var dry bool
	cmd := &cobra.Command{
		Use: "apply FILE", Short: "Lay a whole document of policies down", Example: "  clew policy apply policies.json --dry-run",
		Long: `Lay down what a document says that clew policy export has written, or somebody by hand, and take back what it
does not name: all of it, or nothing if a word of it is wrong. What changes is shown; with --dry-run it is
shown and not done. "-" reads from the standard input.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New(`want one file, or "-"`)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			wanted, err := readDocument(cmd, args[0])
			if err != nil {
				return err
			}
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
			p, err := policiesOf(cmd.Context(), e, func(history.Entry, *history.PolicySet) error { return nil })
			if err != nil {
				return err
			}
			changes := wanted
			for _, of := range p.Subjects() {
				if !names(wanted, of) {
					changes = append(changes, commands.PolicyChange{Subject: of})
				}
			}
			events, err := commands.SetPolicies(p, changes, act.Reason)
			if err != nil {
				return err
			}
			if err := showChanges(cmd.OutOrStdout(), events); err != nil || dry || len(events) == 0 {
				return err
			}
			act.ID.Namespace, act.Request, act.Policies = e.namespace, uuid.Must(uuid.NewV7()).String(), changes
			if _, err := e.Operate(cmd.Context(), act); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "applied: version %d of the policies\n", p.Version+uint64(len(events)))
			return err
		},
	}
	whoAndWhy(cmd, &act)
	cmd.Flags().BoolVar(&dry, "dry-run", false, "show what would change, and change nothing")
	return cmd
}

// readDocument reads what a document lays down. All that is wrong with it is told at once.
func readDocument(cmd *cobra.Command, path string) (all []commands.PolicyChange, err error) {
	var text []byte
	if path == "-" {
		text, err = io.ReadAll(cmd.InOrStdin())
	} else {
		text, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the document: %w", err)
	}
	var d document
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return nil, &commands.Invalid{Field: path, Value: err.Error(), Want: "a document as clew policy export writes it"}
	}
	var errs []error
	for _, one := range d.Policies {
		rule, err := commands.ParseRule(strings.Fields(one.Policy)...)
		of := history.Subject{Of: one.Of, Name: one.Name}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", of, err))
		}
		all = append(all, commands.PolicyChange{Subject: of, Rule: rule})
	}
	return all, errors.Join(errs...)
}

func names(changes []commands.PolicyChange, of history.Subject) bool {
	for _, c := range changes {
		if c.Subject == of {
			return true
		}
	}
	return false
}

func showChanges(w io.Writer, events []history.Event) error {
	if len(events) == 0 {
		_, err := fmt.Fprintln(w, "nothing changes")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "OF\tNAME\tBEFORE\tAFTER")
	for _, event := range events {
		if set, ok := event.(*history.PolicySet); ok {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", set.Subject.Of, cmp.Or(plain(set.Subject.Name), "-"), set.Before, set.After)
		}
	}
	return t.Flush()
}
