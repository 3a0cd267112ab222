// Package house holds the drawing of the house against the code: which package may import which, which are pure, and how
// all are written.
package house

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/clewflow/clew"

// floors says which packages of ours a package may import: floor by floor, from the ground up. "*" is everything that
// stands above it here.
var floors = []struct{ name, imports string }{
	{"history", ""},
	{"internal/coro", ""},
	{"internal/stage", ""},
	{"internal/diff", ""},
	{"internal/proxy", ""},

	{"commands", "history"},
	{"query", "history"},
	{"activity", "history commands"},
	{"store", "history"},
	{"workflow", "history commands activity query internal/coro"},

	{"replay", "history commands activity workflow internal/coro internal/diff"},
	{"system", "activity workflow"},
	{"timers", "history"},
	{"dispatch", "history commands timers"},
	{"lookup", "history query store"},
	{"members", "history store"},
	{"quotas", "history store"},
	{"vault", "history"},
	{"audit", "history store vault"},
	{"store/memory", "history store"},
	{"store/pebble", "history store"},
	{"store/eventstore/esdbtest", ""},
	{"store/eventstore", "history store"},
	{"store/storetest", "history store store/memory"},

	{"activity/activitytest", "history commands activity replay dispatch vault"},

	{"internal/coverage", "history workflow"},
	{"check", "history workflow replay vault store/pebble internal/coro"},
	{"internal/examine", "replay vault audit check"},
	{"internal/socket", "history commands query store audit"},
	{"vet", ""}, // knows clew by name
	{"runtime", "*"},
	{"", "*"}, // the root: documentation and examples
	{"workflowtest", "*"},
	{"server", "*"},
	{"examples/*", "*"},
	{"internal/sim", "*"},
	{"internal/bench", "*"},
	{"cmd/clew", "*"},
	{"internal/*", "*"},
}

// pure are the packages in which nothing depends on the clock, on chance, on the scheduler or on the world, and what of
// the forbidden imports each may have.
var pure = map[string]string{
	"history": "", "commands": "", "query": "", "workflow": "", "internal/diff": "", "internal/coro": "runtime runtime/debug sync sync/atomic", // stacks; threads are kept for groups on other goroutines
	"internal/coverage": "",
	"activity":          "sync",                // the registry of errors and definitions
	"replay":            "runtime sync/atomic", // the stack of a panic; the fence of a machine that was given up
}

// long are files of more than 500 lines, and why.
var long = map[string]string{}

const longest = 500

type pkg struct {
	ImportPath, Dir, Doc      string
	Imports                   []string
	GoFiles                   []string
	TestGoFiles, XTestGoFiles []string
}

func (p pkg) name() string { return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/") }

// packages lists the packages of the module.
func packages(t *testing.T) (all []pkg) {
	list := exec.Command("go", "list", "-e", "-json=ImportPath,Dir,Doc,Imports,GoFiles,TestGoFiles,XTestGoFiles", module+"/...")
	var complaints bytes.Buffer
	list.Stderr = &complaints
	out, err := list.Output()
	require.NoError(t, err, complaints.String())
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := d.Decode(&p); err == io.EOF {
			break
		} else {
			require.NoError(t, err)
		}
		all = append(all, p)
	}
	require.NotEmpty(t, all)
	return all
}

// floor is the place of a package in floors; -1 if it has none.
func floor(name string) int {
	return slices.IndexFunc(floors, func(f struct{ name, imports string }) bool {
		return matches(f.name, name)
	})
}

func matches(pattern, name string) bool {
	if within, ok := strings.CutSuffix(pattern, "/*"); ok {
		return strings.HasPrefix(name, within+"/")
	}
	return pattern == name
}

// mayImport reports whether the table lets one package import another.
func mayImport(from, to string) bool {
	i, j := floor(from), floor(to)
	switch {
	case i < 0 || j < 0:
		return false
	case floors[i].imports == "*":
		return j < i || floors[i].name == floors[j].name // examples share with examples, tools with tools
	}
	return slices.Contains(strings.Fields(floors[i].imports), to)
}

func TestImportsGoDownOnly(t *testing.T) {
	for _, p := range packages(t) {
		name := p.name()
		if len(p.GoFiles) == 0 {
			continue // tests only
		}
		if !assert.GreaterOrEqual(t, floor(name), 0, "package %q has no floor; give it one in this table and in docs/architecture.md", name) {
			continue
		}
		for _, imported := range p.Imports {
			if to, ours := strings.CutPrefix(imported, module); ours {
				to = strings.TrimPrefix(to, "/")
				assert.True(t, mayImport(name, to), "%s imports %s; a package imports only what stands below it, see the drawing in docs/architecture.md", name, to)
			}
		}
	}
}

func TestTheTableItselfGoesDown(t *testing.T) {
	for i, f := range floors {
		for to := range strings.FieldsSeq(f.imports) {
			if j := floor(to); to != "*" {
				assert.True(t, 0 <= j && j < i, "%s stands on %s", f.name, to)
			}
		}
	}
	for name := range pure {
		f := floors[floor(name)]
		for below := range strings.FieldsSeq(f.imports) {
			assert.Contains(t, pure, below, "%s is pure and imports what is not", name)
		}
	}
	assert.False(t, mayImport("replay", "store"))
	assert.False(t, mayImport("store", "workflow"))
	assert.False(t, mayImport("activity", "vault"))
	assert.False(t, mayImport("store/pebble", "vault"))
	assert.False(t, mayImport("runtime", "workflowtest"))
	assert.True(t, mayImport("runtime", "store/pebble"))
	assert.True(t, mayImport("examples/order", "runtime"))
	assert.False(t, mayImport("newcomer", "history"))
}

// parsed parses the files of a package that are not tests.
func parsed(t *testing.T, p pkg) (*token.FileSet, map[string]*ast.File) {
	files, set := map[string]*ast.File{}, token.NewFileSet()
	for _, name := range p.GoFiles {
		file, err := parser.ParseFile(set, filepath.Join(p.Dir, name), nil, parser.ParseComments)
		require.NoError(t, err)
		files[name] = file
	}
	return set, files
}

func TestPureFloorsArePure(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range packages(t) {
		allowed, isPure := pure[p.name()]
		if !isPure {
			continue
		}
		seen[p.name()] = true
		set, files := parsed(t, p)
		for _, file := range files {
			for _, bad := range impure(set, file, strings.Fields(allowed)) {
				assert.Fail(t, "not pure", "%s: %s", p.name(), bad)
			}
		}
	}
	assert.ElementsMatch(t, slices.Collect(maps.Keys(pure)), slices.Collect(maps.Keys(seen)))
}

// impure lists what a file of a pure package should not do.
func impure(set *token.FileSet, file *ast.File, allowed []string) (all []string) {
	bad := func(n ast.Node, format string, args ...any) {
		at := set.Position(n.Pos())
		all = append(all, fmt.Sprintf("%s:%d %s", filepath.Base(at.Filename), at.Line, fmt.Sprintf(format, args...)))
	}
	names := map[string]string{} // of imported packages
	for _, spec := range file.Imports {
		path, _ := strconv.Unquote(spec.Path.Value)
		name := strings.TrimSuffix(path, "/v2")
		name = name[strings.LastIndex(name, "/")+1:]
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = path
		top, _, _ := strings.Cut(path, "/")
		switch {
		case slices.Contains(allowed, path):
		case slices.Contains([]string{"os", "net", "syscall", "sync", "runtime", "unsafe", "log", "plugin"}, top) && path != "log/slog",
			path == "crypto/rand", path == "math/rand", path == "io/ioutil", name == ".":
			bad(spec, "imports %s", path)
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			bad(n, "starts a goroutine")
		case *ast.SelectStmt:
			bad(n, "chooses by chance between channels")
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			if !ok || x.Obj != nil { // something local of that name
				break
			}
			if path := names[x.Name]; path != "" && forbidden(path, n.Sel.Name) {
				bad(n, "uses %s.%s", x.Name, n.Sel.Name)
			}
		}
		return true
	})
	return all
}

// forbidden reports whether a name of a package that may be imported reaches out to the clock, chance, or the world.
func forbidden(path, name string) bool {
	switch path {
	case "time":
		return slices.Contains([]string{"Now", "Sleep", "After", "AfterFunc", "Since", "Until", "NewTimer", "NewTicker", "Tick", "Local", "LoadLocation"}, name)
	case "math/rand/v2": // types and constructors are given their seeds
		return !slices.Contains([]string{"Rand", "Source", "PCG", "ChaCha8", "Zipf", "New", "NewPCG", "NewChaCha8", "NewZipf"}, name)
	case "log/slog":
		return slices.Contains([]string{"Debug", "DebugContext", "Info", "InfoContext", "Warn", "WarnContext", "Error", "ErrorContext", "Log", "LogAttrs", "Default", "SetDefault", "With"}, name)
	case "github.com/google/uuid": // all others draw from the system
		return strings.HasPrefix(name, "New") && name != "NewRandomFromReader" && name != "NewSHA1" && name != "NewMD5" && name != "NewHash" && name != "NewV7FromReader"
	case "context":
		return name == "WithTimeout" || name == "WithDeadline" || name == "AfterFunc"
	case "runtime":
		return name != "Callers" && name != "CallersFrames" && name != "Caller" && name != "Stack" && name != "Goexit" && name != "Frame"
	case "fmt":
		return strings.HasPrefix(name, "Print") || strings.HasPrefix(name, "Scan")
	}
	return false
}

// TestImpurityIsFound: the test above can fail.
func TestImpurityIsFound(t *testing.T) {
	for _, source := range []string{
		`import "time"; var _ = time.Now()`, `import "time"; var _ = time.Now`, `import clock "time"; func f() { clock.Sleep(1) }`,
		`import "math/rand/v2"; var _ = rand.Int()`, `import "log/slog"; func f() { slog.Info("x") }`, `import "os"; var _ = os.Args`,
		`import "net/http"; var _ http.Client`, `func f() { go f() }`, `import "sync"; var _ sync.Mutex`, `import . "time"; var _ = Now()`,
		`import "github.com/google/uuid"; var _ = uuid.New()`, `import "fmt"; func f() { fmt.Println() }`, `func f(c chan int) { select { case <-c: } }`,
		`import "crypto/rand"; var _ = rand.Reader`, `import "time"; var _ = time.NewTimer(1)`,
	} {
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, "x.go", "package x\n"+source, 0)
		require.NoError(t, err)
		assert.NotEmpty(t, impure(set, file, nil), source)
	}
	for _, source := range []string{
		`import "time"; var _ = time.Date(0, 0, 0, 0, 0, 0, 0, time.UTC)`, `import "math/rand/v2"; var _ = rand.New(rand.NewPCG(1, 2)).Int()`,
		`import "log/slog"; func f(l *slog.Logger) { l.Info("x") }`, `func f(time struct{ Now int }) int { return time.Now }`,
	} {
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, "x.go", "package x\n"+source, 0)
		require.NoError(t, err)
		assert.Empty(t, impure(set, file, nil), source)
	}
}

func TestStyle(t *testing.T) {
	for _, p := range packages(t) {
		set, files := parsed(t, p)
		if len(files) == 0 {
			continue
		}
		documented := false
		for name, file := range files {
			path := filepath.ToSlash(filepath.Join(p.name(), name))
			if doc := file.Doc.Text(); doc != "" {
				documented = true
				want := "Package " + file.Name.Name + " "
				if dir := filepath.Base(p.Dir); file.Name.Name == "main" { // a program speaks of itself
					doc = strings.TrimPrefix(doc, "Command ")
					want = strings.ToUpper(dir[:1]) + dir[1:] + " "
					doc = strings.ToUpper(doc[:1]) + doc[1:]
				}
				assert.True(t, strings.HasPrefix(doc, want), "%s: the package's doc begins %q, want %q", path, first(doc), want+"…")
			}
			if lines := set.File(file.Pos()).LineCount(); lines > longest {
				assert.NotEmpty(t, long[path], "%s has %d lines, the limit is %d", path, lines, longest)
			} else {
				assert.Empty(t, long[path], "%s is no longer too long; take it off the list", path)
			}
			if file.Name.Name == "main" {
				continue
			}
			for _, n := range undocumented(set, file) {
				assert.Fail(t, "no doc comment", "%s: %s", path, n)
			}
		}
		assert.True(t, documented, "package %s has no doc; it begins \"Package %s …\"", p.name(), filepath.Base(p.ImportPath))
	}
}

func first(doc string) string { line, _, _ := strings.Cut(doc, "\n"); return line }

// undocumented lists exported top-level names without a doc comment. A group of constants or variables may have one for
// all, and constants that stand right below their documented type have its; methods that only fulfil an interface of ours or of the standard library speak for themselves.
func undocumented(set *token.FileSet, file *ast.File) (all []string) {
	bad := func(id *ast.Ident) {
		if id.IsExported() {
			all = append(all, fmt.Sprintf("%d %s", set.Position(id.Pos()).Line, id.Name))
		}
	}
	for i, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil && d.Doc == nil {
				bad(d.Name)
			}
		case *ast.GenDecl:
			if above := max(i, 1) - 1; d.Tok == token.CONST && isDocumentedType(file.Decls[above]) {
				continue
			}
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					if d.Doc == nil && spec.Doc == nil && spec.Comment == nil {
						bad(spec.Name)
					}
				case *ast.ValueSpec:
					if d.Doc == nil && spec.Doc == nil && spec.Comment == nil {
						for _, id := range spec.Names {
							bad(id)
						}
					}
				}
			}
		}
	}
	return all
}

func isDocumentedType(d ast.Decl) bool {
	g, ok := d.(*ast.GenDecl)
	return ok && g.Tok == token.TYPE && g.Doc != nil
}
