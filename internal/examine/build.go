package examine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Debuggable are the flags with which a main package is built for a debugger: what is in its module is not optimized. The rest is, since
// to build all of it anew takes minutes.
func Debuggable(ctx context.Context, with string) []string {
	modules := "all"
	if out, err := exec.CommandContext(ctx, "go", "list", "-f", "{{with .Module}}{{.Path}}{{end}}", with).Output(); err == nil {
		if path := strings.TrimSpace(string(out)); path != "" && !strings.Contains(path, "\n") {
			modules = path + "/..."
		}
	}
	return []string{"-gcflags=" + modules + "=-N -l"}
}

// Build returns the executable that with names: it is one itself, or the directory or import path of a main package, which is
// then built into the folder, with flags for the go command. The error is a *[Failure] if it cannot be built.
func Build(ctx context.Context, with, folder string, flags ...string) (string, error) {
	if info, err := os.Stat(with); err == nil && info.Mode().IsRegular() && filepath.Ext(with) != ".go" {
		return filepath.Abs(with)
	}
	program, err := exec.LookPath("go")
	if err != nil {
		return "", &Failure{Text: fmt.Sprintf("the go command, which is to build %s, is not on PATH; install Go, or give --with a program that was built", with)}
	}
	path := filepath.Join(folder, "app.exe") // the name is the same to all systems
	var complaints bytes.Buffer
	build := exec.CommandContext(ctx, program, append(append([]string{"build", "-o", path}, flags...), with)...)
	build.Stderr = &complaints
	err = build.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return "", &Failure{fmt.Sprintf("%s cannot be built, want a program or a main package such as ./cmd/app", with), complaints.String()}
	}
	if err != nil {
		return "", fmt.Errorf("examine: building %s: %w", with, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode()&0o111 == 0 {
		return "", &Failure{Text: with + " is not a main package, want one that calls runtime.Open, such as ./cmd/app"}
	}
	return path, nil
}
