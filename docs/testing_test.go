// Package docs_test holds the page about testing against code that is compiled and tests that were run.
package docs_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const page = "testing.md"

var update = flag.Bool("update", false, "write on the page what its tests print today")

// TestTheCodeOnThePageIsCompiled: each block of Go there stands in a Go file of this repository, but for its indentation.
func TestTheCodeOnThePageIsCompiled(t *testing.T) {
	var sources []string
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(file) == ".go" {
			sources = append(sources, flush(read(t, file)))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, least := range map[string]int{page: 8, "finding.md": 3, "projections.md": 2} {
		blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(read(t, name), -1)
		if len(blocks) < least {
			t.Errorf("there are %d blocks of Go on the page %s", len(blocks), name)
		}
		for _, block := range blocks {
			if !slices.ContainsFunc(sources, func(source string) bool { return strings.Contains(source, flush(block[1])) }) {
				t.Errorf("this is on the page %s and in no Go file:\n%s", name, block[1])
			}
		}
	}
}

// TestWhatThePageShowsWasPrinted: below each command that runs a test stands what that test prints.
func TestWhatThePageShowsWasPrinted(t *testing.T) {
	printed := printedBy(t, "./testdata/testing")
	text := read(t, page)
	shown := regexp.MustCompile("(?s)```\n\\$ go test -run (\\w+)\n(.*?)```")
	if n := len(shown.FindAllString(text, -1)); n < 4 {
		t.Fatalf("the page shows what %d tests print", n)
	}
	now := shown.ReplaceAllStringFunc(text, func(block string) string {
		name := shown.FindStringSubmatch(block)[1]
		if printed[name] == "" {
			t.Errorf("%s is on the page and prints nothing", name)
		}
		return "```\n$ go test -run " + name + "\n" + printed[name] + "```"
	})
	switch {
	case now == text:
	case *update:
		if err := os.WriteFile(page, []byte(now), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("the tests print something else than the page shows; go test ./docs -update writes it there. This is the page as it would be:\n%s", now)
	}
}

func TestThePageLinksToWhatIsThere(t *testing.T) {
	for _, link := range regexp.MustCompile(`\]\(([^):#]+)[^)]*\)`).FindAllStringSubmatch(read(t, page), -1) {
		if _, err := os.Stat(link[1]); err != nil {
			t.Errorf("the page links to %s: %v", link[1], err)
		}
	}
}

// printedBy runs the tests of a package and returns what each of them prints.
func printedBy(t *testing.T, dir string) map[string]string {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-json", dir)
	command.Env = append(os.Environ(), "CLEW_COVERAGE=") // they cover nothing
	out, err := command.Output()
	if len(out) == 0 {
		t.Fatal(err) // else some fail, as they are to
	}
	all := map[string]string{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var line struct{ Action, Test, Output string }
		if err := d.Decode(&line); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(line.Output, "=== ") || strings.HasPrefix(line.Output, "--- ") {
			continue
		}
		text := strings.TrimPrefix(strings.ReplaceAll(line.Output, root+string(filepath.Separator), ""), "    ")
		if strings.TrimSpace(text) == "" {
			text = "\n"
		}
		all[line.Test] += text
	}
	for name, text := range all {
		all[name] = strings.Trim(text, "\n") + "\n"
	}
	return all
}

// flush is a text without the indentation of its lines.
func flush(text string) string { return regexp.MustCompile(`(?m)^[\t ]+`).ReplaceAllString(text, "") }

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}
