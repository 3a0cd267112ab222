package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clewflow/clew/query"
)

// mostLooked is how many runs a dry run looks at one by one.
const mostLooked = 10_000

// dryRun says what a batch would do.
func dryRun(cmd *cobra.Command, e *executions, q query.Query, name string) error {
	q.Namespace = e.of(q)
	groups, err := e.Group(cmd.Context(), q, "type", "status")
	if err != nil {
		return err
	}
	total := 0
	for _, g := range groups.Groups {
		total += g.Count
		fmt.Fprintf(cmd.OutOrStdout(), "%6d  %v, %v\n", g.Count, g.Keys[0], g.Keys[1])
	}
	if total > mostLooked {
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "clew %s would be done to the executions of which these %d runs are the current ones; nothing was done\n", name, total)
		return err
	}
	ids, older, err := e.current(cmd.Context(), q)
	if err != nil {
		return err
	}
	text := ""
	if len(ids) > 0 {
		text = ", the first of " + strings.Join(ids[:min(10, len(ids))], ", ")
	}
	if older > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "of these, %s not the current one of the execution and left alone\n", count(older, "run is", "runs are"))
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "clew %s would be done to %s%s; nothing was done\n", name, count(len(ids), "execution", "executions"), text)
	return err
}

// current are the executions whose current run a query finds, the newest first, and how many runs it finds besides.
func (e *executions) current(ctx context.Context, q query.Query) (ids []string, older int, err error) {
	var found []query.Row
	for row, err := range e.find(ctx, q, 0) {
		if err != nil {
			return nil, 0, err
		}
		found = append(found, row)
	}
	newest := map[string]uint64{} // where the current run of each begins
	for chunk := range slices.Chunk(found, 100) {
		var all []string
		for _, row := range chunk {
			all = append(all, row.ID)
		}
		of := query.Where(query.Query{Order: "id"}, query.Runs.ID.In(all...))
		for row, err := range e.find(ctx, of, 0) {
			if err != nil {
				return nil, 0, err
			}
			newest[row.Namespace+" "+row.ID] = max(newest[row.Namespace+" "+row.ID], row.Began)
		}
	}
	for _, row := range found {
		if row.Began < newest[row.Namespace+" "+row.ID] {
			older++
			continue
		}
		ids = append(ids, row.ID)
	}
	return ids, older, nil
}
