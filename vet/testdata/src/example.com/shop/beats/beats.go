// Package beats defines activities.
package beats

import (
	"context"
	"time"

	"github.com/clewflow/clew/activity"
)

const day = 24 * time.Hour

func body(ctx context.Context, in int) (int, error) { return 0, nil }

var (
	_ = activity.Define("a", body, activity.StartToClose(2*time.Hour))                                        // want `^an attempt may take more than an hour .*; add activity.HeartbeatWithin`
	_ = activity.Declare[int, int]("b", activity.MaxAttempts(1), activity.StartToClose(day))                  // want `more than an hour`
	_ = activity.Define("c", body, activity.Retry{MaxAttempts: 3}, activity.StartToClose(activity.NoTimeout)) // want `more than an hour`
	_ = activity.Define("d", body, activity.StartToClose(time.Hour))
	_ = activity.Define("e", body, activity.StartToClose(day), activity.HeartbeatWithin(time.Minute))
	_ = activity.Define("f", body, activity.StartToClose(day), beat)
	_ = activity.Define("g", body, options...)
	_ = activity.Define("h", body, activity.StartToClose(patience))
	_ = activity.Define("i", body, activity.StartToClose(day), slow())
	_ = activity.External[int]("j", activity.StartToClose(day))
	_ = activity.Define("k", body, activity.ScheduleToClose(7*day))
)

var (
	beat     = activity.HeartbeatWithin(time.Minute)
	options  = []activity.Option{activity.StartToClose(day)}
	patience = 2 * day
)

func slow() activity.Option { return beat }
