package history

import (
	"testing"
	"time"
)

func benchEntry() Entry {
	e := Entry{
		Seq: 4711, At: time.Date(2026, 11, 21, 22, 3, 11, 123456789, time.UTC), By: Worker,
		Event: &ActivityCompleted{Try: Try{Step: 2355, Serial: 1795304055303108, Attempt: 1, Started: time.Date(2026, 11, 21, 22, 3, 11, 0, time.UTC)}, Result: JSON([]byte(`"R-4711"`))},
	}
	Seal(Hash{1}, &e)
	return e
}

func BenchmarkSeal(b *testing.B) {
	e := benchEntry()
	b.ReportAllocs()
	for b.Loop() {
		Seal(Hash{1}, &e)
	}
}

func BenchmarkUnmarshalEntry(b *testing.B) {
	e := benchEntry()
	wire := AppendEntry(nil, e)
	b.SetBytes(int64(len(wire)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := UnmarshalEntry(wire); err != nil {
			b.Fatal(err)
		}
	}
}
