//go:build mutants

package sim_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	only   = flag.String("mutant", "", "the one that is tried; empty: all")
	sample = flag.Int("sample", 0, "how many are tried, others each day; 0: all")
	most   = flag.Int("most", 2000, "how many worlds a mutant may survive")
)

// TestMutants plants one bug after the other in a copy of the code and runs worlds until one of them is wrong.
func TestMutants(t *testing.T) {
	dir := t.TempDir()
	t.Run("none", func(t *testing.T) {
		if said, n := planted(t, dir, "TestWorlds", "", "", 20); n >= 0 {
			t.Fatalf("without any mutant world %d is wrong: %s", n, said)
		}
	})
	for _, m := range chosen(t) {
		t.Run(m.name, func(t *testing.T) {
			text, err := m.mutate()
			if err != "" {
				t.Fatal(err)
			}
			began := time.Now()
			said, n := planted(t, dir, m.worlds(), m.file, text, *most)
			if n < 0 {
				t.Fatalf("it lives through %d worlds: %s", *most, said)
			}
			fmt.Printf("| %s | %d | %s | %.0f s |\n", m.name, n, said, time.Since(began).Seconds())
		})
	}
}

// chosen are the mutants that are tried.
func chosen(t *testing.T) (some []mutant) {
	for i, m := range every() {
		day := time.Now().YearDay() * *sample
		switch {
		case *only != "" && m.name != *only:
		case *sample > 0 && (i-day%len(every())+len(every()))%len(every()) >= *sample:
		default:
			some = append(some, m)
		}
	}
	if len(some) == 0 {
		t.Fatalf("there is no mutant %q", *only)
	}
	return some
}

// worlds is the test that looks for m.
func (m mutant) worlds() string {
	if slices.Contains(keptMutants, m) {
		return "TestKeptWorlds"
	}
	return "TestWorlds"
}

var (
	wrongs = regexp.MustCompile(`(?m)^\s*WRONG: (.*)$`)
	counts = regexp.MustCompile(`(\d+) seeds, \d+ appends`)
)

// planted builds the worlds with a file replaced and runs them. It returns what the first one that is wrong said, and how many were
// run until then; -1 if none is wrong.
func planted(t *testing.T, dir, worlds, file, text string, most int) (said string, n int) {
	overlay, program := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "worlds.test")
	replace := map[string]string{}
	if file != "" {
		original, err := filepath.Abs(filepath.Join("..", "..", filepath.FromSlash(file)))
		if err != nil {
			t.Fatal(err)
		}
		replace[original] = filepath.Join(dir, "mutated.go")
		if err := os.WriteFile(replace[original], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(overlay, b, 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay", overlay, "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // nothing here needs a C linker, which takes longer than the rest
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("it does not compile: %v\n%s", err, out)
	}
	out, err := exec.Command(program, "-test.run", "^"+worlds+"$", "-test.v", "-test.timeout", "10m", "-shrink=false", "-seed", fmt.Sprint(*first), "-seeds", fmt.Sprint(most)).CombinedOutput()
	if err == nil {
		return "", -1
	}
	wrong, count := wrongs.FindSubmatch(out), counts.FindSubmatch(out)
	if wrong == nil || count == nil {
		return "it ends otherwise: " + string(out[max(0, min(bytes.Index(out, []byte("panic:")), len(out)-3000)):]), -1
	}
	_, _ = fmt.Sscan(string(count[1]), &n) // digits
	return short(string(wrong[1])), n
}

func short(s string) string {
	if s = strings.Join(strings.Fields(s), " "); len(s) > 120 {
		return s[:120] + "…"
	}
	return s
}
