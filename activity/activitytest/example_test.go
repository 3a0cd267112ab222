package activitytest_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/activity/activitytest"
)

// Scan reads the pages of a book, and goes on where an earlier attempt was.
var Scan = activity.Declare[Book, int]("book.scan", activity.HeartbeatWithin(time.Minute))

type Book struct{ Pages int }

type scanner struct{ jams map[int]bool }

func (s *scanner) scan(ctx context.Context, b Book) (int, error) {
	page, _ := activity.Checkpoint[int](ctx)
	for ; page < b.Pages; page++ {
		time.Sleep(30 * time.Second)
		if s.jams[page] {
			delete(s.jams, page)
			return 0, errors.New("the paper jams")
		}
		if err := activity.Heartbeat(ctx, page+1); err != nil {
			return 0, err
		}
	}
	return page, nil
}

// The whole life of an activity, in no time.
func TestExample_run(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scanner{jams: map[int]bool{3: true}}
		ran := activitytest.Run(t, Scan, Book{Pages: 5}, activitytest.Use(Scan.Bind(s.scan)))
		if pages, err := ran.Result(); pages != 5 || err != nil {
			t.Errorf("got %d, %v", pages, err)
		}
		for i, want := range []string{
			"attempt 1 failed after 2m0s: the paper jams; the next after 1s",
			"attempt 2 completed after 1m0s",
		} {
			if got := ran.Attempts[i].String(); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
	})
}

// One attempt, from a checkpoint on, whose workflow is cancelled meanwhile.
func TestExample_once(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ran := activitytest.Once(t, Scan, Book{Pages: 300}, activitytest.Use(Scan.Bind(new(scanner).scan)),
			activitytest.Attempt(3), activitytest.Checkpoint(100), activitytest.CancelAfter(70*time.Second))
		try := ran.Attempts[0]
		if !errors.Is(try.Cause, activity.ErrCancelled) || try.Took != 90*time.Second {
			t.Errorf("got %s", try)
		}
		if pages := activitytest.Checkpoints[int](t, try); pages[len(pages)-1] != 103 {
			t.Errorf("kept %v", pages)
		}
	})
}
