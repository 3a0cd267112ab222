package workflowtest_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// coveredTests builds the tests of testdata/covered, and returns what runs them and says what they return.
func coveredTests(t *testing.T) func(env string, args ...string) (code int, output string) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "covered.test.exe")
	if out, err := exec.CommandContext(t.Context(), "go", "test", "-c", "-o", program, "./testdata/covered").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return func(env string, args ...string) (int, string) {
		c := exec.CommandContext(t.Context(), program, args...)
		c.Dir, c.Env = "testdata/covered", append(os.Environ(), "CLEW_COVERAGE="+env)
		out, err := c.CombinedOutput()
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return c.ProcessState.ExitCode(), string(out)
	}
}

func TestCoverage(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds a program")
	}
	run := coveredTests(t)
	t.Run("less than the threshold fails the package and says what is missing", func(t *testing.T) {
		code, out := run("")
		if code != 1 || !strings.Contains(out, "FAIL: 43% is less than the 70% that TestMain asks for") {
			t.Errorf("exit status %d", code)
		}
		report, _, _ := strings.Cut(strings.TrimPrefix(out, "PASS\n"), "\nFAIL:")
		same(t, "testdata/covered/report.txt", []byte(report))
	})
	t.Run("nothing is asked of some of the tests", func(t *testing.T) {
		if code, out := run("", "-test.run", "Bought"); code != 0 {
			t.Errorf("exit status %d\n%s", code, out)
		}
	})
	t.Run("a directory that is another one for each package is refused", func(t *testing.T) {
		if code, out := run("here", "-test.run", "Bought"); code != 1 || !strings.Contains(out, `CLEW_COVERAGE is "here", want an absolute path`) {
			t.Errorf("exit status %d\n%s", code, out)
		}
	})
	t.Run("the report of a package is a file, the same in whichever order its tests run", func(t *testing.T) {
		var before []byte
		for _, shuffle := range []string{"off", "1", "2"} {
			dir := t.TempDir()
			run(dir, "-test.shuffle", shuffle)
			files, err := os.ReadDir(dir)
			if err != nil || len(files) != 1 || files[0].Name() != "github.com-clewflow-clew-workflowtest-testdata-covered.json" {
				t.Fatalf("%v, %v", files, err)
			}
			report, err := os.ReadFile(filepath.Join(dir, files[0].Name()))
			if err != nil {
				t.Fatal(err)
			}
			if before != nil && !bytes.Equal(before, report) {
				t.Errorf("before\n%s\nnow\n%s", before, report)
			}
			before = report
		}
	})
}

// same compares with a golden file, or writes it.
func same(t *testing.T, file string, got []byte) {
	t.Helper()
	if updating() {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func updating() bool { return flag.Lookup("update").Value.String() == "true" }
