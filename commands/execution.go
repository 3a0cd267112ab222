package commands

import (
	"cmp"
	"fmt"
	"time"

	"github.com/clewflow/clew/history"
)

// IfRunning says what a start does when a run is open.
type IfRunning int

// What a start does when a run is open.
const (
	Refuse            IfRunning = iota // ErrAlreadyRunning
	UseExisting                        // nothing; the answer is the open run
	TerminateExisting                  // in the same append
)

// IfClosed says what a start does when the id was used before.
type IfClosed int

// What a start does when the id was used before.
const (
	Allow               IfClosed = iota
	AllowIfNotCompleted          // ErrAlreadyExists if the last run completed
	Reject                       // ErrAlreadyExists
)

// Start begins a run.
type Start struct {
	ID               history.ID
	Run              string // id of the new run
	Type             string
	Version          int
	Input            history.Payload
	Seed             uint64
	Origin           history.Origin
	After            time.Duration // not to begin before this has passed
	At               time.Time     // nor before this
	RunTimeout       time.Duration
	ExecutionTimeout time.Duration
	From             history.Sources // of these two
	CorrelationID    string
	Memo, Attributes history.Payload
	Headers          history.Payload
	Parent           history.Parent
	Root             string
	Depth            int // of a child, see [history.Started]
	Pinned           bool
	Route            string
	Budget           history.Budget // zero: the standard one
	OnFailure        history.OnFailure
	IfRunning        IfRunning
	IfClosed         IfClosed
	Unread           []uint64 // signals that the code of the run to be terminated has not received, if that is known
	Slot             Slot     // what is known of its limits
	Again            bool     // the parent has adopted that it asked for this: it is not started if it is under way or has completed
}

func (c Start) decide(s *history.State, now time.Time) ([]history.Event, error) {
	if err := c.check(now); err != nil {
		return nil, err
	}
	var events []history.Event
	switch {
	case c.isChild() && s.Status != 0 && s.Run.Parent == c.Parent:
		return nothing() // it was started before
	case c.Again && c.continues(s) && s.Status == history.StatusCompleted:
		return nothing()
	case c.Again && c.continues(s) && s.Open() && s.Run.CancelRequested:
		return nil, fmt.Errorf("%w: it was asked to by the run before", ErrEnding)
	case c.Again && c.continues(s) && s.Open() && s.Run.Parent.Run != c.Parent.Run:
		return follows(&history.ParentChanged{Run: c.Parent.Run})
	case c.Again && c.continues(s) && s.Open():
		return nothing()
	case s.Open() && c.IfRunning == Refuse:
		return nil, fmt.Errorf("%w as run %s; wait for it, or start with IfRunning(UseExisting) or IfRunning(TerminateExisting)", ErrAlreadyRunning, s.Run.ID)
	case s.Open() && c.IfRunning == UseExisting:
		return nothing()
	case s.Open():
		events = append(events, &history.Terminated{Reason: "replaced by run " + c.Run, Closing: closing(s, c.Unread)})
	case s.Status != 0 && (c.IfClosed == Reject || c.IfClosed == AllowIfNotCompleted && s.Status == history.StatusCompleted):
		return nil, fmt.Errorf("%w: run %s is %s", ErrAlreadyExists, s.Run.ID, s.Status)
	}
	return append(events, c.started(s, now)), nil
}

func (c Start) isChild() bool { return c.Parent.ID != "" }

// continues reports whether the run that there is was asked for by the step which now asks again.
func (c Start) continues(s *history.State) bool {
	if s.Status == 0 {
		return false
	}
	p := s.Run.Parent
	return p.ID == c.Parent.ID && p.Chain == c.Parent.Chain && p.Step == c.Parent.Step
}

func (c Start) check(now time.Time) error {
	for _, d := range []struct {
		field string
		value time.Duration
	}{{"After", c.After}, {"RunTimeout", c.RunTimeout}, {"ExecutionTimeout", c.ExecutionTimeout}} {
		if err := CheckDuration(d.field, d.value); err != nil {
			return err
		}
	}
	if c.At.Sub(now) > MaxDuration {
		return &Invalid{Field: "At", Value: c.At.String(), Want: "within a hundred years"}
	}
	return nil
}

// MaxDuration is the longest time that anything can be asked to take or to wait: a hundred years.
const MaxDuration = 100 * 365 * 24 * time.Hour

// CheckDuration refuses negative and huge durations.
func CheckDuration(field string, d time.Duration) error {
	if d < 0 || d > MaxDuration {
		return &Invalid{Field: field, Value: d.String(), Want: "0 to 876000h"}
	}
	return nil
}

func (c Start) started(s *history.State, now time.Time) *history.Started {
	e := &history.Started{
		ID: c.ID, Run: c.Run, Chain: c.Run, Number: s.Run.Number + 1, Type: c.Type, Version: c.Version, Input: c.Input, Seed: c.Seed,
		Origin: c.Origin, CorrelationID: c.CorrelationID, Memo: c.Memo, Attributes: c.Attributes, Headers: c.Headers, Parent: c.Parent,
		Root: c.Root, Depth: c.Depth, Pinned: c.Pinned, Route: c.Route, RunTimeout: c.RunTimeout, From: c.From, Budget: c.Budget, OnFailure: c.OnFailure,
		Key: c.Slot.Key,
	}
	if begin := now.Add(c.After); c.After > 0 && begin.After(c.At) {
		e.BeginAt = begin
	} else if c.At.After(now) {
		e.BeginAt = c.At.UTC().Round(0)
	}
	begin := now // the limits run from the beginning, else a delay longer than a limit could never begin
	if !e.BeginAt.IsZero() {
		begin = e.BeginAt
	}
	e.RunDeadline, e.Deadline = after(begin, c.RunTimeout), after(begin, c.ExecutionTimeout)
	c.Slot.wait(e)
	return e
}

// after is the time d after now, or no time if there is no limit.
func after(now time.Time, d time.Duration) time.Time {
	if d == 0 {
		return time.Time{}
	}
	return now.Add(d)
}

// RequestCancel tells the code that the run is wanted to end.
type RequestCancel struct {
	Reason string
	Chain  string // unless empty: only if this is the chain that is under way
}

func (c RequestCancel) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	if err := running(s); err != nil {
		return nil, err
	}
	if s.Run.CancelRequested || c.Chain != "" && s.Run.Chain != c.Chain {
		return nothing()
	}
	return follows(&history.CancelRequested{Reason: c.Reason})
}

// Terminate closes the run at once. Unread are the signals that the code has not received, if that is known.
type Terminate struct {
	Reason string
	Unread []uint64
}

func (c Terminate) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	if err := running(s); err != nil {
		return nil, err
	}
	return follows(&history.Terminated{Reason: c.Reason, Closing: closing(s, c.Unread)})
}

// Complete closes the run with the result that its code returned.
type Complete struct {
	Result history.Payload
	Unread []uint64
}

func (c Complete) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	if err := running(s); err != nil {
		return nil, err
	}
	return follows(&history.Completed{Result: c.Result, Closing: closing(s, c.Unread)})
}

// Fail closes the run with the error that its code returned.
type Fail struct {
	Failure   history.Payload
	Cancelled bool // the code ended because it was asked to
	Unread    []uint64
}

func (c Fail) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	if err := running(s); err != nil {
		return nil, err
	}
	if c.Cancelled {
		return follows(&history.Cancelled{Failure: c.Failure, Closing: closing(s, c.Unread)})
	}
	return follows(&history.Failed{Failure: c.Failure, Closing: closing(s, c.Unread)})
}

// ContinueAsNew closes the run and begins the next one of its chain with another input. What is unset is as in the run
// before.
type ContinueAsNew struct {
	ID               history.ID
	Run              string // id of the next run
	Pin              int    // pins the next run to a version; 0: it is as the run is
	Version          int    // unless it is pinned
	Route            string // why this version
	Input            history.Payload
	Seed             uint64
	RunTimeout       time.Duration // 0: as before
	ExecutionTimeout time.Duration // 0: the deadline stays
	CorrelationID    string
	Memo, Headers    history.Payload // absent: as before
	Attributes       history.Payload // on top of those there are
	Unread           []uint64        // signals that travel on
	Updates          []history.CarriedUpdate
}

func (c ContinueAsNew) decide(s *history.State, now time.Time) ([]history.Event, error) {
	if err := running(s); err != nil {
		return nil, err
	}
	r := s.Run
	next := nextRun(s, now, c.ID, c.Run, c.Input, c.Seed)
	next.Version, next.Route = c.Version, c.Route
	next.CorrelationID = cmp.Or(c.CorrelationID, r.CorrelationID)
	next.Attributes = s.Attributes.With(c.Attributes).Payload()
	next.RunTimeout = cmp.Or(c.RunTimeout, r.RunTimeout)
	next.From = c.bounds(next.From)
	next.Carried, next.Updates = history.Ranges(c.Unread), c.Updates
	switch {
	case c.Pin > 0:
		next.Version, next.Route, next.Pinned = c.Pin, "", true
	case r.Pinned:
		next.Version, next.Route = r.Version, ""
	}
	if !c.Memo.Absent() {
		next.Memo = c.Memo
	}
	if !c.Headers.Absent() {
		next.Headers = c.Headers
	}
	if c.ExecutionTimeout > 0 {
		next.Deadline = now.Add(c.ExecutionTimeout)
	}
	next.RunDeadline = after(now, next.RunTimeout)
	return follows(&history.Continued{Closing: closing(s, nil)}, next)
}

// bounds say where the time-outs of the next run come from: what the code names, it has asked for.
func (c ContinueAsNew) bounds(from history.Sources) history.Sources {
	if c.RunTimeout > 0 {
		from = from.AskedAnew(history.RunTimeoutField)
	}
	if c.ExecutionTimeout > 0 {
		from = from.AskedAnew(history.ExecutionTimeoutField)
	}
	return from
}

// Restart ends the run, which cannot go on, and begins the next of its chain from the beginning.
type Restart struct {
	ID      history.ID
	Run     string // id of the next run
	Seed    uint64
	Reason  string
	Input   history.Payload // of the run that ends
	Signals []uint64        // that were accepted in it, which are told again
	Updates []history.CarriedUpdate
}

func (c Restart) decide(s *history.State, now time.Time) ([]history.Event, error) {
	if err := running(s); err != nil {
		return nil, err
	}
	next := nextRun(s, now, c.ID, c.Run, c.Input, c.Seed)
	next.Version, next.Route = s.Run.Version, s.Run.Route
	next.RunDeadline = after(now, next.RunTimeout)
	next.Carried, next.Updates = history.Ranges(c.Signals), c.Updates
	return follows(&history.Terminated{Reason: c.Reason, Closing: closing(s, nil)}, next)
}

// nextRun is the beginning of the run that continues that of s, as far as it is the same.
func nextRun(s *history.State, now time.Time, id history.ID, run string, input history.Payload, seed uint64) *history.Started {
	r := s.Run
	_, deadline := s.Deadlines(now)
	return &history.Started{
		ID: id, Run: run, Chain: r.Chain, Number: r.Number + 1, Type: r.Type, Input: input, Seed: seed, Origin: r.Origin, Deadline: deadline,
		CorrelationID: r.CorrelationID, Memo: r.Memo, Attributes: s.Attributes.Payload(), Headers: r.Headers, Parent: r.Parent, Root: r.Root, Depth: r.Depth,
		Pinned: r.Pinned, RunTimeout: r.RunTimeout, From: r.From, HadChildren: r.HadChildren, Budget: r.Budget, OnFailure: r.OnFailure,
		Key: r.Key,
	}
}

func closing(s *history.State, unread []uint64) history.Closing {
	return history.Closing{Unread: unread, Abandoned: len(s.Activities), Children: len(s.Children)}
}

// Move puts the run on another version of its code. Whether that fits what is recorded only the shell can tell.
type Move struct {
	Version int
	Reason  string
}

func (c Move) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	if err := running(s); err != nil || s.Run.Version == c.Version {
		return nil, err
	}
	return follows(&history.Moved{Version: c.Version, Reason: c.Reason})
}
