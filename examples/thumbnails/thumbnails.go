// Package thumbnails scales many pictures, eight at a time, and reports those that could not be scaled.
package thumbnails

import (
	"errors"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/workflow"
)

// Album is the names of pictures.
type Album struct{ Pictures []string }

// Result is the names of the thumbnails, and why there is none of some pictures.
type Result struct {
	Thumbnails []string
	Failed     map[string]string
}

// Scale makes a thumbnail of a picture and returns its name. [Scaler] has the body.
var Scale = activity.Declare[string, string]("thumbnails.scale", activity.StartToClose(time.Minute), activity.MaxAttempts(3))

// Make is an album whose thumbnails are made.
var Make = workflow.Define("thumbnails", makeThumbnails)

// atOnce bounds how many pictures are in memory.
const atOnce = 8

func makeThumbnails(ctx workflow.Context, a Album) (Result, error) {
	scale := func(ctx workflow.Context, picture string) (string, error) { return workflow.Do(ctx, Scale, picture) }
	outcomes, err := workflow.MapAll(ctx, a.Pictures, scale, workflow.Limit(atOnce))
	if err != nil {
		return Result{}, err
	}
	result := Result{Failed: map[string]string{}}
	for i, o := range outcomes {
		if o.Err != nil {
			result.Failed[a.Pictures[i]] = cause(o.Err)
			continue
		}
		result.Thumbnails = append(result.Thumbnails, o.Value)
	}
	return result, nil
}

// cause is what was wrong with the picture, without which activity found it and how often.
func cause(err error) string {
	var failed *activity.Error
	if errors.As(err, &failed) && failed.Cause != nil {
		return failed.Cause.Error()
	}
	return err.Error()
}
