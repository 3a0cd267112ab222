package witness

import (
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/workflow"
)

const relayKind = "relay" // signals until the last, and answers to updates, over many runs

// A baton is what a run of a relay hands to the next.
type baton struct {
	Run   int      `json:"run,omitempty"`
	Notes []string `json:"notes,omitempty"`
	Load  string   `json:"load,omitempty"`
}

// A question is the input of an update.
type question struct {
	Text    string `json:"text"`
	Patient bool   `json:"patient,omitempty"` // to be answered at the beginning of a run, or at the end of all: it may travel
	Weight  int    `json:"weight,omitempty"`  // of the answer
}

var answer = workflow.NewUpdate[question, string]("answer")

var leg = workflow.NewAttribute[int]("leg")

// legs is how many signals a run of a relay receives.
const legs = 3

// relay continues as new after every few signals. An answer to an update holds what no second answer would hold.
var relay = workflow.Define(relayKind, func(ctx workflow.Context, b baton) (outcome, error) {
	taken, busy, done := 0, 0, false
	answer.Handle(ctx, func(ctx workflow.Context, q question) (string, error) {
		if err := workflow.Await(ctx, func() bool { return !q.Patient || done || taken == 0 }); err != nil {
			return "", err
		}
		if q.Patient {
			return weigh(q.Text+"@"+workflow.NewUUID(ctx), q.Weight), nil
		}
		busy++
		defer func() { busy-- }()
		stamp, _ := workflow.Do(ctx, flaky, len(q.Text)%2)
		return weigh(q.Text+"@"+stamp+"@"+workflow.NewUUID(ctx), q.Weight), nil
	})
	_, _ = workflow.Step(ctx, relayKind, here.local, quick)
	for taken < legs {
		v, err := note.Receive(ctx)
		if err != nil {
			return outcome{Notes: b.Notes}, err
		}
		b.Notes = append(b.Notes, light(v))
		taken++
		if v == last {
			done = true
			err := workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
			return outcome{Notes: b.Notes}, err
		}
	}
	if err := workflow.Await(ctx, func() bool { return busy == 0 }); err != nil {
		return outcome{Notes: b.Notes}, err
	}
	b.Run++
	return outcome{}, workflow.ContinueAsNew(ctx, b, leg.Set(b.Run))
})

const courierKind = "courier" // sends messages to another execution

// A parcel is the input of a courier.
type parcel struct {
	To     string `json:"to"`
	Weight int    `json:"weight,omitempty"`
}

// parcels is how many messages a courier sends.
const parcels = 2

var courier = workflow.Define(courierKind, func(ctx workflow.Context, p parcel) (out outcome, err error) {
	for i := range parcels {
		name := workflow.Info(ctx).Run + "/" + string(rune('0'+i))
		text := "accepted"
		if err := workflow.Send(ctx, p.To, note.With(weigh(name, p.Weight))); err != nil {
			text = err.Error()
		}
		if ctx.Err() != nil {
			return out, ctx.Err()
		}
		out.Sent = append(out.Sent, text)
		if err := out.step(ctx, courierKind); err != nil {
			return out, err
		}
	}
	return out, nil
})

const tripKind = "trip" // a saga

// undoing is the activity by which a trip is undone.
var undoing = activity.Declare[int, string]("undoing", quick)

// trip books three times; its input says before which it fails. What was booked is undone then.
var trip = workflow.Define(tripKind, func(ctx workflow.Context, fails int) (out outcome, err error) {
	_, _ = workflow.Saga(ctx, func(undo *workflow.Undo) (int, error) {
		for i := range 3 {
			if i == fails {
				return 0, errLife
			}
			stamp, err := workflow.Do(ctx, flaky, i%2)
			out.Stamps = append(out.Stamps, stamp)
			if err != nil {
				return 0, err
			}
			undo.Add(func(ctx workflow.Context) error {
				stamp, err := workflow.Do(ctx, undoing, i)
				out.Stamps = append(out.Stamps, stamp)
				return err
			})
		}
		return 0, nil
	})
	if ctx.Err() == nil {
		_ = workflow.Sleep(ctx, 20*time.Millisecond)
	}
	return out, ctx.Err()
})
