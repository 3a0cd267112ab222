package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/check"
	"github.com/clewflow/clew/replay"
)

const appPackage = "./testdata/app"

// appProgram builds the program of testdata, once.
var appProgram = sync.OnceValues(func() (string, error) {
	path := filepath.Join(appFolder, "app.exe")
	out, err := exec.Command("go", "build", "-buildvcs=false", "-o", path, appPackage).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

var appFolder string

func TestMain(m *testing.M) {
	var err error
	if appFolder, err = os.MkdirTemp("", "clew-test-"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(appFolder)
	os.Exit(code)
}

func theApp(t *testing.T) string {
	t.Helper()
	path, err := appProgram()
	require.NoError(t, err)
	return path
}

// shipped is a directory in which the release before has worked.
func shipped(t *testing.T, flags ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	out, err := exec.Command(theApp(t), append([]string{"-dir", dir, "-release", "before"}, flags...)...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return dir
}

// stable is an output without what differs from run to run.
func stable(t *testing.T, text string) string {
	t.Helper()
	here, err := os.Getwd()
	require.NoError(t, err)
	text = strings.ReplaceAll(filepath.ToSlash(text), filepath.ToSlash(here)+"/", "")
	for pattern, with := range map[string]string{
		`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{21}`:   "01a2157a-0000-7000-8000-000000000000",
		`\(([0-9.]+(µs|ms|s))+\)\n`:                "(2ms)\n",
		`20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`: "2026-01-02T12:00:00Z",
		`"seconds":[0-9.e-]+`:                      `"seconds":0.002`,
		`"build":"[^"]*"`:                          `"build":"b2"`,
	} {
		text = regexp.MustCompile(pattern).ReplaceAllString(text, with)
	}
	return text
}

// files is what a directory holds.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		all[path] = string(text)
		return err
	}))
	return all
}

func TestCheckSaysWhatDoesNotFit(t *testing.T) {
	dir := shipped(t)
	before := files(t, dir)
	store := filepath.Join(dir, "store")
	elsewhere := filepath.Join(t.TempDir(), "nowhere")
	ask := func(release string, flags ...string) (int, string) {
		code, stdout, stderr := tool(t, append(append([]string{"check", "--with", theApp(t), "--dir", store}, flags...), "--", "-dir", elsewhere, "-release", release)...)
		require.Empty(t, stderr)
		return code, stable(t, stdout)
	}

	code, text := ask("after")
	assert.Equal(t, failed, code)
	golden(t, "check-after", text)
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "check.md"))
	require.NoError(t, err)
	assert.Contains(t, string(page), text)

	code, text = ask("gated")
	assert.Equal(t, succeeded, code)
	golden(t, "check-gated", text)

	code, text = ask("gated", "--json")
	assert.Equal(t, succeeded, code)
	golden(t, "check-json", text)

	code, text = ask("after", "--json", "--closed", "0")
	assert.Equal(t, failed, code)
	var report check.Report
	require.NoError(t, json.Unmarshal([]byte(text), &report))
	assert.Equal(t, 4, report.Runs)
	for _, typ := range report.Types {
		if typ.Workflow == "delivery" {
			assert.Equal(t, 2, typ.Verdicts[check.NeedsGate].Open)
			assert.NotNil(t, typ.Verdicts[check.NeedsGate].Example.Mismatch)
		}
	}

	assert.Equal(t, before, files(t, dir), "not a byte of the store has changed")
	assert.NoDirExists(t, elsewhere, "the program has opened no store")
}

func TestCheckBuildsThePackage(t *testing.T) {
	dir := shipped(t)
	code, stdout, stderr := tool(t, "check", "--with", appPackage, "--dir", filepath.Join(dir, "store"), "--", "-release", "before")
	assert.Equal(t, succeeded, code, stderr)
	assert.Contains(t, stdout, "6 runs")

	for with, want := range map[string]string{
		"./testdata/nowhere": "cannot be built", "../../query": "is not a main package", "./testdata/words.txt": "cannot be started",
	} {
		code, stdout, stderr = tool(t, "check", "--with", with, "--dir", filepath.Join(dir, "store"))
		assert.Equal(t, unchecked, code)
		assert.Empty(t, stdout)
		assert.Contains(t, stderr, want)
	}
}

func TestCheckReadsExports(t *testing.T) {
	dir := shipped(t)
	file := filepath.Join(t.TempDir(), "all.jsonl")
	read(t, "export", "--all", "-o", file, "--dir", filepath.Join(dir, "store"))
	code, stdout, stderr := tool(t, "check", "--with", theApp(t), "--from", file, "--", "-release", "gated")
	assert.Empty(t, stderr)
	assert.Equal(t, unchecked, code, "the text of the greeting is in a file beside the store")
	assert.Contains(t, stdout, "greeting: 1 run cannot be read")
	assert.Contains(t, stdout, "no such blob")
	assert.Contains(t, stdout, "5 fit")

	code, _, stderr = tool(t, "check", "--with", theApp(t), "--from", filepath.Join(dir, "none"))
	assert.Equal(t, unchecked, code)
	assert.Contains(t, stderr, "looking for histories")
	code, _, stderr = tool(t, "check", "--with", theApp(t), "--from", "testdata/vet-shop.txt")
	assert.Equal(t, unchecked, code)
	assert.NotContains(t, stderr, "panic")
}

func TestCheckOpensWhatIsSealed(t *testing.T) {
	dir := shipped(t, "-sealed")
	store := filepath.Join(dir, "store")
	code, stdout, stderr := tool(t, "check", "--with", theApp(t), "--dir", store, "--", "-dir", dir, "-sealed", "-release", "gated")
	assert.Equal(t, succeeded, code, stderr)
	assert.Contains(t, stdout, "6 fit")

	code, stdout, _ = tool(t, "check", "--with", theApp(t), "--dir", store, "--", "-release", "gated")
	assert.Equal(t, unchecked, code)
	assert.Contains(t, stdout, "6 runs with")
	assert.Contains(t, stdout, "6 cannot be read")
	assert.Contains(t, stdout, "no such codec")
	assert.NotContains(t, stdout, "lamp")
}

func TestCheckAsksWhoHasTheStoreOpen(t *testing.T) {
	dir := t.TempDir()
	busy := exec.Command(theApp(t), "-dir", dir, "-release", "before", "-hold")
	end, err := busy.StdinPipe()
	require.NoError(t, err)
	out, err := busy.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, busy.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "open\n", line)

	code, stdout, stderr := tool(t, "check", "--with", theApp(t), "--dir", filepath.Join(dir, "store"))
	assert.Equal(t, failed, code)
	assert.Empty(t, stderr)
	want, err := os.ReadFile("testdata/check-after.txt")
	require.NoError(t, err)
	assert.Equal(t, string(want), stable(t, stdout), "the same as of a store that nobody has open")
	require.NoError(t, end.Close())
	require.NoError(t, busy.Wait(), "it has not noticed anything")
}

func TestCheckSaysWhyAProgramCannotBeLookedAt(t *testing.T) {
	store := filepath.Join(shipped(t), "store")
	for name, c := range map[string]struct {
		flags, args []string
		want        []string
	}{
		"ends":  {args: []string{"shop.yaml"}, want: []string{"ended (exit status 3) before it got to runtime.Open", "behind --", "  | app: cannot read shop.yaml"}},
		"hangs": {flags: []string{"--limit", "300ms"}, args: []string{"-hang"}, want: []string{"within 300ms", "--limit", "  | app: migrating the database"}},
		"wrong": {args: []string{"-release", "wrong"}, want: []string{"workflow greeting is bound twice"}},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := tool(t, append(append(append([]string{"check", "--with", theApp(t), "--dir", store}, c.flags...), "--"), c.args...)...)
			assert.Equal(t, unchecked, code)
			assert.Empty(t, stdout)
			for _, want := range c.want {
				assert.Contains(t, stderr, want)
			}
		})
	}
}

func TestReplaySaysWhereARunWaits(t *testing.T) {
	dir := shipped(t)
	store := filepath.Join(dir, "store")
	before := files(t, dir)
	ask := func(id, release string, flags ...string) (int, string) {
		code, stdout, stderr := tool(t, append(append([]string{"replay", id, "--with", theApp(t), "--dir", store}, flags...), "--", "-release", release)...)
		require.Empty(t, stderr)
		return code, stdout
	}
	for name, flags := range map[string][]string{
		"replay":       {"--query", "stage"},
		"replay-until": {"--until", "2", "--query", "stage", "--query", "price"},
	} {
		code, text := ask("parcel-1", "before", flags...)
		assert.Equal(t, succeeded, code)
		golden(t, name, stable(t, text))
	}
	code, text := ask("return-1", "before")
	assert.Equal(t, succeeded, code)
	golden(t, "replay-coroutines", stable(t, text))

	code, text = ask("parcel-1", "after")
	assert.Equal(t, failed, code)
	golden(t, "replay-mismatch", stable(t, text))
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "check.md"))
	require.NoError(t, err)
	for _, name := range []string{"replay"} {
		want, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
		require.NoError(t, err)
		assert.Contains(t, string(page), string(want))
	}

	code, text = ask("audit-1", "after", "--json")
	assert.Equal(t, failed, code)
	var s replay.Stand
	require.NoError(t, json.Unmarshal([]byte(text), &s))
	assert.Contains(t, s.Stalled.Reason, "index out of range")
	assert.Equal(t, before, files(t, dir))
}

func TestReplaySaysWhatIsNotThere(t *testing.T) {
	store := filepath.Join(shipped(t), "store")
	for want, args := range map[string][]string{
		"there is none":               {"parcel-9"},
		"there is no run 2":           {"parcel-1", "--run", "2"},
		"no entry 99 in the run":      {"parcel-1", "--until", "99"},
		"no code for workflow return": {"return-1"},
	} {
		code, stdout, stderr := tool(t, append([]string{"replay", "--with", theApp(t), "--dir", store}, args...)...)
		assert.Equal(t, failed, code)
		assert.Empty(t, stdout)
		assert.Contains(t, stderr, want)
	}
	for want, args := range map[string][]string{
		"--with is missing": {"replay", "x"}, "the id of an execution is missing": {"replay", "--with", "x"},
		`--level is "loose"`: {"check", "--with", "x", "--level", "loose"}, "name=JSON": {"replay", "x", "--with", "x", "--query", "a={"},
		"--limit is 0s": {"check", "--with", "x", "--limit", "0s"}, `"y" is too much`: {"check", "--with", "x", "y"},
	} {
		code, _, stderr := tool(t, args...)
		assert.Equal(t, misused, code)
		assert.Contains(t, stderr, want)
	}
}

func TestBreakSaysHowToDebugWithoutDlv(t *testing.T) {
	dir := shipped(t)
	export := filepath.Join(t.TempDir(), "parcel.jsonl")
	read(t, "export", "parcel-1", "-o", export, "--dir", filepath.Join(dir, "store"))
	program := theApp(t)
	t.Setenv("PATH", "")
	out := &lines{found: make(chan string, 1), want: regexp.MustCompile(`CLEW_EXAMINE=\S+ .*`)}
	var errs strings.Builder
	done := make(chan int)
	go func() {
		done <- run(t.Context(), []string{"replay", "parcel-1", "--with", program, "--break", "--from", export, "--", "-release", "before"}, &errs, out)
	}()
	command := strings.Fields(<-out.found)
	ide := exec.Command(command[1], command[2:]...)
	ide.Env = append(os.Environ(), command[0])
	said, err := ide.CombinedOutput()
	assert.Error(t, err)
	assert.Contains(t, string(said), "started by the clew command to look at its code")
	assert.Equal(t, succeeded, <-done)
	assert.Contains(t, out.text(), "main.deliverBefore")
	assert.Contains(t, errs.String(), "main waits for signal courier")
}

// lines looks for something in what is written to it.
type lines struct {
	mu    sync.Mutex
	all   strings.Builder
	want  *regexp.Regexp
	found chan string
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all.Write(p)
	if s := l.want.FindString(l.all.String()); s != "" && strings.HasSuffix(l.all.String(), "\n") {
		select {
		case l.found <- s:
		default:
		}
	}
	return len(p), nil
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}
