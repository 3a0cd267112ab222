package runtime

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// disclosures records who was shown payloads, in a stream of its own: see [history.DisclosedOf].
type disclosures struct {
	turn chan struct{} // full while somebody records
	last map[string]history.Entry
}

func newDisclosures() disclosures {
	return disclosures{turn: make(chan struct{}, 1), last: map[string]history.Entry{}}
}

// RecordRead records that somebody is about to be shown what is recorded of an execution, with its payloads; how says in what way. Tools do it
// by themselves, see [Config.RecordReads]; it is for programs that show payloads to people. If that is not switched on, nothing is recorded.
// Options: [Operator], [Reason], [RequestID]. Errors: ErrInvalid, ErrUnavailable: then do not show it.
func (r *Runtime) RecordRead(ctx context.Context, id, how string, opts ...CallOption) error {
	if err := commands.CheckID("workflow id", id); err != nil {
		return err
	}
	return r.disclose(ctx, callSettingsOf(opts), &history.Disclosed{ID: r.id(id), How: how})
}

func (r *Runtime) disclose(ctx context.Context, s callSettings, what *history.Disclosed) error {
	if !r.config.RecordReads {
		return nil
	}
	by, err := actor(s)
	if err != nil {
		return err
	}
	what.Reason = s.reason
	select {
	case r.disclosures.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-r.disclosures.turn }()
	if err := r.recordDisclosed(ctx, by, s.request, what); err != nil {
		return fmt.Errorf("runtime: recording who is shown %s, without which it is not shown: %w", what.ID, err)
	}
	return nil
}

// recordDisclosed appends behind what was recorded last. It must be the caller's turn.
func (r *Runtime) recordDisclosed(ctx context.Context, by history.Actor, request string, what *history.Disclosed) error {
	stream := history.DisclosedOf(what.ID.Namespace)
	for {
		last := r.disclosures.last[what.ID.Namespace]
		for record, err := range r.log.Read(ctx, stream, last.Seq+1) {
			if err != nil {
				return err
			}
			last = record.Entry
		}
		e := history.Entry{Seq: last.Seq + 1, At: r.now(), By: by, Build: r.build, Request: request, Event: what}
		if r.node != nil {
			e.Node = r.node.me()
		}
		if e.At.Before(last.At) {
			e.At = last.At
		}
		history.Seal(last.Hash, &e)
		err := r.log.Append(ctx, stream, e)
		for errors.Is(err, store.ErrUnknownOutcome) && sleep(ctx, 10*time.Millisecond) {
			err = r.log.Append(ctx, stream, e)
		}
		if err == nil {
			last = e
		}
		r.disclosures.last[what.ID.Namespace] = last
		if !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}
