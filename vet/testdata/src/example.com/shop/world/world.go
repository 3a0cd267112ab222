// Package world does I/O.
package world

import (
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/ioutil"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/clewflow/clew/workflow"
)

func Reach(ctx workflow.Context, db *sql.DB, c *http.Client, f *os.File, l *log.Logger) error {
	_, _ = os.ReadFile("x")             // want `^os.ReadFile is I/O, .*; do it in an activity or in workflow.Step$`
	_ = f.Close()                       // want `^os.File.Close `
	_ = os.Getenv("HOME")               // want `^os.Getenv is of the process, .*; read it in workflow.Value`
	_ = os.Args[1]                      // want `^os.Args is of the process`
	os.Exit(1)                          // want `^os.Exit ends the process .*; return an error$`
	fmt.Fprintln(os.Stderr, "x")        // want `^os.Stderr is I/O`
	_ = exec.Command("ls").Run()        // want `^exec.Command ` `^exec.Cmd.Run `
	_, _ = net.Dial("tcp", "x")         // want `^net.Dial `
	_, _ = net.LookupHost("x")          // want `^net.LookupHost `
	_, _ = http.Get("x")                // want `^http.Get `
	_, _ = c.Do(nil)                    // want `^http.Client.Do `
	_, _ = http.DefaultClient.Do(nil)   // want `^http.DefaultClient ` `^http.Client.Do `
	_, _ = sql.Open("x", "y")           // want `^sql.Open `
	_, _ = db.Exec("x")                 // want `^sql.DB.Exec `
	_, _ = ioutil.ReadFile("x")         // want `^ioutil.ReadFile `
	_, _ = filepath.Glob("*")           // want `^filepath.Glob `
	fmt.Println("x")                    // want `^fmt.Println is said again each time the run is remembered; use workflow.Logger$`
	fmt.Printf("x")                     // want `^fmt.Printf `
	_, _ = fmt.Scanln()                 // want `^fmt.Scanln `
	log.Println("x")                    // want `^log.Println `
	l.Print("x")                        // want `^log.Logger.Print `
	slog.Info("x")                      // want `^slog.Info `
	slog.Default().Info("x")            // want `^slog.Default `
	slog.With("a", 1).Info("x")         // want `^slog.With `
	_ = runtime.NumGoroutine()          // want `^runtime.NumGoroutine `
	_ = runtime.GOMAXPROCS(0)           // want `^runtime.GOMAXPROCS `
	conn(nil)                           // want `^conn → net.Conn.Read is I/O`
	_ = http.HandlerFunc(nil).ServeHTTP // want `^http.HandlerFunc.ServeHTTP `
	return nil
}

func conn(c net.Conn) { _, _ = c.Read(nil) } // want conn:`net.Conn.Read`

func Fine(ctx workflow.Context, err error, r io.Reader) (string, error) {
	workflow.Logger(ctx).Info("x", slog.Int("status", http.StatusOK), "text", http.StatusText(404))
	_ = http.CanonicalHeaderKey("x")
	h := http.Header{}
	h.Set("a", "b")
	if errors.Is(err, os.ErrNotExist) || os.IsNotExist(err) || errors.Is(err, sql.ErrNoRows) || errors.Is(err, net.ErrClosed) {
		return "", err
	}
	if p := (*os.PathError)(nil); errors.As(err, &p) {
		return p.Path, p.Unwrap()
	}
	if n := (*net.OpError)(nil); errors.As(err, &n) && n.Timeout() {
		return n.Error(), nil
	}
	_ = sql.NullString{String: "x"}.String
	_ = net.ParseIP("127.0.0.1").String()
	_ = (&net.IPNet{IP: net.IPv4(1, 2, 3, 4), Mask: net.CIDRMask(8, 32)}).IP
	u, _ := url.Parse("https://example.org")
	_ = u.Query().Get("x") + filepath.Join("a", "b") + filepath.Base("x")
	_ = os.FileMode(0o600).Perm() | os.ModeDir
	_, _ = io.ReadAll(strings.NewReader("x"))
	_ = runtime.GOOS
	return fmt.Sprintf("%s", fmt.Errorf("x: %w", err)), nil
}
