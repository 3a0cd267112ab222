package storetest

import (
	"fmt"
	"strings"
	"time"

	"github.com/clewflow/clew/history"
)

// Stream makes sealed entries, one after the other, as they come in a history. The same calls make the same entries.
type Stream struct {
	ID history.ID

	seq    uint64
	hash   history.Hash
	at     time.Time
	flavor string
	size   int
}

// NewStream returns the maker of a history that is still empty.
func NewStream(id history.ID) *Stream {
	return &Stream{ID: id, at: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
}

// Continue returns the maker of a history that holds entries already.
func Continue(id history.ID, entries []history.Entry) *Stream {
	s := NewStream(id)
	if n := len(entries); n > 0 {
		last := entries[n-1]
		s.seq, s.hash, s.at = last.Seq, last.Hash, last.At
	}
	return s
}

// Vary makes the entries to come differ from those of other flavors.
func (s *Stream) Vary(flavor string) *Stream {
	s.flavor = flavor
	return s
}

// Sized makes the payloads of the entries to come this large.
func (s *Stream) Sized(bytes int) *Stream {
	s.size = bytes
	return s
}

// Seq is that of the last entry, 0 if there is none.
func (s *Stream) Seq() uint64 { return s.seq }

// Hash is that of the last entry.
func (s *Stream) Hash() history.Hash { return s.hash }

// Next returns the next n entries.
func (s *Stream) Next(n int) []history.Entry {
	entries := make([]history.Entry, n)
	for i := range entries {
		s.seq++
		s.at = s.at.Add(time.Millisecond)
		entries[i] = history.Entry{Seq: s.seq, At: s.at, By: history.Client, Event: s.event()}
		history.Seal(s.hash, &entries[i])
		s.hash = entries[i].Hash
	}
	return entries
}

func (s *Stream) event() history.Event {
	if s.seq == 1 {
		return &history.Started{Run: "r1" + s.flavor, Chain: "r1" + s.flavor, Number: 1, Type: "order", Version: 1, Seed: 42, Input: s.payload()}
	}
	return &history.Signaled{Name: "paid" + s.flavor, Value: s.payload()}
}

func (s *Stream) payload() history.Payload {
	return history.JSON(fmt.Appendf(nil, `{"n":%d,"text":"%s"}`, s.seq, strings.Repeat("x", s.size)))
}
