package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/system"
)

// nodes lists who works on a store that several processes share.
func nodes(s *site) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "nodes",
		Short: "List the nodes that share a store",
		Long: `List the processes that work on a store which is a server: when each said last that it lives, the position of
the log up to which it has acted on who joined and who went, how many open executions fall to it, and what
it can do. A node that says nothing for its lease (4 s by default) is buried by the others and vanishes from
the list.`,
		Example: "  clew nodes --dir esdb://admin:changeit@db:2113\n  CLEW_STORE=esdb://… clew nodes --json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			e, err := s.open(cmd)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, e.close()) }()
			d, ok := e.source.(direct)
			if !ok {
				return errors.New("the store is a directory, which is for one process; nodes share a server, as in --dir esdb://host:2113")
			}
			all, at, err := d.rt.Nodes(cmd.Context())
			if err != nil {
				return err
			}
			if at == "" {
				return errors.New("the store is a directory, which is for one process; nodes share a server, as in --dir esdb://host:2113")
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(all)
			}
			return printNodes(cmd, all, at)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}

func printNodes(cmd *cobra.Command, all []runtime.Node, at string) error {
	if len(all) == 0 {
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "no node works on this namespace (the log ends at position %s)\n", at)
		return err
	}
	t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tID\tSAID\tACTED UP TO\tOPEN\tTYPES\tACTIVITIES\tBUILD")
	for _, n := range all {
		name := n.Name
		if n.Leaving {
			name += " (leaves)"
		}
		fmt.Fprintf(t, "%s\t%s\t%s ago\t%s\t%d\t%d\t%d\t%s\n", name, n.ID, n.Silent.Round(100*time.Millisecond), n.Applied, n.Executions, theirs(n.Types), theirs(n.Activities), n.Build)
	}
	fmt.Fprintf(t, "\nthe log ends at position %s\n", at)
	return t.Flush()
}

// theirs is how many names are not of what clew ships.
func theirs(names []string) (n int) {
	for _, name := range names {
		if !strings.HasPrefix(name, system.Prefix) {
			n++
		}
	}
	return n
}
