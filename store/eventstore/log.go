// Package eventstore keeps a log in an EventStoreDB, or in a KurrentDB, as it is called today: a server or a cluster that
// several processes share.
//
// An execution is a stream and an entry is an event, so what the server's own tools show is the history. Every append names
// the revision that it expects, which is all that keeps writers apart; events have ids made of the entry's hash, so an
// append whose outcome is unknown is sent again until the answer is certain. One subscription to all streams feeds all who
// follow in this process.
//
// The calls go through the stubs of the client that the server's makers publish; connections, redirections and retries are
// this package's own (docs/decisions/0016-eventstoredb-on-the-stubs.md). Of the server it needs: release 22.6 or later, and
// the right to read $all. docs/eventstore.md is the manual.
package eventstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/clewflow/clew/store"
)

// Options are settings. The zero value works.
type Options struct {
	Root        string        // what all names of streams begin with; it ends in a dot; empty: "clew."
	Logger      *slog.Logger  // nil: nothing is logged
	Timeout     time.Duration // how long Open tries; 0: 10 s
	Patience    time.Duration // how long a call that certainly changed nothing is tried again when the server is not there; 0: 5 s
	Settle      time.Duration // how long an append whose outcome is unknown is repeated, if its context lasts; 0: 15 s
	MaxBytes    int           // of the entries of one append, at most; more only for servers from 25.1 on; 0: 900 KiB
	MaxEntries  int           // of one append; 0: 500
	Connections int           // for appends and reads, each of which carries a hundred calls at a time; 0: 2

	// AllowDefaultPassword lets the users admin and ops have the password that every new server has. Without TLS they may.
	AllowDefaultPassword bool

	quiet, grace           time.Duration // of a subscription before it is checked, and before it is given up
	ringRecords, ringBytes int           // kept of the newest records for all who follow
	connect                func(address, string, Options, *counters) server
}

// withDefaults fills in what was left open.
func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Root == "" {
		o.Root = "clew."
	}
	for _, d := range []struct {
		value     *time.Duration
		otherwise time.Duration
	}{{&o.Timeout, 10 * time.Second}, {&o.Patience, 5 * time.Second}, {&o.Settle, 15 * time.Second}, {&o.quiet, 10 * time.Second}, {&o.grace, 5 * time.Second}} {
		if *d.value == 0 {
			*d.value = d.otherwise
		}
	}
	for _, n := range []struct {
		value     *int
		otherwise int
	}{{&o.MaxBytes, 900 << 10}, {&o.MaxEntries, 500}, {&o.Connections, 2}, {&o.ringRecords, 16 << 10}, {&o.ringBytes, 32 << 20}} {
		if *n.value == 0 {
			*n.value = n.otherwise
		}
	}
	if o.connect == nil {
		o.connect = func(a address, root string, o Options, counted *counters) server {
			return &stubs{newCluster(a, o.Connections, o.Logger, counted), root}
		}
	}
	return o
}

// Log is a log on a server. It offers [store.Tailed], [store.Limited] and [store.Shared] too.
type Log struct {
	names
	opts    Options
	log     *slog.Logger
	server  server
	counted counters
	tryTime time.Duration // that one try of a call may take
	ring    ring
	cuts    cuts

	follow  sync.Once      // starts the subscription
	running sync.WaitGroup // the subscription
	closing chan struct{}
	close   func() error
}

var (
	_ store.Log     = (*Log)(nil)
	_ store.Tailed  = (*Log)(nil)
	_ store.Limited = (*Log)(nil)
	_ store.Shared  = (*Log)(nil)
	_ store.Cutter  = (*Log)(nil)
)

// Open connects to a server and finds out whether it can be used: whether it answers, knows the user, and lets it read. The
// address is a connection string, such as
//
//	esdb://name:password@host:2113?tls=true&tlsCaFile=/etc/clew/ca.crt
//	esdb://name:password@one:2113,two:2113,three:2113
//
// Errors: store.ErrUnavailable, store.ErrDenied, and what is wrong with the connection string. None holds the password.
func Open(ctx context.Context, url string, o Options) (*Log, error) {
	o = o.withDefaults()
	wrong := func(err error) (*Log, error) { return nil, fmt.Errorf("eventstore: open: %w", err) }
	if err := checkRoot(o.Root); err != nil {
		return wrong(err)
	}
	a, err := parseAddress(url, o.AllowDefaultPassword, o.Logger)
	if err != nil {
		return wrong(err)
	}
	l := &Log{
		names: names{o.Root}, opts: o, log: o.Logger, tryTime: a.deadline(),
		ring: newRing(o.ringRecords, o.ringBytes), closing: make(chan struct{}),
	}
	l.server = o.connect(a, o.Root, o, &l.counted)
	l.close = sync.OnceValue(l.shut)
	if err := l.greet(ctx); err != nil {
		_ = l.Close()
		return wrong(fmt.Errorf("%s: %w", strings.Join(a.seeds, ","), err))
	}
	return l, nil
}

// checkRoot keeps names of streams such that their categories and prefixes are what the package doc says.
func checkRoot(root string) error {
	for i := range len(root) {
		if c := root[i]; !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.') {
			return fmt.Errorf("the root %q holds %q, want letters, digits, dots and underscores", root, c)
		}
	}
	if len(root) < 2 || root[len(root)-1] != '.' {
		return fmt.Errorf("the root %q does not end in a dot, as in %q", root, "clew.")
	}
	return nil
}

// greet waits until the server answers, and finds out whether it will do.
func (l *Log) greet(ctx context.Context) error {
	given := ctx
	ctx, cancel := context.WithTimeout(ctx, l.opts.Timeout)
	defer cancel()
	var last error
	for try := 0; ; try++ {
		err := l.meet(ctx)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, store.ErrDenied):
			return fmt.Errorf("%w; the user must exist, and have the right to read $all", err)
		case errors.Is(err, errHandshake), !errors.Is(err, store.ErrUnavailable):
			return err
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		if !l.pause(ctx, try) {
			if given.Err() != nil {
				return fmt.Errorf("not reached: %w (%w)", last, given.Err())
			}
			return fmt.Errorf("not reached within %s: %w", l.opts.Timeout, last)
		}
	}
}

func (l *Log) meet(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.tryTime)
	defer cancel()
	if s, ok := l.server.(*stubs); ok {
		version, err := s.version(ctx)
		if err != nil {
			return err
		}
		if err := checkVersion(version); err != nil {
			return err
		}
		l.log.Debug("connected to an EventStoreDB", "version", version)
	}
	_, err := l.server.readAll(ctx, edge, backwards, 1)
	return err
}

// checkVersion refuses releases that do not tell the positions of events that are read from their stream. A server that
// does not say what it is is taken for one that will do.
func checkVersion(version string) error {
	var year, month int
	if n, _ := fmt.Sscanf(version, "%d.%d", &year, &month); n == 2 && (year < 22 || year == 22 && month < 6) {
		return fmt.Errorf("the server is of the release %s, want 22.6 or later", version)
	}
	return nil
}

// Limits is that of [store.Limited].
func (l *Log) Limits() (bytes, entries int) { return l.opts.MaxBytes, l.opts.MaxEntries }

// Shared is that of [store.Shared]. Others may append.
func (l *Log) Shared() bool { return true }

// Close ends all that is under way and closes the connections.
func (l *Log) Close() error { return l.close() }

func (l *Log) shut() error {
	close(l.closing)
	err := l.server.close()
	l.running.Wait()
	return err
}

// usable says why nothing can be asked of the Log, if so.
func (l *Log) usable(ctx context.Context) error {
	select {
	case <-l.closing:
		return store.ErrClosed
	default:
		return ctx.Err()
	}
}
