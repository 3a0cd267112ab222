package runtime

import (
	"errors"
	"fmt"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/dispatch"
	"github.com/clewflow/clew/history"
)

// refuse has the activities fail that do not wait for their limits.
func (a *attempts) refuse() {
	surplus, why := a.r.queue.Surplus()
	for i := range surplus {
		a.making.Add(1)
		a.r.crew.run(func() {
			defer a.making.Done()
			a.refuseOne(surplus[i], why[i])
		})
	}
}

// refuseOne tries until it is recorded, or the attempts are given up.
func (a *attempts) refuseOne(t dispatch.Attempt, why dispatch.Wait) {
	r, delay := a.r, 10*time.Millisecond
	c := commands.RefuseActivity{
		Attempt: commands.Attempt{Run: t.Run, Step: t.Step, Serial: t.Serial},
		Failure: activity.Record(fmt.Errorf("%w: %s", activity.ErrFull, why)).Payload(),
	}
	for {
		r.paceStep(a.ctx, "refuse", t.ID, t.Step)
		_, err := r.do(a.ctx, t.ID, &call{command: c, by: history.Worker})
		if err == nil || refused(err) || a.ctx.Err() != nil || errors.Is(err, ErrClosed) {
			return
		}
		r.logger.Warn("that an activity is not begun cannot be recorded now and is tried again", "id", t.ID.Workflow, "activity", t.Activity, "error", err)
		if !sleep(a.ctx, delay) {
			return
		}
		delay = min(2*delay, 5*time.Second)
	}
}
