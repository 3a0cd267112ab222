package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clewflow/clew/internal/bench"
)

// benchCommand measures clew on this disk, beside what the disk can do.
func benchCommand() *cobra.Command {
	var c bench.Config
	var asJSON bool
	names := make([]string, 0, len(bench.All))
	var list strings.Builder
	for _, b := range bench.All {
		names = append(names, b.Name)
		fmt.Fprintf(&list, "  %-9s %s\n", b.Name, b.What)
	}
	cmd := &cobra.Command{
		Use:   "bench " + strings.Join(names, "|"),
		Short: "Measure clew on this disk, beside what the disk can do",
		Long: "Measure clew on a real embedded store with synced writes.\n\n" + list.String() +
			"\nIn the same run a plain file is appended to with entries of the same size, from as many callers,\nwith group commit and fdatasync: the ratios hold clew against that.",
		Example:   "  clew bench noop --n 50000 --in-flight 1000\n  clew bench timers --n 10000 --json",
		ValidArgs: names,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) != 1:
				return fmt.Errorf("one bench is wanted, not %d: %s", len(args), strings.Join(names, ", "))
			case !slices.Contains(names, args[0]):
				return fmt.Errorf("there is no bench %q, want one of %s", args[0], strings.Join(names, ", "))
			case c.N < 0, c.InFlight < 0:
				return errors.New("--n and --in-flight want 1 or more, or 0")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, b := range bench.All {
				if b.Name != args[0] {
					continue
				}
				c.Progress = cmd.ErrOrStderr()
				r, err := b.Run(cmd.Context(), c)
				if err != nil {
					return err
				}
				if asJSON {
					return json.NewEncoder(cmd.OutOrStdout()).Encode(r)
				}
				return printReport(cmd.OutOrStdout(), r)
			}
			return nil
		},
	}
	cmd.Flags().IntVar(&c.N, "n", 0, "how many workflows, timers, executions or steps; 0: the bench's default")
	cmd.Flags().IntVar(&c.InFlight, "in-flight", 0, "how many at once; 0: 100")
	cmd.Flags().StringVar(&c.Dir, "dir", "", "where to make the store, which is removed afterwards; default: the directory for temporary files")
	cmd.Flags().StringVar(&c.Store, "store", "", "measure on a server instead: esdb://…; what is written stays there, in a namespace of its own")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

func printReport(w io.Writer, r bench.Report) error {
	var err error
	line := func(name, format string, v float64) {
		if v != 0 && err == nil {
			_, err = fmt.Fprintf(w, "%-28s "+format+"\n", name, v)
		}
	}
	line("workflows a second", "%.0f", r.WorkflowsPerSecond)
	line("activities a second", "%.0f", r.ActivitiesPerSecond)
	line("p50", "%.0f µs", r.P50)
	line("p99", "%.0f µs", r.P99)
	line("processor, per workflow", "%.1f µs", r.CPUPerWorkflow)
	line("appends, per workflow", "%.2f", r.AppendsPerWorkflow)
	line("syncs, per workflow", "%.4f", r.FsyncsPerWorkflow)
	line("bytes, per workflow", "%.0f", r.BytesPerWorkflow)
	line("entries a second", "%.0f", r.EntriesPerSecond)
	line("late, p50", "%.0f µs", r.LateP50)
	line("late, p99", "%.0f µs", r.LateP99)
	line("late, most", "%.0f µs", r.LateMax)
	line("memory, per execution", "%.0f bytes", r.MemoryPerExecution)
	line("disk, per execution", "%.0f bytes", r.DiskPerExecution)
	line("ready after", "%.0f ms", r.Ready)
	line("memory of the process", "%.0f MiB", r.RSS)
	if r.Raw != nil {
		line("plain file, appends a second", "%.0f", r.Raw.AppendsPerSecond)
		line("plain file, p50", "%.0f µs", r.Raw.P50)
		line("throughput, share of that", "%.3f", r.Ratio.Throughput)
		line("latency, times that", "%.2f", r.Ratio.Latency)
	}
	return err
}
