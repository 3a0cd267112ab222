package clew_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestTheCodeInTheReadmeIsRun: each block of Go there stands, word for word, in the examples of this package.
func TestTheCodeInTheReadmeIsRun(t *testing.T) {
	readme, examples := read(t, "README.md"), read(t, "example_test.go")
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(readme, -1)
	if len(blocks) == 0 {
		t.Fatal("there is no Go in README.md")
	}
	for _, block := range blocks {
		if !strings.Contains(examples, block[1]) {
			t.Errorf("this is in README.md and not in example_test.go:\n%s", block[1])
		}
	}
}

// TestTheReadmeNamesEveryExample: and links to nothing that is not there.
func TestTheReadmeNamesEveryExample(t *testing.T) {
	readme := read(t, "README.md")
	found, err := os.ReadDir("examples")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range found {
		if !strings.Contains(readme, "(examples/"+dir.Name()+")") {
			t.Errorf("README.md does not name examples/%s", dir.Name())
		}
	}
	for _, link := range regexp.MustCompile(`\]\(([^):]+)\)`).FindAllStringSubmatch(readme, -1) {
		if _, err := os.Stat(link[1]); err != nil {
			t.Errorf("README.md links to %s: %v", link[1], err)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}
