package thumbnails_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/clewflow/clew/examples/thumbnails"
	"github.com/clewflow/clew/workflowtest"
)

// Whatever goes wrong: of each picture there is a thumbnail, or it is said why there is none.
func TestNoPictureIsForgotten(t *testing.T) {
	workflowtest.Explore(t, thumbnails.Make, many(12),
		workflowtest.Stub(thumbnails.Scale).Takes(time.Second).Returns("t.png"),
		workflowtest.Schedules(50),
		workflowtest.Within(4*time.Hour),
		workflowtest.Invariant("each picture is in one list", func(ran *workflowtest.Ran[thumbnails.Result]) error {
			made := map[string]bool{}
			for _, scaled := range workflowtest.Effects(ran, thumbnails.Scale) {
				made[scaled.Input] = true
			}
			got, err := ran.Result()
			switch {
			case err != nil:
				return fmt.Errorf("one picture fails the album: %w", err)
			case len(got.Thumbnails)+len(got.Failed) != 12:
				return fmt.Errorf("%d were made, %d failed", len(got.Thumbnails), len(got.Failed))
			case len(got.Thumbnails) > len(made):
				return fmt.Errorf("%d are said to be made, and %d were", len(got.Thumbnails), len(made))
			}
			return nil
		}),
	)
}
