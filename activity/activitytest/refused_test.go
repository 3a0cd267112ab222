package activitytest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/activity/activitytest"
)

// refusing is a test that takes note of why it failed.
type refusing struct {
	*testing.T
	said string
}

func (r *refusing) Fatalf(format string, args ...any) {
	r.said = fmt.Sprintf(format, args...)
	panic(r)
}
func (r *refusing) FailNow() { r.said = "FailNow"; panic(r) }

// refusal is what a test is told that cannot go on.
func refusal(t *testing.T, test func(t testing.TB)) (said string) {
	r := &refusing{T: t}
	defer func() {
		if v := recover(); v != r {
			panic(v)
		}
		said = r.said
	}()
	test(r)
	return "nothing"
}

func TestWhatCannotBeIsRefused(t *testing.T) {
	virtually(t, func(t *testing.T) {
		here := activity.Define("a", fails())
		assert.Contains(t, refusal(t, func(t testing.TB) { activitytest.Run(t, activity.Declare[string, string]("a"), "") }), "has no body here")
		assert.Contains(t, refusal(t, func(t testing.TB) {
			activitytest.Run(t, here, "", activitytest.Attempt(3), activitytest.With(activity.MaxAttempts(2)))
		}), "attempt 3 of activity a cannot be, its policy allows 2")
		assert.Contains(t, refusal(t, func(t testing.TB) { activitytest.Run(t, here, "", activitytest.With(activity.MaxAttempts(-1))) }), "MaxAttempts")
		assert.Contains(t, refusal(t, func(t testing.TB) {
			activitytest.Run(t, activity.Define("f", func(context.Context, func()) (int, error) { return 0, nil }), nil)
			activitytest.Run(t, activity.Define("f", func(context.Context, chan int) (int, error) { return 0, nil }), make(chan int))
		}), "the input of activity f does not encode")
		assert.Contains(t, refusal(t, func(t testing.TB) { activitytest.Run(t, here, "", activitytest.Checkpoint(func() {})) }), "does not encode")
	})
}

func TestABodyThatDoesNotEndIsFound(t *testing.T) {
	virtually(t, func(t *testing.T) {
		deaf := activity.Define("deaf", func(context.Context, string) (string, error) { time.Sleep(time.Hour); return "", nil })
		said := refusal(t, func(t testing.TB) { activitytest.Run(t, deaf, "", activitytest.CancelAfter(time.Minute)) })
		assert.Contains(t, said, "activity deaf: a body still runs 1m0s after its context has ended")
		time.Sleep(2 * time.Hour)
	})
}

func TestAFailingAssertionInABodyEndsTheTest(t *testing.T) {
	virtually(t, func(t *testing.T) {
		strict := activity.Define("strict", func(context.Context, string) (string, error) {
			(&testing.T{}).FailNow()
			return "", nil
		})
		assert.Equal(t, "FailNow", refusal(t, func(t testing.TB) { activitytest.Run(t, strict, "") }))
	})
}
