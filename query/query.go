// Package query says what may be asked about runs of executions, not how it is answered.
//
// A [Query] is a question: which runs, in which order, how many at a time. A [Row] is what is known of one run. A [Page]
// is one answer, and a [Cursor] the place where the next one begins.
//
// The package is pure: it reads no clock, so whoever answers resolves what is relative to now with [Query.At].
package query

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Sizes of a page.
const (
	DefaultLimit = 100
	MaxLimit     = 1000
)

// Query asks for runs. The zero Query asks for every run, newest first, 100 per page. All that is set must hold.
type Query struct {
	Namespace     string        // empty: all; the runtime fills in its own
	Type          string        // of the workflow
	ID            string        // of the execution
	IDPrefix      string        // with which the execution's id begins
	Run           string        // id of one run
	Status        Status        // a set, any of which will do; 0: all
	Parent        string        // id of the parent execution
	Origin        string        // what began the run, as in [Row.Origin]: "client", "schedule:daily"
	CorrelationID string        // as given at the start
	Since, Until  time.Time     // of the start: Since itself is in, Until itself is out; zero: no bound
	Last          time.Duration // of the start: not longer ago than this; 0: no bound
	ClosedSince   time.Time     // of the end, like Since; open runs have none
	ClosedUntil   time.Time     // of the end, like Until
	Where         string        // the rest, a condition in the query language; see [Parse] and [Runs]
	Now           time.Time     // what is relative to now is relative to this; zero: to the clock of whoever answers
	Order         string        // a field, such as one of [Orders]; empty: "-started"
	Limit         int           // runs per page, up to 1000; 0: 100
	After         string        // the Next of the page before; empty: the first page
	Most          int           // runs on all pages together, for those who turn them; 0: all
	Within        time.Duration // for which the question may be worked on; 0: 30 s
	Known         bool          // refuse every attribute, member of the memo and field of the input that no run has, and not only what looks misspelt
	Unseen        bool          // names may be asked about before the first run has them, also those that look misspelt: they find nothing
	AsOf          AsOf          // of which moment the question is; zero: now
	Stale         bool          // do not wait for what was acknowledged before the question
}

// ErrInvalid is in the chain of every error about a query that cannot be answered as it stands.
var ErrInvalid = errors.New("query: invalid")

// ErrTooLong: answering took longer than the query allows.
var ErrTooLong = errors.New("query: answering takes too long")

// Patience is for how long a question may be worked on that does not say it.
const Patience = 30 * time.Second

// Invalid says what is wrong with a query.
type Invalid struct {
	Field string // of [Query]
	Value string // as given
	Want  string // what is right
}

func (e *Invalid) Error() string {
	return fmt.Sprintf("query: %s is %s, want %s", e.Field, e.Value, e.Want)
}

// Unwrap returns [ErrInvalid].
func (e *Invalid) Unwrap() error { return ErrInvalid }

// Check reports the first thing that is wrong with q, as an [*Invalid].
func (q Query) Check() error {
	wrong := func(field string, value any, want string) error {
		return &Invalid{Field: field, Value: fmt.Sprint(value), Want: want}
	}
	switch {
	case q.Status&^(Open|Closed) != 0:
		return wrong("Status", fmt.Sprintf("%#x", uint16(q.Status)), "a set of Running, Paused, Stalled, Completed, Failed, Cancelled, Terminated, TimedOut and Continued")
	case q.Last < 0:
		return wrong("Last", q.Last, "a duration above 0, or 0 for no bound")
	case before(q.Until, q.Since):
		return wrong("Until", q.Until.Format(time.RFC3339Nano), "a time after Since, "+q.Since.Format(time.RFC3339Nano))
	case before(q.ClosedUntil, q.ClosedSince):
		return wrong("ClosedUntil", q.ClosedUntil.Format(time.RFC3339Nano), "a time after ClosedSince, "+q.ClosedSince.Format(time.RFC3339Nano))
	case q.Known && q.Unseen:
		return wrong("Unseen", "set, as Known is", "one of them: Known refuses names that no run has, Unseen lets them pass")
	case q.Within < 0:
		return wrong("Within", q.Within, "a duration above 0, or 0 for "+Patience.String())
	case q.Most < 0:
		return wrong("Most", q.Most, "1 or more, or 0 for all")
	case q.Limit < 0 || q.Limit > MaxLimit:
		return wrong("Limit", q.Limit, fmt.Sprintf("1 to %d, or 0 for %d", MaxLimit, DefaultLimit))
	}
	if err := q.AsOf.check(); err != nil {
		return err
	}
	order, err := ParseOrder(q.Order)
	if err != nil {
		return err
	}
	if order.By == ByClosed && q.Status != 0 && q.Status&Closed == 0 {
		return wrong("Order", strconv.Quote(q.Order), "another one, because the runs asked for are "+q.Status.String()+" and have not closed")
	}
	if _, err := ParseWhere(q.Where); err != nil {
		return err
	}
	_, err = q.Cursor()
	return err
}

func before(until, since time.Time) bool {
	return !until.IsZero() && !since.IsZero() && until.Before(since)
}

// PageSize is the number of runs per page that q asks for.
func (q Query) PageSize() int {
	if q.Limit == 0 {
		return DefaultLimit
	}
	return q.Limit
}

// At resolves Last against now: the result says the same with Since alone.
func (q Query) At(now time.Time) Query {
	if q.Last <= 0 {
		return q
	}
	if since := now.Add(-q.Last); since.After(q.Since) {
		q.Since = since
	}
	q.Last = 0
	return q
}

// digest is a sum over what q asks for and the key of a place among the answers. Whoever turns the pages may change how
// long they are, but not what is on them.
func (q Query) digest(key []byte) []byte {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q %q %q %d %q %q %q %d %d %d %d %d %q %q ", q.Namespace, q.Type, q.ID, q.IDPrefix, q.Run, q.Status, q.Parent,
		q.Origin, q.CorrelationID, nanos(q.Since), nanos(q.Until), q.Last, nanos(q.ClosedSince), nanos(q.ClosedUntil), q.Where, q.Order)
	if !q.AsOf.IsZero() {
		fmt.Fprintf(h, "%d %d ", q.AsOf.Position, nanos(q.AsOf.Time))
	}
	h.Write(key)
	return h.Sum(nil)[:digestSize]
}

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}
