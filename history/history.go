// Package history says what happened to an execution, and what it amounts to.
//
// An [Event] is one thing that happened, in the past tense. An [Entry] is an event in its place: its number in the
// history, its time, who brought it about, and the hash that ties it to its predecessor. A [State] is what a history
// amounts to; it is had by folding the entries one by one.
//
// The package is pure: it reads no clock, rolls no dice, starts no goroutine and does no I/O. Folding never refuses,
// because what is recorded happened. What may happen is decided by package commands.
//
// One file is one noun: each holds the events of its subject, how they are folded, and how they are written.
package history

import (
	"fmt"
	"strings"
	"time"
)

// ID names an execution: one stream of the log.
type ID struct {
	Namespace string // separates those who share a store
	Workflow  string // the workflow id, chosen by whoever starts it
}

func (id ID) String() string { return id.Namespace + "/" + id.Workflow }

// Family is empty for executions. Streams of clew's own that belong to a namespace are of another family, such as "node":
// "@" is in no namespace that an execution may have.
func (id ID) Family() string {
	family, _, own := strings.Cut(id.Namespace, "@")
	if !own {
		return ""
	}
	return family
}

// ParseID reads what [ID.String] wrote. The namespace holds no slash, the workflow id may.
func ParseID(s string) (ID, error) {
	namespace, workflow, ok := strings.Cut(s, "/")
	if !ok {
		return ID{}, fmt.Errorf("history: %q is no execution id, want namespace/workflow-id", s)
	}
	return ID{namespace, workflow}, nil
}

// Step numbers what workflow code asks for, in the order it asks, from 1 in each run. 0 is the run itself.
type Step uint64

// Serial numbers the hand-outs of an activity's attempts. It only rises, over retries, losses and restarts.
type Serial uint64

// Role says what an event is to the workflow code.
type Role uint8

const (
	Input    Role = iota + 1 // told to the code
	Decision                 // asked for by the code
	Note                     // neither: what the code need not know
)

func (r Role) String() string { return [...]string{"?", "input", "decision", "note"}[r] }

// Event is one thing that happened. Only the types of this package are events.
type Event interface {
	// Role says what the event is to the workflow code.
	Role() Role
	// Kind is the event's name on the wire. It never changes.
	Kind() string

	evolve(s *State, e *Entry)
	put(w *writer)
	take(r *reader, key string) bool
}

// Actor says who brought an entry about: "client", "worker", "clock", "operator:ann". The zero Actor is the workflow
// code, which brings about most entries.
type Actor string

// Those who act on executions.
const (
	Code     Actor = ""
	Client   Actor = "client"
	Worker   Actor = "worker"
	Clock    Actor = "clock"
	Operator Actor = "operator"
)

// Entry is an event in its place in a history.
type Entry struct {
	Seq     uint64    // from 1, over the whole stream
	At      time.Time // UTC; never before that of the entry before
	By      Actor
	Node    string   // that recorded it; empty where one process has the store to itself
	Build   string   // of the program that decided it; empty means as in the entry before
	Told    uint64   // unless 0: the code has been told, and been answered in full, up to this Seq
	Unread  int      // with Told, and in an open run: how many of the signals before this entry the code has not received
	Request string   // request id of the command, for recognising its repetition
	Adopted *Adopted // nil unless it repeats an entry of an earlier run
	Hash    Hash     // over the hash of the entry before and all of this one but the bytes of payloads
	Event   Event

	wire    []byte // as written or read, hash included
	encoded bool
}

// Encoded reports whether a payload of a sealed entry is stored as something else than plain JSON: what is closed is to be
// opened before it is of use.
func (e Entry) Encoded() bool { return e.encoded }

// With returns e with another form of its event, such as one whose payloads were opened. The hash and the written form stay
// those that were sealed or read: it is the same entry.
func (e Entry) With(event Event) Entry {
	e.Event = event
	return e
}

func (e Entry) String() string { return fmt.Sprintf("%d %s", e.Seq, e.Event.Kind()) }
