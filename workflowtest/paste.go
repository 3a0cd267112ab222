package workflowtest

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	goruntime "runtime"
	"strings"
)

// paste is a schedule as a test that can be pasted: the function that called Explore, with the schedule as one more option. Where
// its source is not to be had, the option alone.
func (b *broken) paste(test string) string {
	var option strings.Builder
	option.WriteString("workflowtest.Schedule(")
	for _, t := range b.twists {
		fmt.Fprintf(&option, "\n\t\t%q,", t.String())
	}
	if len(b.twists) > 0 {
		option.WriteString("\n\t")
	}
	option.WriteString(")")
	file, line := caller()
	if source, err := withOption(file, line, fmt.Sprintf("_Seed%d", b.seed), option.String()); err == nil {
		return "As a test of its own:\n\n" + source
	}
	return fmt.Sprintf("As an option of the Explore in %s:\n\n%s", test, option.String())
}

// caller is where Explore was called.
func caller() (file string, line int) {
	pcs := make([]uintptr, 32)
	frames := goruntime.CallersFrames(pcs[:goruntime.Callers(2, pcs)])
	within := false
	for {
		frame, more := frames.Next()
		if explores := strings.Contains(frame.Function, "/workflowtest.Explore["); explores {
			within = true
		} else if within {
			return frame.File, frame.Line
		}
		if !more {
			return "", 0
		}
	}
}

// withOption is the source of the function around a call, under another name and with one more argument of the call.
func withOption(file string, line int, suffix, option string) (string, error) {
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, file, nil, parser.ParseComments)
	if err != nil {
		return "", err
	}
	for _, d := range parsed.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || files.Position(fn.Pos()).Line > line || files.Position(fn.End()).Line < line {
			continue
		}
		call := callAt(files, fn, line)
		if call == nil {
			break
		}
		var marker ast.Expr = &ast.BasicLit{Kind: token.STRING, Value: placeholder, ValuePos: call.Rparen}
		if last := len(call.Args) - 1; call.Ellipsis.IsValid() {
			call.Args[last] = &ast.CallExpr{Fun: ast.NewIdent("append"), Args: []ast.Expr{call.Args[last], marker}}
		} else {
			call.Args = append(call.Args, marker)
		}
		fn.Name.Name, fn.Doc = fn.Name.Name+suffix, nil
		var b bytes.Buffer
		if err := format.Node(&b, files, fn); err != nil {
			return "", err
		}
		source, err := format.Source([]byte(strings.Replace(b.String(), placeholder, option, 1)))
		return string(source) + "\n", err
	}
	return "", fmt.Errorf("there is no call of Explore at %s:%d", file, line)
}

const placeholder = "`the schedule`"

// callAt is the call of Explore that begins or ends at a line.
func callAt(files *token.FileSet, fn *ast.FuncDecl, line int) (found *ast.CallExpr) {
	ast.Inspect(fn, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || files.Position(call.Pos()).Line > line || files.Position(call.End()).Line < line {
			return true
		}
		if s, ok := call.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "Explore" {
			found = call
		}
		return true
	})
	return found
}
