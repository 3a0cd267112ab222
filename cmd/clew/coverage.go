package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/clewflow/clew/internal/coverage"
)

func coverageCommand() *cobra.Command {
	var threshold float64
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "coverage FILE…",
		Short: "Show what tests of workflows have not shown",
		Long: `Merge reports of tests and show, for each workflow, what can happen to it and was not seen in any test: an
activity that never failed, a case of a select that was never taken, an undo step that never ran. Each line
says what kind of test would show it. The workflow of which the least was seen comes first.

Tests write a report for each package into the directory that CLEW_COVERAGE names, which is an absolute path:

  CLEW_COVERAGE=$PWD/seen go test -count=1 ./...

A FILE may be such a directory. With --threshold the exit status is 1 if less was seen.`,
		Example: `  clew coverage seen
  clew coverage seen --threshold 80`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("a report is missing")
			}
			if threshold < 0 || threshold > 100 {
				return fmt.Errorf("--threshold is %v, want 0 to 100 percent", threshold)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return showCoverage(cmd.OutOrStdout(), args, threshold, asJSON)
		},
	}
	cmd.Flags().Float64Var(&threshold, "threshold", 0, "percent that is to be seen at least")
	cmd.Flags().BoolVar(&asJSON, "json", false, "write the merged report as JSON, with all that was seen")
	return cmd
}

func showCoverage(out io.Writer, names []string, threshold float64, asJSON bool) error {
	report, err := readReports(names)
	if err != nil {
		return err
	}
	if asJSON {
		w := json.NewEncoder(out)
		w.SetIndent("", "\t")
		err = w.Encode(report)
	} else {
		err = report.Text(out)
	}
	if share := report.Percent(); err == nil && share < threshold {
		return fmt.Errorf("%s is less than the threshold of %v%%", coverage.Percentage(share), threshold)
	}
	return err
}

// readReports reads files, and those of directories, into one report.
func readReports(names []string) (*coverage.Report, error) {
	all := new(coverage.Report)
	for _, name := range names {
		files := []string{name}
		stat, err := os.Stat(name)
		if err != nil {
			return nil, err
		}
		if stat.IsDir() {
			if files, err = fs.Glob(os.DirFS(name), "*.json"); err != nil {
				return nil, err
			}
			if len(files) == 0 {
				return nil, fmt.Errorf("there is no report in %s; CLEW_COVERAGE has tests write them, and go test -count=1 those that were run before", name)
			}
			for i, file := range files {
				files[i] = filepath.Join(name, file)
			}
		}
		slices.Sort(files)
		for _, file := range files {
			if err := readReport(all, file); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

func readReport(into *coverage.Report, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var one coverage.Report
	if err := json.Unmarshal(text, &one); err != nil {
		return fmt.Errorf("%s is no report of coverage: %w", file, err)
	}
	into.Merge(&one)
	return nil
}
