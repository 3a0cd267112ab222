package esdbtest

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Event is one event as it is stored.
type Event struct {
	ID          string
	Stream      string
	Revision    uint64
	Position    uint64 // commit and prepare
	Type        string
	ContentType string
	Data        []byte
	Metadata    []byte
	Created     time.Time
}

func newID() string { return uuid.NewString() }

// log is the one log of all nodes.
type log struct {
	now     func() time.Time
	mu      sync.Mutex
	events  []*Event // by their positions
	streams map[string]*stream
	end     uint64        // where the next event is written
	grown   chan struct{} // closed with the next write; nil while nobody waits
	recent  recent
	lag     int // of followers, in events
	file    *os.File
}

type stream struct {
	base       uint64 // revision of events[0]: those before are scavenged
	events     []*Event
	tombstoned bool
	deleted    bool // softly; the next append goes on behind what is hidden
	before     uint64
	count      uint64
	age        time.Duration
}

func newLog(now func() time.Time) *log {
	return &log{now: now, streams: map[string]*stream{}, end: 64, recent: recent{of: map[string]place{}}}
}

// last is the revision of the last event, below 0 if there never was one.
func (s *stream) last() int64 {
	if s == nil {
		return -1
	}
	return int64(s.base) + int64(len(s.events)) - 1
}

// at is the event of a revision, nil if it is scavenged or not there.
func (s *stream) at(revision int64) *Event {
	if s == nil {
		return nil
	}
	if i := revision - int64(s.base); i >= 0 && i < int64(len(s.events)) {
		return s.events[i]
	}
	return nil
}

// shown is the first revision that is not hidden.
func (s *stream) shown(now time.Time) uint64 {
	first := s.before
	if s.count > 0 && s.last()+1 > int64(s.count) {
		first = max(first, uint64(s.last()+1)-s.count)
	}
	if s.age > 0 {
		for i := int64(max(first, s.base)); i <= s.last() && s.at(i).Created.Before(now.Add(-s.age)); i++ {
			first = uint64(i) + 1
		}
	}
	return max(first, s.base)
}

// write appends events. The caller holds mu.
func (l *log) write(name string, events []*Event) {
	l.put(name, events)
	l.save(record{Events: events})
}

// put is write without the file.
func (l *log) put(name string, events []*Event) {
	s := l.streams[name]
	if s == nil {
		s = &stream{}
		l.streams[name] = s
	}
	if s.deleted {
		s.deleted, s.before = false, uint64(s.last()+1)
	}
	now := l.now().UTC()
	for _, e := range events {
		e.Stream, e.Revision, e.Position = name, uint64(s.last()+1), l.end
		if e.Created.IsZero() {
			e.Created = now
		}
		l.end += uint64(len(e.Data)+len(e.Metadata)+len(e.Type)+len(name)) + 80
		s.events = append(s.events, e)
		l.events = append(l.events, e)
		l.recent.add(e.ID, place{name, e.Revision})
	}
	l.describe(name, events[len(events)-1].Data)
	l.wake()
}

// describe takes over the metadata of a stream, if name is the stream of some.
func (l *log) describe(name string, data []byte) {
	if len(name) < 3 || name[:2] != "$$" {
		return
	}
	var m struct {
		Before uint64 `json:"$tb"`
		Count  uint64 `json:"$maxCount"`
		Age    uint64 `json:"$maxAge"`
	}
	_ = json.Unmarshal(data, &m) // the server takes what it understands
	s := l.streams[name[2:]]
	if s == nil {
		s = &stream{}
		l.streams[name[2:]] = s
	}
	s.before, s.count, s.age = m.Before, m.Count, time.Duration(m.Age)*time.Second
}

func (l *log) wake() {
	if l.grown != nil {
		close(l.grown)
		l.grown = nil
	}
}

// find is the index of the first event at or behind a position.
func (l *log) find(position uint64) int {
	return sort.Search(len(l.events), func(i int) bool { return l.events[i].Position >= position })
}

// seen is how many events a node has.
func (l *log) seen(leads bool) int {
	if leads {
		return len(l.events)
	}
	return max(0, len(l.events)-l.lag)
}

// hide softly deletes a stream.
func (l *log) hide(name string) {
	if s := l.streams[name]; s != nil {
		s.deleted, s.before = true, math.MaxInt64
		l.save(record{Deleted: name})
	}
}

// bury ends a stream for ever. The event that says so and the end are one record: a process may die between two.
func (l *log) bury(name string) {
	events := []*Event{{ID: newID(), Type: "$streamDeleted"}}
	l.put(name, events)
	l.streams[name].tombstoned = true
	l.save(record{Events: events, Buried: name})
}

// scavenge removes what is hidden, but for the last event of each stream.
func (l *log) scavenge() {
	gone := map[*Event]bool{}
	for _, s := range l.streams {
		keep := s.shown(l.now())
		for len(s.events) > 1 && s.base < keep {
			gone[s.events[0]] = true
			s.events, s.base = s.events[1:], s.base+1
		}
	}
	l.events = slices.DeleteFunc(slices.Clone(l.events), func(e *Event) bool { return gone[e] })
}

// place is where an event is.
type place struct {
	stream   string
	revision uint64
}

// maxRecent is how many ids the server remembers.
const maxRecent = 100_000

// recent are the ids that were written last. By them alone the server knows the repetition of an append that expects nothing.
type recent struct {
	of    map[string]place
	order []string
}

func (r *recent) add(id string, at place) {
	if len(r.order) == maxRecent {
		delete(r.of, r.order[0])
		r.order = r.order[1:]
	}
	r.of[id] = at
	r.order = append(r.order, id)
}

func (r *recent) clear() { r.of, r.order = map[string]place{}, nil }
