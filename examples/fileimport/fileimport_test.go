package fileimport_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/activity/activitytest"
	"github.com/clewflow/clew/examples/fileimport"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
	"github.com/clewflow/clew/workflowtest"
)

var towns = fileimport.File{Path: "testdata/towns.txt"}

func TestAllRowsAreLoadedOnce(t *testing.T) {
	table := &table{}
	run := workflowtest.Run(t, fileimport.Import, towns, workflowtest.Use(table.loader().Definitions()...))
	if got, err := run.Result(); got.Rows != 6 || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	if want := []int64{1, 2, 3, 4, 5, 6}; !slices.Equal(table.inserts, want) || table.rows[6] != "Trier" {
		t.Errorf("inserted %v: %v", table.inserts, table.rows)
	}
	run.Golden("testdata/loaded.json")
}

func TestAnotherAttemptGoesOnAtTheCheckpoint(t *testing.T) {
	table := &table{fails: map[int64]error{3: errors.New("the table is locked"), 5: errors.New("the table is full")}}
	run := workflowtest.Run(t, fileimport.Import, towns, workflowtest.Use(table.loader().Definitions()...))
	if got, err := run.Result(); got.Rows != 6 || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	if want := []int64{1, 2, 3, 3, 4, 5, 5, 6}; !slices.Equal(table.inserts, want) {
		t.Errorf("tried to insert %v, want %v", table.inserts, want)
	}
	run.Golden("testdata/resumed.json")
}

// The activity alone: it begins where an earlier attempt was, and keeps each row that it has loaded.
func TestLoadingGoesOnWhereItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := &table{takes: 20 * time.Second, fails: map[int64]error{5: errors.New("the table is full")}}
		ran := activitytest.Run(t, fileimport.Load, towns, activitytest.Use(table.loader().Definitions()...),
			activitytest.Checkpoint(fileimport.Position{Offset: 13, Rows: 2}))
		if got, err := ran.Result(); got.Rows != 6 || err != nil {
			t.Errorf("got %v, %v", got, err)
		}
		if want := []int64{3, 4, 5, 5, 6}; !slices.Equal(table.inserts, want) || table.rows[3] != "Emden" {
			t.Errorf("inserted %v: %v", table.inserts, table.rows)
		}
		kept := activitytest.Checkpoints[fileimport.Position](t, ran.Attempts[0])
		if len(ran.Attempts) != 2 || kept[len(kept)-1].Rows != 4 {
			t.Errorf("kept %v in %v", kept, ran.Attempts)
		}
	})
}

// What is recorded of heartbeats is bounded, so after a crash some rows are inserted again; none is there twice.
func TestACrashLosesNoRow(t *testing.T) {
	table := &table{takes: 20 * time.Second}
	run := workflowtest.Run(t, fileimport.Import, towns,
		workflowtest.Use(table.loader().Definitions()...),
		workflowtest.At(70*time.Second, workflowtest.Crash),
	)
	if got, err := run.Result(); got.Rows != 6 || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	if got := slices.Sorted(maps.Keys(table.rows)); !slices.Equal(got, []int64{1, 2, 3, 4, 5, 6}) {
		t.Errorf("loaded %v", got)
	}
	if n := len(table.inserts); n >= 2*6 {
		t.Errorf("inserted %v, want some rows to be left to the second attempt", table.inserts)
	}
}

func TestProgressIsSeenWhileItLoads(t *testing.T) {
	loading := workflowtest.Stub(fileimport.Load).
		Takes(time.Hour).Beats(fileimport.Position{Offset: 100, Rows: 10}).
		Takes(time.Hour).Beats(fileimport.Position{Offset: 250, Rows: 25}).
		Takes(time.Hour).Returns(fileimport.Report{Rows: 30})
	at := func(want int64) workflowtest.Act {
		return func(w *workflowtest.World) {
			if got := workflowtest.Query(w, fileimport.Progress); got != want {
				t.Errorf("%d rows are loaded, want %d", got, want)
			}
		}
	}
	run := workflowtest.Run(t, fileimport.Import, towns, loading,
		workflowtest.At(30*time.Minute, at(0)),
		workflowtest.At(90*time.Minute, at(10)),
		workflowtest.At(150*time.Minute, at(25)),
	)
	if got, err := run.Result(); got.Rows != 30 || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	run.Golden("testdata/watched.json")
}

func TestASilentAttemptIsMadeAgain(t *testing.T) {
	run := workflowtest.Run(t, fileimport.Import, towns,
		workflowtest.Stub(fileimport.Load).Beats(fileimport.Position{Offset: 5, Rows: 1}).TimesOut().
			Calls(func(ctx context.Context, _ fileimport.File) (fileimport.Report, error) {
				at, _ := activity.Checkpoint[fileimport.Position](ctx)
				return fileimport.Report{Rows: at.Rows}, nil
			}),
	)
	if got, err := run.Result(); got.Rows != 1 || err != nil {
		t.Errorf("got %v, %v; the checkpoint of the silent attempt is kept", got, err)
	}
	run.Golden("testdata/silent.json")
}

func TestCancelStopsTheLoading(t *testing.T) {
	table := &table{takes: 20 * time.Second}
	run := workflowtest.Run(t, fileimport.Import, towns,
		workflowtest.Use(table.loader().Definitions()...),
		workflowtest.At(50*time.Second, workflowtest.Cancel),
	)
	if _, err := run.Result(); !errors.Is(err, workflow.ErrCancelled) {
		t.Errorf("err = %v, want %v", err, workflow.ErrCancelled)
	}
	if n := len(table.rows); n != 2 {
		t.Errorf("%d rows were loaded in 50 s", n)
	}
}

func TestAFileThatIsNotThereIsNotTriedAgain(t *testing.T) {
	run := workflowtest.Run(t, fileimport.Import, fileimport.File{Path: "testdata/none.txt"},
		workflowtest.Use((&fileimport.Loader{}).Definitions()...))
	var failed *activity.Error
	if _, err := run.Result(); !errors.As(err, &failed) || failed.Message != "there is no file testdata/none.txt" {
		t.Errorf("err = %v", err)
	}
	run.Golden("testdata/none.json")
}

func TestImportsOfThePastStillReplay(t *testing.T) {
	workflowtest.Replay(t, fileimport.Import, "testdata/*.json")
}

// table is a table in memory, which fails once for each of some rows.
type table struct {
	takes   time.Duration // on the virtual clock, to insert a row
	fails   map[int64]error
	rows    map[int64]string
	inserts []int64
}

func (t *table) loader() *fileimport.Loader { return &fileimport.Loader{Table: t} }

func (t *table) Insert(ctx context.Context, number int64, text string) error {
	select {
	case <-time.After(t.takes):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	t.inserts = append(t.inserts, number)
	if err := t.fails[number]; err != nil {
		delete(t.fails, number)
		return err
	}
	if t.rows == nil {
		t.rows = map[int64]string{}
	}
	t.rows[number] = text
	return nil
}

func Example() {
	ctx := context.Background()
	table := &table{}
	rt, err := runtime.Open(ctx, runtime.Config{Store: "memory:", Logger: slog.New(slog.DiscardHandler)}, table.loader().Definitions()...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer rt.Close()
	go rt.Run(ctx)

	fmt.Println(runtime.Do(ctx, rt, "towns", fileimport.Import, towns))
	fmt.Println(runtime.Query(ctx, rt, "towns", fileimport.Progress))
	fmt.Println(table.rows[4])
	// Output:
	// {6} <nil>
	// 6 <nil>
	// Köln
}
