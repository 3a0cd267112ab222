// Package runtime makes things happen: it is the shell around the pure core.
//
// A [Runtime] is opened on a store with the definitions of workflows and activities that are here. [Start], [Query] and
// the methods of Runtime put commands to executions and read them; [Runtime.Run] works: it runs workflow code, makes
// attempts of activities and fires timers.
//
// Inside there is one loop, in execution.go: remember, decide, tell the code, append, act and answer. What is to be done
// is a function of the state of an execution, so an execution can be forgotten at any time and is remembered from the log
// when something is asked of it.
package runtime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/dispatch"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/coro"
	"github.com/clewflow/clew/internal/socket"
	"github.com/clewflow/clew/lookup"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/timers"
	"github.com/clewflow/clew/vault"
	"github.com/clewflow/clew/workflow"
)

// Config says where histories live and how much may be done at once. The zero Config works: an embedded store in the
// directory "clew.data".
type Config struct {
	Store     string         // a directory, "memory:", or "esdb://…", an EventStoreDB that several processes may share; default: $CLEW_STORE, else "clew.data"
	Namespace string         // separates those who share a store; default: $CLEW_NAMESPACE, else "default"
	Queues    []string       // of activities that are done here, "" is the one of those that name none; default: all
	Attempts  int            // activities in hand at once; default 1024
	Memory    int            // bytes for remembered executions, estimated; default 256 MiB; Forget: none
	Drain     time.Duration  // how long attempts may go on when Run ends; default 10 s
	Watchdog  time.Duration  // how long workflow code may run without waiting; default 10 s; negative: for ever
	Payload   int            // bytes of the largest input, result or message; default 32 MiB
	Replay    replay.Level   // how closely histories are held against code; default replay.Names
	Build     string         // of this program, recorded with what it decides; default: from the binary
	Logger    *slog.Logger   // default: slog.Default()
	Log       store.Log      // instead of Store; closed by Close
	Key       []byte         // of the tokens of attempts; default: kept beside the store, on a server in it
	Dice      io.Reader      // where ids and seeds come from; default: the system. Tests give a seeded one
	Entries   int            // most entries of a run: at the limit it stalls; default 50,000
	Budget    history.Budget // of new runs, see workflow.ShouldContinueAsNew; what is zero: history.StandardBudget

	// Vault says how payloads are stored. Default for a directory: those of an entry above 8 KiB are compressed, and what is then
	// above 64 KiB goes into files; for other stores: as they are. See package vault for encryption.
	Vault *vault.Vault

	// FullText says whether the index keeps the words of inputs, results and failures, for TEXT in questions: never those of what is
	// encrypted or compressed. To change it builds the index anew. Default: as the index has it; a new one: off.
	FullText lookup.Switch

	// FullTextOf are the workflows whose words are kept, and of no others. It switches FullText on unless that is Off. Default: those of all
	// workflows, or as the index has it.
	FullTextOf []string

	// Several processes may work on a store that is a server. Each of them is a node; they need nothing else in common.
	Node   string        // name of this node, for people; default: $CLEW_NODE, else the host's name
	Lease  time.Duration // a node that was not heard for so long is taken for dead; default 4 s
	Dir    string        // what a node keeps for itself: its index, and a note of what it has in hand; default: $CLEW_DIR, else memory
	Shared bool          // other processes have the Log open too; a store that is a server says so itself

	// Archive keeps what a rule of retention removes that says so (RetentionRule.Export), and returns when that is durable: only then is it
	// removed. Write writes the archive; of the wish only Digests, Key and Sign are asked. After a crash it may be called again for the same.
	// It must not ask anything of that execution. Default: nothing is removed by such a rule. See [ArchiveDir].
	Archive func(ctx context.Context, x Expired, write func(w io.Writer, how ExportWish) error) error

	// RecordReads has it recorded who is shown payloads: by exports, and by tools that read histories while this process has the store open.
	// It is found as acts are, see [Runtime.Acts]. What cannot be recorded is not shown. Of who reads the files themselves nobody hears. Default: off.
	RecordReads bool

	Interceptors []Interceptor
	Projections  []Projected // are kept up to date; see [NewProjection]

	Hooks Hooks // for tests of clew, and for its test kit
}

// Forget, as [Config].Memory, forgets each execution as soon as nothing is asked of it. It is for tests.
const Forget = -1

// Runtime puts commands to executions, and works on them while [Runtime.Run] runs.
type Runtime struct {
	config      Config
	logger      *slog.Logger
	log         store.Log
	tailed      store.Tailed // nil if the log keeps no tails
	tails       store.Tails  // nil if the log does not list them
	node        *node        // nil if no other process works on the store
	index       *lookup.Index
	pasts       pasts
	projections projections
	wakes       *timers.Wakes
	queue       *dispatch.Queue
	openRuns    *dispatch.Slots
	notes       *inHand
	claim       io.Closer // of Config.Dir; nil: there is none
	key         []byte    // of tokens
	dice        dice
	build       string
	started     time.Time

	codes      map[string]map[int]workflow.Code
	onMismatch map[string]map[int]workflow.Mismatch
	handlers   map[string]activity.Handler
	holds      map[string]func(history.Payload) error // why a value is no result of an activity
	broken     sync.Map                               // ids of executions on which something could not be read or recorded, to be taken up again
	missing    sync.Map                               // names of activities that were asked for and are not here
	inputs     map[string]string                      // of workflows, by their Go types
	fields     lookup.Inputs                          // by which runs are found
	settings   map[string]workflow.Settings

	admin       admin
	disclosures disclosures
	vault       *vault.Vault // nil: payloads are stored as they are
	spare       int          // bytes of an entry below which the vault leaves it alone
	laws        laws
	routes      routes
	locals      locals
	parked      parked
	slots       chan struct{} // of errands
	uncounted   chan struct{} // receives when open runs are to be counted
	finding     chan struct{} // of lookups that workflows ask for
	crew        *crew
	pool        *coro.Pool
	executions  executions
	results     results
	run         sync.Mutex // held by Run
	working     atomic.Bool
	tick        atomic.Int64 // of the watchdog
	guesses     guesses
	impatient   atomic.Int64 // until then, in nanoseconds since 1970, no turn waits for the index, which was too far behind
	abandoned   atomic.Int64 // goroutines with code that does not come back

	ctx     context.Context // ends with Close, when Run has returned or its time is up
	end     context.CancelFunc
	opened  context.Context // ends when Close begins
	leave   context.CancelFunc
	own     sync.WaitGroup // goroutines of Open
	closed  atomic.Bool
	close   func() error
	unserve func()        // ends serve
	ready   chan struct{} // closed when Run has taken up what was open
	once    sync.Once     // for ready
}

// Open opens a store with the definitions that are here. One error lists everything that is wrong with them.
//
// In a process that the clew command has started to look at its code, Open opens nothing: see [ErrExamined].
func Open(ctx context.Context, c Config, definitions ...workflow.Definition) (*Runtime, error) {
	if Examined() {
		return nil, examined(ctx, c, definitions)
	}
	if err := c.complete(); err != nil {
		return nil, err
	}
	r := &Runtime{
		config: c, logger: c.Logger, build: c.Build, started: time.Now().Add(c.Hooks.Offset),
		dice: dice{from: c.Dice}, queue: dispatch.New(c.Attempts, c.Queues...), openRuns: dispatch.NewSlots(), uncounted: make(chan struct{}, 1), results: results{waiting: map[awaited][]chan struct{}{}, updates: map[history.ID]map[string]bool{}},
		routes: routes{routes: map[string][]Route{}, disabled: map[string]map[int]bool{}}, slots: make(chan struct{}, errandsAtOnce), finding: make(chan struct{}, findsAtOnce),
		ready: make(chan struct{}), crew: newCrew(), pool: coro.NewPool(maxIdle),
	}
	r.executions.init(c.Memory)
	r.laws.lifted = make(chan struct{}, 1)
	r.admin, r.disclosures = newAdmin(), newDisclosures()
	r.close = sync.OnceValue(r.shut)
	if err := r.register(append(slices.Clip(definitions), r.shipped()...)); err != nil {
		return nil, err
	}
	if err := r.openStore(ctx); err != nil {
		return nil, err
	}
	if err := r.openPolicies(ctx); err != nil {
		return nil, errors.Join(err, r.closeStore())
	}
	if err := r.definedAmongNodes(); err != nil {
		return nil, errors.Join(err, r.closeStore())
	}
	r.ctx, r.end = context.WithCancel(context.WithoutCancel(ctx))
	r.opened, r.leave = context.WithCancel(r.ctx)
	r.own.Go(func() { r.keepIndex() })
	r.own.Go(func() { r.countRuns() })
	r.own.Go(func() { r.keepProjections() })
	if r.node != nil {
		r.own.Go(func() { r.node.listen(r.ctx) })
	}
	r.finishErasures(ctx)
	r.serve()
	return r, nil
}

func (c *Config) complete() error {
	fallback := func(into *string, variable, otherwise string) {
		if *into == "" {
			*into = os.Getenv(variable)
		}
		if *into == "" {
			*into = otherwise
		}
	}
	fallback(&c.Store, "CLEW_STORE", "clew.data")
	fallback(&c.Namespace, "CLEW_NAMESPACE", "default")
	if c.Build == "" {
		c.Build = buildOf()
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	for _, d := range []struct {
		into      *int
		otherwise int
	}{{&c.Attempts, 1024}, {&c.Memory, 256 << 20}, {&c.Payload, 32 << 20}, {&c.Entries, 50_000}} {
		if *d.into == 0 {
			*d.into = d.otherwise
		}
	}
	if c.Drain == 0 {
		c.Drain = 10 * time.Second
	}
	if c.Lease == 0 {
		c.Lease = 4 * time.Second
	}
	host, _ := os.Hostname() // without one the node has no name
	fallback(&c.Node, "CLEW_NODE", host)
	fallback(&c.Dir, "CLEW_DIR", "")
	if c.Watchdog == 0 {
		c.Watchdog = 10 * time.Second
	}
	return errors.Join(
		namespace(c.Namespace),
		positive("Config.Attempts", c.Attempts), positive("Config.Payload", c.Payload), positive("Config.Entries", c.Entries), positive("Config.Drain", int(c.Drain)),
		positive("Config.Lease", int(c.Lease)),
		scheme(c),
	)
}

func positive(field string, n int) error {
	if n < 0 {
		return &commands.Invalid{Field: field, Value: fmt.Sprint(n), Want: "0 for the default, or more"}
	}
	return nil
}

func namespace(name string) error {
	const field = "Config.Namespace (or CLEW_NAMESPACE)"
	if strings.Contains(name, "/") {
		return &commands.Invalid{Field: field, Value: name, Want: "no slash"}
	}
	return commands.CheckName(field, name)
}

// buildOf names the program: its module's version, or the revision it was built from.
func buildOf() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	revision, modified := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = "+"
		}
	}
	switch {
	case revision != "":
		return revision + modified
	case info.Main.Version != "" && info.Main.Version != "(devel)":
		return info.Main.Version
	}
	return "devel"
}

// register sorts definitions by what they are.
func (r *Runtime) register(definitions []workflow.Definition) error {
	r.codes, r.handlers = map[string]map[int]workflow.Code{}, map[string]activity.Handler{}
	r.holds = map[string]func(history.Payload) error{}
	r.onMismatch = map[string]map[int]workflow.Mismatch{}
	r.settings, r.inputs, r.fields = map[string]workflow.Settings{}, map[string]string{}, lookup.Inputs{}
	r.laws.defined, r.laws.runs = map[string]history.Rule{}, map[string]history.Rule{}
	declared := map[string]bool{}
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	for _, d := range definitions {
		if b, ok := activity.BodyOf(d); ok {
			name := "activity " + b.Name
			errs = append(errs, b.Err)
			r.holds[b.Name] = b.Holds
			if b.Limit != (history.Rule{}) {
				r.laws.defined[b.Name] = b.Limit
			}
			if b.Err == nil {
				errs = append(errs, commands.CheckName("the name of an activity", b.Name))
			}
			switch {
			case b.Err != nil:
			case b.External:
				r.handlers[b.Name] = pends
			case b.Handler == nil:
				declared[name] = true
			case r.handlers[b.Name] != nil:
				wrong("%s is bound twice: two definitions have this name", name)
			default:
				r.handlers[b.Name] = b.Handler
			}
			continue
		}
		b, ok := workflow.BodyOf(d)
		if !ok {
			wrong("%T is neither a workflow nor an activity", d)
			continue
		}
		errs = append(errs, commands.CheckName("the name of a workflow", b.Name), b.Settings.Err)
		versions := r.codes[b.Name]
		switch {
		case b.Code == nil:
			declared["workflow "+b.Name] = true
			continue
		case versions[b.Settings.Version] != nil:
			wrong("workflow %s%s is bound twice: two definitions have this name", b.Name, versionText(b.Settings.Version))
			continue
		case versions == nil:
			versions = map[int]workflow.Code{}
			r.codes[b.Name] = versions
		}
		versions[b.Settings.Version] = b.Code
		if r.onMismatch[b.Name] == nil {
			r.onMismatch[b.Name] = map[int]workflow.Mismatch{}
		}
		r.onMismatch[b.Name][b.Settings.Version] = b.Settings.OnMismatch
		r.inputs[b.Name] = b.In
		if b.Settings.Version >= r.settings[b.Name].Version {
			r.settings[b.Name] = b.Settings
			if delete(r.fields, b.Name); b.Fields != nil {
				r.fields[b.Name] = lookup.Input(*b.Fields)
			}
			r.laws.runs[b.Name] = b.Settings.RunLimit
		}
	}
	for name := range declared {
		kind, plain, _ := strings.Cut(name, " ")
		if kind == "activity" && r.handlers[plain] == nil || kind == "workflow" && r.codes[plain] == nil {
			wrong("%s is declared and not bound: give runtime.Open what Bind returns", name)
		}
	}
	for name, s := range r.settings {
		if on := s.OnFailure.Type; on != "" && r.codes[on] == nil {
			wrong("workflow %s has the failure workflow %s, which is not bound: give it to runtime.Open", name, on)
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("runtime: the definitions cannot be used:\n%w", err)
	}
	return nil
}

// pends is the handler of an activity that somebody outside completes.
func pends(context.Context, history.Payload) (history.Payload, error) {
	return history.Payload{}, activity.Pending
}

// code finds the code of a run; nil if it is not here.
func (r *Runtime) code(name string, version int) workflow.Code { return r.codes[name][version] }

// keepIndex follows the log with the index until Close.
func (r *Runtime) keepIndex() {
	if err := r.index.Run(r.ctx, r.log); err != nil && r.ctx.Err() == nil {
		r.logger.Error("the index has stopped; executions go on, lookups do not", "error", err)
	}
}

// now is the wall clock as of Open, carried on by the monotonic clock.
func (r *Runtime) now() time.Time {
	return r.started.Add(time.Since(r.started) + r.config.Hooks.Offset).Round(0).UTC()
}

// Run works until ctx ends: it runs workflow code, makes attempts of activities and fires timers. Then it takes no more
// work, lets attempts end within [Config].Drain, cancels those that do not, waits as long again, and returns. What was cut off
// is made again by whoever runs next.
func (r *Runtime) Run(ctx context.Context) error {
	if !r.run.TryLock() {
		return errors.New("runtime: Run is running already, or the runtime is being closed")
	}
	defer r.run.Unlock()
	if r.closed.Load() {
		return ErrClosed
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(r.opened, stop)()
	if r.insist(ctx, "read the policies", history.PolicyID(r.config.Namespace), r.readPolicies) != nil {
		return nil // it is to end
	}
	r.working.Store(true)
	attempts := newAttempts(r)
	var loops sync.WaitGroup
	loops.Go(func() { r.watch(ctx) })
	loops.Go(func() { r.keepErasing(ctx) })
	loops.Go(func() { r.keepRetaining(ctx) })
	loops.Go(func() { r.wake(ctx) })
	loops.Go(func() { r.releaseHalted(ctx) })
	loops.Go(func() { r.giveSlots(ctx) })
	loops.Go(func() { attempts.feed(ctx) })
	loops.Go(func() { attempts.limit(ctx) })
	loops.Go(func() { r.mournAll(ctx) })
	if r.node != nil {
		return r.runNode(ctx, &loops, attempts)
	}
	err := r.hydrate(ctx)
	if err == nil {
		r.once.Do(func() { close(r.ready) })
		<-ctx.Done()
	}
	stop()
	loops.Wait()
	attempts.drain(r.config.Drain, r.config.Drain)
	r.working.Store(false)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

// Ready is closed when [Runtime.Run] has taken up everything that was open.
func (r *Runtime) Ready() <-chan struct{} { return r.ready }

// Close ends Run, waits for it as long as [Config].Drain allows, and closes the store.
func (r *Runtime) Close() error { return r.close() }

func (r *Runtime) shut() error {
	r.closed.Store(true)
	r.leave()
	r.unserve()
	patience := time.AfterFunc(r.config.Drain, r.end) // until then, what attempts return is still recorded
	r.run.Lock()                                      // until Run has returned
	defer r.run.Unlock()
	patience.Stop()
	r.end()
	r.executions.end()
	r.crew.dismiss()
	r.pool.Close()
	r.own.Wait()
	return r.closeStore()
}

// What can be wrong.
var (
	ErrInvalid        = commands.ErrInvalid
	ErrAlreadyRunning = commands.ErrAlreadyRunning
	ErrAlreadyExists  = commands.ErrAlreadyExists
	ErrNotFound       = commands.ErrNotFound
	ErrNotRunning     = commands.ErrNotRunning
	ErrSettled        = commands.ErrSettled
	ErrStale          = commands.ErrStale
	ErrTooLarge       = commands.ErrTooLarge
	ErrTooManySignals = commands.ErrTooManySignals
	ErrTooManyUpdates = commands.ErrTooManyUpdates
	ErrHistoryFull    = commands.ErrHistoryFull
	ErrRefused        = errors.New("clew: the workflow refuses")
	ErrRunClosed      = errors.New("clew: the run ended without an answer")
	ErrStillRunning   = socket.ErrStillRunning
	ErrUnknownType    = errors.New("clew: unknown type")
	ErrStalled        = errors.New("clew: stalled")
	ErrHeld           = socket.ErrHeld
	ErrNotErasable    = errors.New("clew: the store takes nothing away")
	ErrFull           = commands.ErrFull
	ErrPaused         = errors.New("clew: the execution is paused")
	ErrUnavailable    = store.ErrUnavailable
	ErrClosed         = errors.New("clew: the runtime is closed")
)
