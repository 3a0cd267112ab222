package runtime

import (
	"errors"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/workflow"
)

// unfit does what the author has chosen for a run that does not fit its code; done is false if that is to stall.
func (w *runner) unfit(m *memory, err error) (done bool, _ error) {
	var mismatch *replay.Mismatch
	if !errors.As(err, &mismatch) || !m.state.Open() {
		return false, nil
	}
	r, run := w.x.rt, m.state.Run
	var c commands.Command
	switch r.onMismatch[run.Type][run.Version] {
	case workflow.FailRun:
		c = commands.Fail{Failure: activity.Record(err).Payload()}
	case workflow.RestartRun:
		c, err = w.restart(m, mismatch)
		if err != nil {
			return false, err
		}
	default:
		return false, nil
	}
	r.logger.Error("a run does not fit its code and ends, as was chosen for its type", "id", w.x.id.Workflow, "workflow", run.Type, "run", run.ID,
		"restarts", r.onMismatch[run.Type][run.Version] == workflow.RestartRun, "entry", mismatch.Seq)
	events, err := commands.Decide(m.state, c, r.now())
	if err != nil {
		return false, err
	}
	if run.CancelRequested && len(events) > 1 { // the next run is told too
		events = append(events, &history.CancelRequested{Reason: "asked of run " + run.ID})
	}
	for _, event := range events {
		w.push(m, w.entry(m, event, history.Code))
	}
	m.stall = nil
	return true, nil
}

// restart reads what the next run is to be told.
func (w *runner) restart(m *memory, mismatch *replay.Mismatch) (c commands.Restart, err error) {
	next := derive(m.state.Run.Seed, m.state.Run.ID, 0)
	c = commands.Restart{ID: w.x.id, Run: next.id, Seed: next.seed, Reason: "its history does not fit the code"}
	if !w.x.rt.vault.Encrypts() {
		c.Reason += ": " + mismatch.Why
	}
	durable := m.state.Seq - uint64(len(m.pending))
	take := func(e *history.Entry) {
		switch v := e.Event.(type) {
		case *history.Started:
			c.Input, c.Signals, c.Updates = v.Input, nil, nil
			for _, u := range v.Updates {
				if m.state.Updates[u.Update] != nil {
					c.Updates = append(c.Updates, u)
				}
			}
			for _, r := range v.Carried {
				for seq := r.From; seq <= r.To; seq++ {
					c.Signals = append(c.Signals, seq)
				}
			}
		case *history.Signaled:
			c.Signals = append(c.Signals, e.Seq)
		case *history.UpdateAccepted:
			if m.state.Updates[v.Update] != nil {
				c.Updates = append(c.Updates, history.CarriedUpdate{Update: v.Update, Seq: e.Seq})
			}
		}
	}
	for record, err := range w.x.rt.log.Read(w.x.rt.ctx, w.x.id, m.state.Run.Began) {
		if err != nil {
			return c, err
		}
		e, err := w.x.rt.unwrap(w.x.rt.ctx, w.x.id, record.Entry)
		if err != nil {
			return c, err
		}
		if e.Seq <= durable {
			take(&e)
		}
	}
	pending := m.pending
	if len(m.plain) > 0 {
		pending = m.plain
	}
	for i := range pending {
		take(&pending[i])
	}
	return c, nil
}
