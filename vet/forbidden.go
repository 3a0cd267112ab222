package vet

import (
	"go/types"
	"slices"
	"strings"
)

// Why a thing is refused, and what to write instead.
const (
	clock     = "reads the clock, which says something else when the run is remembered; use workflow.Now"
	sleep     = "waits for what no history knows; use workflow.Sleep"
	timer     = "is a timer that no history knows; use workflow.NewTimer or workflow.Sleep"
	dice      = "is something else when the run is remembered; use workflow.Rand"
	uuid      = "makes another UUID when the run is remembered; use workflow.NewUUID"
	lock      = "is for threads, and would block the one that all coroutines of a run share; use workflow.Mutex, WaitGroup or Semaphore to wait, plain variables for the rest"
	contexts  = "makes a context that knows nothing of the run; pass on the workflow.Context, see workflow.WithCancel, WithTimeout and WithoutCancel"
	io        = "is I/O, done again each time the run is remembered; do it in an activity or in workflow.Step"
	process   = "is of the process, and the next one may have another; read it in workflow.Value, or give it to the workflow in its input"
	exit      = "ends the process with all that runs in it; return an error"
	speech    = "is said again each time the run is remembered; use workflow.Logger"
	scheduler = "depends on the machine and the moment; workflow code must not ask"
)

// law says what a package has that workflow code must not use.
type law struct {
	why   string
	names string // of functions and variables, and Type.* of all methods of a type, each with * for any end; "" is all
	but   string // of those, what is fine
}

// laws are by package, the first that matches counts.
var laws = map[string][]law{
	"time": {
		{why: clock, names: "Now Since Until"},
		{why: sleep, names: "Sleep"},
		{why: timer, names: "After AfterFunc Tick NewTimer NewTicker Timer.Reset Ticker.Reset"},
	},
	"math/rand":              {{why: dice, but: "New NewSource NewZipf Rand.* Zipf.* Source.* Source64.*"}},
	"math/rand/v2":           {{why: dice, but: "New NewPCG NewChaCha8 NewZipf Rand.* Zipf.* Source.* PCG.* ChaCha8.*"}},
	"crypto/rand":            {{why: dice}},
	"hash/maphash":           {{why: dice, names: "MakeSeed Hash.Sum*"}},
	"github.com/google/uuid": {{why: uuid, names: "New NewString NewRandom NewUUID NewV6 NewV7 NewDCE*"}},
	"sync":                   {{why: lock, but: "Mutex.Unlock RWMutex.Unlock RWMutex.RUnlock WaitGroup.Done Locker.Unlock"}}, // one is told of the other half
	"sync/atomic":            {{why: lock}},
	"context":                {{why: contexts, names: "Background TODO With* AfterFunc"}},
	"fmt":                    {{why: speech, names: "Print*"}, {why: io, names: "Scan Scanf Scanln"}},
	"log":                    {{why: speech}},
	"log/slog":               {{why: speech, names: "Debug* Info* Warn* Error* Log LogAttrs Default SetDefault With"}},
	"os": {
		{why: process, names: "Getenv LookupEnv Environ ExpandEnv Setenv Unsetenv Clearenv Args Hostname Getpid Getppid Getuid Geteuid Getgid Getegid Getgroups Getwd Getpagesize Executable TempDir UserCacheDir UserConfigDir UserHomeDir"},
		{why: exit, names: "Exit"},
		{why: io, but: "Err* Is* Expand NewSyscallError LinkError.* SyscallError.*"},
	},
	"os/exec":       {{why: io, but: "Err* Error.* ExitError.*"}},
	"os/signal":     {{why: io}},
	"os/user":       {{why: io, but: "Unknown*"}},
	"syscall":       {{why: io, but: "Errno.* Signal.*"}},
	"io/ioutil":     {{why: io, but: "Discard NopCloser ReadAll"}},
	"path/filepath": {{why: io, names: "Abs EvalSymlinks Glob Walk WalkDir"}},
	"net": {{why: io, but: "Err* ParseIP ParseCIDR ParseMAC IPv4* IPv6* CIDRMask JoinHostPort SplitHostPort IP.* IPMask.* IPNet.* HardwareAddr.* IPAddr.* TCPAddr.* UDPAddr.* UnixAddr.* Addr.* " +
		"Error.* OpError.* DNSError.* AddrError.* ParseError.* InvalidAddrError.* UnknownNetworkError.*"}},
	"net/http": {{why: io, names: "Get Head Post PostForm ListenAndServe* Serve* Handle HandleFunc Error NotFound Redirect Read* DefaultClient DefaultTransport DefaultServeMux " +
		"Client.* Server.* Transport.* RoundTripper.* ResponseWriter.* ResponseController.* ServeMux.* Handler.* HandlerFunc.* Request.Write* Response.Write Flusher.* Hijacker.* Pusher.*"}},
	"net/smtp":     {{why: io, but: "PlainAuth CRAMMD5Auth"}},
	"net/rpc":      {{why: io}},
	"database/sql": {{why: io, names: "Open OpenDB Drivers Register DB.* Conn.* Tx.* Stmt.* Rows.* Row.*"}},
	"runtime":      {{why: scheduler, names: "GOMAXPROCS NumCPU NumGoroutine NumCgoCall Gosched Goexit GC ReadMemStats LockOSThread UnlockOSThread SetFinalizer AddCleanup"}},
}

// forbidden says why workflow code must not use a function, a method or a variable of another package; "" if it may.
func forbidden(o types.Object) string {
	if o.Pkg() == nil {
		return ""
	}
	name := o.Name()
	if fn, ok := o.(*types.Func); ok {
		name = title(fn)
	}
	for _, l := range laws[o.Pkg().Path()] {
		if l.forbids(name) {
			return l.why
		}
	}
	return ""
}

func (l law) forbids(name string) bool {
	return (l.names == "" || matches(l.names, name)) && !matches(l.but, name)
}

// matches reports whether one of the patterns is the name, or its beginning if the pattern ends in a star. Patterns with
// a dot are of methods, and those without are not.
func matches(patterns, name string) bool {
	return slices.ContainsFunc(strings.Fields(patterns), func(p string) bool {
		start, open := strings.CutSuffix(p, "*")
		return p == name || open && strings.HasPrefix(name, start) && strings.Contains(p, ".") == strings.Contains(name, ".")
	})
}
