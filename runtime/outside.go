package runtime

import (
	"context"
	"fmt"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/dispatch"
	"github.com/clewflow/clew/history"
)

// An attempt that goes on outside of any process is told of by whoever has its token.

// Complete completes an attempt from outside, by its token. It works once; the same call again gives the first answer.
// Errors: ErrInvalid (the token is no token, or one of another activity), ErrSettled, ErrStale, ErrTooLarge.
func Complete[In, Out any](ctx context.Context, rt *Runtime, a activity.Type[In, Out], token string, out Out) error {
	result, err := rt.encode("the result", out)
	if err != nil {
		return err
	}
	t, err := rt.parseToken(token)
	if err != nil {
		return err
	}
	if t.Activity != a.Name() {
		return &commands.Invalid{Field: "token", Value: "one of activity " + t.Activity, Want: "one of activity " + a.Name()}
	}
	_, err = rt.do(ctx, t.id(), &call{
		command: commands.CompleteActivity{Attempt: t.attempt(), Result: result}, by: history.Client, request: t.request("complete", result),
	})
	return err
}

// Fail fails an attempt from outside, by its token. Whether another follows is for the policy to say, as for an error that
// the activity returns; see activity.NonRetryable.
func (r *Runtime) Fail(ctx context.Context, token string, failure error) error {
	t, err := r.parseToken(token)
	if err != nil {
		return err
	}
	if failure == nil {
		return &commands.Invalid{Field: "err", Value: "nil", Want: "an error"}
	}
	v, p := activity.Judge(failure), activity.Record(failure).Payload()
	_, err = r.do(ctx, t.id(), &call{
		command: commands.FailActivity{Attempt: t.attempt(), Failure: p, Codes: v.Codes, Final: v.Final, RetryAfter: v.RetryAfter},
		by:      history.Client, request: t.request("fail", p),
	})
	return err
}

// Heartbeat says that an attempt which goes on outside is alive, and keeps checkpoint unless it is nil. The error says why
// to stop.
func (r *Runtime) Heartbeat(ctx context.Context, token string, checkpoint any) error {
	t, err := r.parseToken(token)
	if err != nil {
		return err
	}
	var p history.Payload
	if checkpoint != nil {
		if p, err = r.encode("the checkpoint", checkpoint); err != nil {
			return err
		}
	}
	now := r.now()
	facts, record, known := r.queue.BeatOutside(dispatch.Key{ID: t.id(), Step: t.Step}, t.Serial, p, now)
	if known && !record {
		return nil
	}
	if !known {
		facts = t.attempt()
		facts.Beat, facts.Checkpoint = now, p
	}
	_, err = r.do(ctx, t.id(), &call{command: commands.Beat{Attempt: facts}, by: history.Client})
	return err
}

// encode makes a payload of a value from outside.
func (r *Runtime) encode(what string, v any) (history.Payload, error) {
	p, err := history.Encode(v)
	if err != nil {
		return p, &commands.Invalid{Field: what, Value: err.Error(), Want: "a value that encodes as JSON"}
	}
	if p.Size() > r.config.Payload {
		return p, fmt.Errorf("%s: %w: %d bytes, the limit is %d", what, ErrTooLarge, p.Size(), r.config.Payload)
	}
	return p, nil
}
