package lookup

import (
	"context"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/store"
)

// short is a workflow of one activity, four entries: the next one of a log.
func short(position uint64, now time.Time, name string) []store.Record {
	id := history.ID{Namespace: "default", Workflow: name}
	events := []history.Event{
		&history.Started{Run: uuid.Must(uuid.NewV7()).String(), Number: 1, Type: "order", Version: 1, Origin: history.Origin{Kind: "client"}},
		&history.ActivityScheduled{Step: 1, Name: "charge", Policy: &history.StandardPolicy},
		&history.ActivityCompleted{Try: history.Try{Step: 1, Serial: 1, Attempt: 1}},
		&history.Completed{},
	}
	var records []store.Record
	for i, event := range events {
		e := history.Entry{Seq: uint64(i + 1), At: now, Event: event}
		if i%2 == 1 {
			e.Told = uint64(i)
		}
		records = append(records, store.Record{Position: store.At(position + uint64(i+1)), ID: id, Entry: e})
	}
	records[0].Entry.Build = "v1.2.3-20261121"
	return records
}

// processor is the time that all processors have worked for this process, which says more than the wall where others work
// too.
func processor() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func inTurn(position uint64) string { return fmt.Sprintf("order-%012d", position) }
func atRandom(uint64) string        { return "order-" + uuid.NewString() }

// BenchmarkApply: what does a workflow of one activity cost the index, at full and at small batches, and what do ids cost
// that come in no order?
func BenchmarkApply(b *testing.B) {
	for _, c := range []struct {
		name string
		size int
		id   func(uint64) string
	}{
		{"batch=1000,ids in turn", maxRuns, inTurn}, {"batch=1000,ids at random", maxRuns, atRandom},
		{"batch=100,ids in turn", 100, inTurn}, {"batch=10,ids in turn", 10, inTurn},
	} {
		b.Run(c.name, func(b *testing.B) {
			x := open(b, filepath.Join(b.TempDir(), "index.db"))
			var records []store.Record
			var position uint64
			now := epoch
			flush := func() {
				require.NoError(b, x.Apply(records))
				records = records[:0]
			}
			b.ReportAllocs()
			before := processor()
			for b.Loop() {
				now = now.Add(20 * time.Microsecond)
				records = append(records, short(position, now, c.id(position))...)
				position += 4
				if len(records) == 4*c.size {
					flush()
				}
			}
			flush()
			b.ReportMetric(float64(processor()-before)/float64(b.N), "cpu-ns/op")
		})
	}
	b.Run("only making the entries", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			short(0, epoch, inTurn(0))
		}
	})
}

// BenchmarkGoesOn: what does one more activity of an open workflow cost, 1,000 workflows in turn?
func BenchmarkGoesOn(b *testing.B) {
	x := open(b, filepath.Join(b.TempDir(), "index.db"))
	var ids []history.ID
	var position uint64
	for range 1000 {
		records := short(position, epoch, inTurn(position))[:1]
		position = records[0].Position.Commit
		ids = append(ids, records[0].ID)
		require.NoError(b, x.Apply(records))
	}
	var records []store.Record
	seq := uint64(1)
	for n := 0; b.Loop(); n++ {
		if n%1000 == 0 {
			require.NoError(b, x.Apply(records))
			records = records[:0]
			seq += 2
		}
		id := ids[n%1000]
		records = append(records,
			store.Record{Position: store.At(position + 1), ID: id, Entry: history.Entry{Seq: seq, At: epoch, Event: &history.ActivityCompleted{Try: history.Try{Step: 1}}}},
			store.Record{Position: store.At(position + 2), ID: id, Entry: history.Entry{Seq: seq + 1, At: epoch, Told: seq, Event: &history.ActivityScheduled{Step: 2, Policy: &history.StandardPolicy}}})
		position += 2
	}
	require.NoError(b, x.Apply(records))
}

// BenchmarkFind: how long does the first page take among many runs?
func BenchmarkFind(b *testing.B) {
	x := open(b, filepath.Join(b.TempDir(), "index.db"))
	var records []store.Record
	var position uint64
	const many = 200_000
	began := time.Now()
	for n := range many {
		w := short(position, epoch.Add(time.Duration(n)*time.Millisecond), atRandom(position))
		position += 4
		switch {
		case n%1000 == 0:
			w = w[:2] // open
		case n%777 == 0:
			w[3].Entry.Event = &history.Failed{}
		}
		records = append(records, w...)
		if len(records) > 3900 {
			require.NoError(b, x.Apply(records))
			records = records[:0]
		}
	}
	require.NoError(b, x.Apply(records))
	b.Logf("%.0f runs/s while building", many/time.Since(began).Seconds())
	for name, q := range map[string]query.Query{
		"newest": {Namespace: "default"}, "open": {Namespace: "default", Status: query.Open}, "failed": {Namespace: "default", Status: query.Failed},
		"type": {Namespace: "default", Type: "order"}, "closed": {Namespace: "default", Order: "-closed"}, "id": {Namespace: "default", Order: "id"},
		"prefix": {Namespace: "default", IDPrefix: "order-7"}, "everywhere": {},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_, err := x.Find(context.Background(), q)
				require.NoError(b, err)
			}
		})
	}
	b.Run("count", func(b *testing.B) {
		for b.Loop() {
			_, err := x.Count(context.Background(), query.Query{Namespace: "default"})
			require.NoError(b, err)
		}
	})
}
