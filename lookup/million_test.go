package lookup

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/store"
)

// bulk is a log that makes its records up as they are read.
type bulk struct {
	store.Log
	runs int
}

func (l bulk) Head(context.Context) (store.Position, error) { return store.At(uint64(4 * l.runs)), nil }

func (l bulk) Follow(ctx context.Context, _ store.Position) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		var position uint64
		for n := range l.runs {
			w := short(position, epoch.Add(time.Duration(n)*time.Millisecond), atRandom(position))
			position += 4
			started := w[0].Entry.Event.(*history.Started)
			started.Type = []string{"order", "refund", "trip", "audit"}[n%4]
			switch {
			case n%1000 == 0:
				w[2].Entry.Event, w[3].Entry.Event = &history.Told{}, &history.Told{} // open
			case n%777 == 0:
				w[3].Entry.Event = &history.Failed{}
			}
			if n%10 == 0 {
				started.Attributes = history.Attributes{"env": []byte(fmt.Sprintf("%q", []string{"uat", "prod"}[n/10%2])), "customer": []byte(strconv.Itoa(n % 50_000))}.Payload()
			}
			started.Input = history.JSON([]byte(fmt.Sprintf(`{"customer":"c%d","note":"card %s"}`, n%5000, []string{"taken", "declined"}[truth(n%997 == 0)])))
			for _, r := range w {
				if !yield(r, nil) {
					return
				}
			}
		}
		<-ctx.Done()
	}
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// BenchmarkMillion: how long does an index of so many runs take to be built anew (CLEW_RUNS, a million), and to answer? With
// CLEW_WORDS the words of inputs are kept too.
func BenchmarkMillion(b *testing.B) {
	many, _ := strconv.Atoi(os.Getenv("CLEW_RUNS"))
	if many == 0 {
		many = 1_000_000
	}
	options := Options{}
	if os.Getenv("CLEW_WORDS") != "" {
		options.Text = On
	}
	path := filepath.Join(b.TempDir(), "index.db")
	x, err := Open(context.Background(), path, options)
	require.NoError(b, err)
	defer func() { require.NoError(b, x.Close()) }()
	ctx, cancel := context.WithCancel(context.Background())
	log := bulk{runs: many}
	began, cpu := time.Now(), processor()
	ended := make(chan error)
	go func() { ended <- x.Run(ctx, log) }()
	head, _ := log.Head(ctx)
	require.NoError(b, x.Reached(ctx, head))
	read := time.Since(began)
	cancel() // which comes after the indexes were made
	require.NoError(b, <-ended)
	took := time.Since(began)
	info, err := os.Stat(path)
	require.NoError(b, err)
	b.Logf("%d runs: %.0f runs/s, %.0f of it reading (indexes %s), %.1f µs of processor time a run, making the entries included; %d bytes a run", many, float64(many)/took.Seconds(),
		float64(many)/read.Seconds(), took-read, float64((processor()-cpu).Microseconds())/float64(many), info.Size()/int64(many))

	page, err := x.Find(context.Background(), query.Query{Namespace: "default", Limit: 1})
	require.NoError(b, err)
	id := page.Rows[0].ID
	asks := []struct{ name, where string }{
		{"by id", "id = '" + id + "'"}, {"newest", ""}, {"type", "type = 'order'"}, {"failed", "status = failed"},
		{"type and failed or open", "type = 'order' AND status IN (failed, stalled, running)"}, {"type, failed, a day", "type = 'order' AND status = failed AND started > 2026-01-02"},
		{"attribute of 5%", "attr.env = 'uat'"}, {"rare attribute", "attr.customer = 40"}, {"both", "attr.env = 'uat' AND attr.customer = 40"}, {"number range", "attr.customer >= 40000"},
		{"latest version", "version = latest"}, {"tried again", "attempts > 1"}, {"queue", "queue = 'gpu'"},
		{"halted", "halted = TRUE"}, {"patch", "patch = 'gift'"},
		{"prefix", "id STARTS WITH 'order-77'"}, {"nothing fits", "build = 'none'"},
	}
	if options.Text == On {
		asks = append(asks, []struct{ name, where string }{{"rare words", "TEXT 'card declined'"}, {"common words", "TEXT 'card taken'"}, {"one customer", "TEXT 'c77'"}}...)
	}
	for _, a := range asks {
		b.Run(a.name, func(b *testing.B) {
			for b.Loop() {
				_, err := x.Find(context.Background(), query.Query{Namespace: "default", Where: a.where})
				require.NoError(b, err)
			}
		})
	}
	for _, by := range [][]string{{}, {"type"}} {
		b.Run(fmt.Sprint("durations measured by ", by), func(b *testing.B) {
			for b.Loop() {
				_, err := x.Measure(context.Background(), query.Query{Namespace: "default"}, "duration", by...)
				require.NoError(b, err)
			}
		})
	}
	for name, by := range map[string]string{"count by status": "status", "count by type": "type", "count by day": "day", "count by attribute": "attr.env"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_, err := x.Group(context.Background(), query.Query{Namespace: "default"}, by)
				require.NoError(b, err)
			}
		})
	}
	b.Run("count of a filter", func(b *testing.B) {
		for b.Loop() {
			_, err := x.Count(context.Background(), query.Query{Namespace: "default", Where: "type = 'order' AND started > 2026-01-02"})
			require.NoError(b, err)
		}
	})
}
