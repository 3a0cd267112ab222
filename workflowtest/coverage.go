package workflowtest

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/coverage"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/workflow"
)

// coverageDir is the environment variable that names the directory of reports.
const coverageDir = "CLEW_COVERAGE"

// covered is what the tests of this program have seen.
var covered struct {
	sync.Mutex
	wanted bool // by Main
	report coverage.Report
}

// cover takes note of what histories show to have been tested, if anybody wants to know. Runs for which there is no code are
// none of the author's.
func cover(codes replay.Codes, histories ...[]history.Entry) {
	covered.Lock()
	defer covered.Unlock()
	if os.Getenv(coverageDir) == "" && !covered.wanted {
		return
	}
	for _, entries := range histories {
		for rest := entries; len(rest) > 0; {
			run := replay.FirstRun(rest)
			rest = rest[len(run):]
			coverRun(codes, entries, run)
		}
	}
}

// coverBound takes note of the versions of workflows that there are, if anybody wants to know.
func coverBound(definitions []workflow.Definition) {
	covered.Lock()
	defer covered.Unlock()
	if os.Getenv(coverageDir) == "" && !covered.wanted {
		return
	}
	for _, d := range definitions {
		if b, ok := workflow.BodyOf(d); ok && b.Code != nil {
			covered.report.Bound(b.Name, b.Settings.Version)
		}
	}
}

// coverWritten writes down what was covered, if anybody wants to know.
func coverWritten(t *testing.T) {
	t.Helper()
	dir := os.Getenv(coverageDir)
	if dir == "" {
		return
	}
	covered.Lock()
	defer covered.Unlock()
	if err := writeCoverage(dir); err != nil {
		t.Errorf("the report of what was covered cannot be written: %v", err)
	}
}

func coverRun(codes replay.Codes, entries, run []history.Entry) {
	c, err := replay.ConfigOf(replay.Config{}, entries, run)
	if err != nil {
		return // what is wrong with the history is not for this to say
	}
	started := run[0].Event.(*history.Started)
	if c.Code = codes(started.Type, history.VersionOf(run)); c.Code == nil {
		return
	}
	covered.report.Add(run, func(watch func(workflow.Sight)) {
		c.Watch = watch
		if m, _ := replay.Remember(c, run); m != nil {
			m.Stop()
		}
	})
}

// coverQuery takes note that a query was asked.
func coverQuery(workflow, query string) {
	covered.Lock()
	defer covered.Unlock()
	if covered.wanted || os.Getenv(coverageDir) != "" {
		covered.report.Asked(workflow, query)
	}
}

// writeCoverage writes the report of this program. Each package has a file of its own.
func writeCoverage(dir string) error {
	if !filepath.IsAbs(dir) {
		return fmt.Errorf("%s is %q, want an absolute path: the tests of each package run in a directory of their own", coverageDir, dir)
	}
	text, err := json.MarshalIndent(&covered.report, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	file := filepath.Join(dir, strings.ReplaceAll(program(), "/", "-")+".json")
	if err := os.WriteFile(file+".new", append(text, '\n'), 0o666); err != nil {
		return err
	}
	return os.Rename(file+".new", file) // whoever reads it meanwhile reads a whole report
}

// program is the package whose tests these are.
func program() string {
	if b, ok := debug.ReadBuildInfo(); ok {
		return cmp.Or(strings.TrimSuffix(b.Path, ".test"), "tests")
	}
	return "tests"
}

// Main runs the tests of a package, and fails if they have shown less than so many percent of what can happen to its
// workflows; then it says what they have not. It is for TestMain:
//
//	func TestMain(m *testing.M) { workflowtest.Main(m, 80) }
//
// What counts, and how reports of several packages are had, is said in docs/coverage.md. When only some of the tests are run
// nothing is asked of them. Main does not return.
func Main(m *testing.M, percent float64) {
	covered.Lock()
	covered.wanted = true
	covered.Unlock()
	os.Exit(verdict(m.Run(), percent, partial(), os.Stdout))
}

// verdict is what the program returns after tests that returned code.
func verdict(code int, percent float64, partial bool, out io.Writer) int {
	covered.Lock()
	defer covered.Unlock()
	share := covered.report.Percent()
	if code != 0 || partial || share >= percent {
		return code
	}
	_ = covered.report.Text(out) // the exit status says it too
	fmt.Fprintf(out, "\nFAIL: %s is less than the %v%% that TestMain asks for\n", coverage.Percentage(share), percent)
	return 1
}

// partial reports whether some of the tests are left out.
func partial() bool {
	return slices.ContainsFunc([]string{"test.run", "test.skip", "test.list", "test.short"}, func(name string) bool {
		f := flag.Lookup(name)
		return f != nil && f.Value.String() != f.DefValue
	})
}
