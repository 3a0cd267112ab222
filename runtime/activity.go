package runtime

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/dispatch"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

func (x *execution) key(step history.Step) dispatch.Key { return dispatch.Key{ID: x.id, Step: step} }

// Why the context of an attempt ends.
var (
	errSettledElsewhere   = fmt.Errorf("%w: its outcome came from elsewhere", ErrSettled)
	errCancelledElsewhere = activity.ErrCancelled
	errLapsed             = errors.New("clew: this node was not heard for too long; the attempt is made again elsewhere")
	errRunClosed          = fmt.Errorf("%w: its run was closed", activity.ErrCancelled)
	errShutdown           = errors.New("clew: the process shuts down; the attempt is made again elsewhere")
)

func (x *execution) settle(step history.Step, cause error) {
	x.rt.queue.Settle(x.key(step), cause)
	x.rt.locals.drop(x.key(step))
}

func (x *execution) offer(m *memory, step history.Step, now time.Time) {
	a := m.state.Activities[step]
	switch {
	case a == nil:
	case x.ready(m, a):
		x.rt.queue.Offer(x.attempt(m.state, a, history.Payload{}), a.RetryAt, now)
	default:
		x.rt.queue.Settle(x.key(step), errSettledElsewhere) // so that it is offered as if it were new when it can be made
	}
}

// cancelActivity ends the attempt of an activity that the code wants to end. If the code waits for how it ends and nobody
// has it in hand, that is the end.
func (x *execution) cancelActivity(s *history.State, step history.Step) {
	inHand := x.rt.queue.Cancel(x.key(step), activity.ErrCancelled)
	a := s.Activities[step]
	switch {
	case a == nil:
		x.settle(step, activity.ErrCancelled)
	case !inHand && !a.Pending:
		c := commands.SettleCancelled{Attempt: commands.Attempt{Run: s.Run.ID, Step: step}}
		_ = x.rt.submit(x.id, &call{command: c, by: history.Clock})
	}
}

func (x *execution) attempt(s *history.State, a *history.Activity, input history.Payload) dispatch.Attempt {
	return dispatch.Attempt{
		Key: x.key(a.Step), Run: s.Run.ID, Asker: a.Run, Workflow: s.Run.Type, Activity: a.Name, Queue: a.Queue, Local: a.Local, Number: a.Attempt, Serial: a.Serial,
		Input: input, Seq: a.Seq, Scheduled: a.Scheduled, Held: a.Held, Policy: a.Policy, LastFailure: a.LastFailure, Checkpoint: a.Checkpoint,
		Headers: s.Run.Headers, Node: a.Node,
	}
}

// offerAll offers all that is to be done for an execution that was just taken up, and returns the attempts that were
// recorded as begun and that nobody has in hand any more.
func (r *Runtime) offerAll(id history.ID, m *memory) (gone []commands.Attempt) {
	// What is pending may come otherwise, and what is to be done is what is durable.
	if len(m.pending) > 0 {
		r.soon(id)
		return nil
	}
	x, s, now := &execution{id: id, rt: r}, m.state, r.now()
	durable := s.Seq - uint64(len(m.pending))
	if s.Run.Began <= durable { // else they are settled when their end is
		r.queue.SettleOtherRuns(id, s.Run.ID, errRunClosed) // whose steps may be those of this one
	}
	if s.Replacing() {
		x.replace(s)
	}
	if s.Suspended() {
		r.queue.Yield(id) // who has recorded the pause may not have offered what is offered here
	}
	if !r.owns(id, s.Run.Type, s.Run.Version) {
		steps, _ := r.queue.Steps(id)
		for _, step := range steps {
			if x.over(s, step) {
				r.queue.Settle(x.key(step), errSettledElsewhere)
			}
		}
		x.claim(m)
		return nil
	}
	if s.Run.Queued {
		return nil // what it has taken over is done when it begins
	}
	x.childrenAgain(s, durable)
	x.sendsAgain(s, durable)
	x.findsAgain(s, durable)
	if s.Open() && s.Run.Parent.ID != "" && s.Run.Parent.OnClose != history.AbandonChild {
		r.follow(id)
	}
	r.queue.SettleOthers(id, func(step history.Step) bool { return s.Activities[step] != nil }, errSettledElsewhere)
	for _, step := range sorted(s.Activities) {
		a := s.Activities[step]
		x.govern(s, step, now) // another node may have recorded that it has another policy
		switch {
		case a.Seq > durable: // offered when it is
		case a.Pending:
			r.queue.Outside(x.attempt(s, a, history.Payload{}), a.Started, a.Beat)
		case r.queue.Has(x.key(a.Step), a.Attempt):
		case !a.Started.IsZero() && r.node.has(a.Node):
			r.queue.Outside(x.attempt(s, a, history.Payload{}), a.Started, a.Beat)
		case !a.Started.IsZero():
			gone = append(gone, commands.Attempt{Run: s.Run.ID, Step: a.Step, Serial: a.Serial})
		case a.CancelRequested:
			x.cancelActivity(s, a.Step)
		case x.ready(m, a):
			r.queue.OfferNew(x.attempt(s, a, history.Payload{}), a.RetryAt, now)
		}
	}
	return gone
}

// over reports whether the newest attempt of an activity that is known here is over by what its owner has recorded. One whose start is
// not recorded yet is not.
func (x *execution) over(s *history.State, step history.Step) bool {
	a := s.Activities[step]
	if a == nil {
		return true
	}
	newest := x.rt.queue.Newest(x.key(step))
	return a.Serial > newest || a.Serial == newest && a.Started.IsZero()
}

// attempts makes the attempts that dispatch hands out.
type attempts struct {
	r      *Runtime
	making sync.WaitGroup
	mu     sync.Mutex
	cancel map[*dispatch.Hand]context.CancelCauseFunc
	ctx    context.Context // ends when those that are still made are given up
	giveUp context.CancelFunc
}

func newAttempts(r *Runtime) *attempts {
	a := &attempts{r: r, cancel: map[*dispatch.Hand]context.CancelCauseFunc{}}
	a.ctx, a.giveUp = context.WithCancel(r.ctx)
	return a
}

// feed takes attempts and has each made, until ctx ends.
func (a *attempts) feed(ctx context.Context) {
	q := a.r.queue
	var base context.Context
	var cancel context.CancelCauseFunc
	for ctx.Err() == nil {
		if n := a.r.node; n != nil && !n.fit() {
			sleep(ctx, n.lease/16)
			continue
		}
		if base == nil {
			base, cancel = context.WithCancelCause(context.WithoutCancel(ctx))
		}
		a.r.look(ctx, "hand out", q.Ready(), q.Earlier())
		h, next := q.Take(a.r.now(), cancel)
		a.refuse()
		if h == nil {
			a.r.await(ctx, next, q.Ready(), q.Earlier())
			continue
		}
		a.mu.Lock()
		a.cancel[h] = cancel
		a.mu.Unlock()
		hctx := base
		base = nil
		a.making.Add(1)
		a.r.crew.run(func() { a.make(hctx, h) })
	}
	if base != nil {
		cancel(errShutdown) // it was for an attempt that did not come
	}
}

// limit wakes executions whose attempts in hand have passed a limit, until ctx ends.
func (a *attempts) limit(ctx context.Context) {
	q, slots := a.r.queue, make(chan struct{}, wakesAtOnce)
	for ctx.Err() == nil {
		a.r.look(ctx, "limit", q.Sooner())
		ids, next := q.Overdue(a.r.now())
		for _, id := range ids {
			a.r.wakeOne(ctx, id, slots)
		}
		a.r.await(ctx, next, q.Sooner(), nil)
	}
}

// drain lets the attempts in hand end, cancels those that take longer than left, and waits d for these.
func (a *attempts) drain(left, d time.Duration) {
	ended := make(chan struct{})
	go func() { a.making.Wait(); close(ended) }()
	t := time.NewTimer(left)
	defer t.Stop()
	select {
	case <-ended:
	case <-t.C:
	}
	a.giveUp()
	a.mu.Lock()
	for _, cancel := range a.cancel {
		cancel(errShutdown)
	}
	a.mu.Unlock()
	t.Reset(d)
	select {
	case <-ended:
	case <-t.C:
		a.r.logger.Error("activities do not end though their contexts have; they are left to themselves", "activities", a.r.queue.InHand())
	}
}

func (a *attempts) done(h *dispatch.Hand) {
	a.mu.Lock()
	delete(a.cancel, h)
	a.mu.Unlock()
	h.Release()
}

// make makes one attempt, from its beginning to the durable record of how it ended.
func (a *attempts) make(ctx context.Context, h *dispatch.Hand) {
	r, slot := a.r, -1
	if r.notes != nil {
		slot = r.notes.write(h)
	}
	end := func() {
		if slot >= 0 {
			r.notes.erase(slot)
		}
		a.done(h)
		a.making.Done()
	}
	if p := h.Policy; p.Retry.MaxAttempts == 1 || p.ScheduleToStart > 0 || h.Claim {
		begin := commands.BeginAttempt{Attempt: h.Facts()}
		if r.node != nil {
			begin.Node = r.node.me()
		}
		if err := a.settle(h, begin); err != nil {
			end() // somebody else has settled it, or nobody can record anything
			return
		}
	}
	returned := false
	defer func() {
		if !returned { // the handler called runtime.Goexit, which ends this goroutine
			go func() {
				a.outcome(ctx, h, history.Payload{}, &activity.PanicError{Message: "runtime.Goexit was called"})
				end()
			}()
		}
	}()
	result, err := r.call(ctx, h)
	returned = true
	a.outcome(ctx, h, result, err)
	end()
}

// outcome records how an attempt ended.
func (a *attempts) outcome(ctx context.Context, h *dispatch.Hand, result history.Payload, err error) {
	r := a.r
	switch {
	case err == nil:
		err = a.settle(h, commands.CompleteActivity{Attempt: h.Facts(), Result: result})
	case errors.Is(err, activity.Pending):
		err = a.settle(h, commands.LeavePending{Attempt: h.Facts()})
	case a.ctx.Err() != nil:
		return // it is made again by whoever runs next
	case errors.Is(context.Cause(ctx), errLapsed) && !h.Recorded():
		r.soon(h.ID) // it is made again by whoever owns the execution then
		return
	case errors.Is(context.Cause(ctx), errLapsed):
		err = a.settle(h, commands.LoseAttempt{Attempt: h.Facts()}) // its owner counts on it
	default:
		err = a.settle(h, r.failed(h, err))
	}
	if err != nil && !refused(err) && a.ctx.Err() == nil {
		r.logger.Error("the outcome of an activity could not be recorded; it is made again", "id", h.ID.Workflow, "activity", h.Activity, "error", err)
	}
}

// inputOf reads the input of an attempt from the log.
func (r *Runtime) inputOf(ctx context.Context, h *dispatch.Hand) (history.Payload, error) {
	for record, err := range r.log.Read(ctx, h.ID, h.Seq) {
		if err != nil {
			return history.Payload{}, err
		}
		open, err := r.unwrap(ctx, h.ID, record.Entry)
		if err != nil {
			return history.Payload{}, err
		}
		switch e := open.Event.(type) {
		case *history.ActivityScheduled:
			if e.Step == h.Step {
				return e.Input, nil
			}
		case *history.ActivityChanged:
			if e.Step == h.Step {
				return e.Input, nil
			}
		}
		break
	}
	return history.Payload{}, fmt.Errorf("%w: entry %d of %s does not schedule step %d", store.ErrCorrupt, h.Seq, h.ID, h.Step)
}

// call calls the handler with its input. A panic is a failure.
func (r *Runtime) call(ctx context.Context, h *dispatch.Hand) (result history.Payload, err error) {
	handler := r.handlers[h.Activity]
	if h.Local {
		handler = r.locals.of(h.Key)
		if ctx.Err() != nil { // it was settled before the function was had: that is gone, or is another run's
			return result, context.Cause(ctx)
		}
	}
	if handler == nil {
		if _, told := r.missing.LoadOrStore(h.Activity, true); !told {
			r.logger.Error("an activity is not bound here and is tried again until it is; give it to runtime.Open",
				"activity", h.Activity, "workflow", h.Workflow, "id", h.ID.Workflow)
		}
		return result, fmt.Errorf("no handler for activity %s is bound here", h.Activity)
	}
	if h.Input.Absent() && !h.Local {
		if h.Input, err = r.inputOf(ctx, h); err != nil {
			return result, err
		}
	}
	defer func() {
		if v := recover(); v != nil {
			result, err = history.Payload{}, &activity.PanicError{Message: fmt.Sprint(v), Stack: string(debug.Stack())}
		}
	}()
	if len(r.config.Interceptors) > 0 {
		handler = r.around(handler)
	}
	result, err = handler(activity.WithHand(attemptContext{ctx, h.Deadline()}, r.hand(ctx, h)), h.Input)
	if err == nil && result.Size() > r.config.Payload {
		err = activity.NonRetryable(fmt.Errorf("the result: %w: %d bytes, the limit is %d", ErrTooLarge, result.Size(), r.config.Payload))
		result = history.Payload{}
	}
	return result, err
}

// attemptContext knows its deadline. It ends when dispatch says so, not by a timer of its own.
type attemptContext struct {
	context.Context
	deadline time.Time
}

func (c attemptContext) Deadline() (time.Time, bool) { return c.deadline, !c.deadline.IsZero() }

func (r *Runtime) hand(ctx context.Context, h *dispatch.Hand) *activity.Hand {
	var last error
	if !h.LastFailure.Absent() {
		last = activity.Recall(history.ReadFailure(h.LastFailure))
	}
	var headers map[string]string
	_ = h.Headers.Decode(&headers) // what cannot be read is not there; the work does not depend on it
	return &activity.Hand{
		Attempt: activity.Attempt{
			Namespace: h.ID.Namespace, Execution: h.ID.Workflow, Run: h.Run, Workflow: h.Workflow, Step: uint64(h.Step), Activity: h.Activity,
			Queue: h.Queue, Number: h.Number, Serial: uint64(h.Serial), Scheduled: h.Scheduled, Started: h.Started, Deadline: h.Deadline(), LastFailure: last,
			IdempotencyKey: fmt.Sprintf("%s/%d", h.Asker, h.Step), Headers: headers,
		},
		Beat: func(checkpoint history.Payload) error {
			if h.Beat(checkpoint, r.now()) {
				_ = r.submit(h.ID, &call{command: commands.Beat{Attempt: h.Facts()}, by: history.Worker})
			}
			return context.Cause(ctx)
		},
		Checkpoint: h.Checkpoint,
		Token:      func() string { return r.token(h) },
		Files:      r.vault.Files(h.ID),
	}
}

// failed is the command that ends an attempt with an error.
func (r *Runtime) failed(h *dispatch.Hand, err error) commands.FailActivity {
	v := activity.Judge(err)
	return commands.FailActivity{
		Attempt: h.Facts(), Failure: activity.Record(err).Payload(), Codes: v.Codes, Final: v.Final, RetryAfter: v.RetryAfter,
	}
}

// settle records what became of an attempt. While nothing can be recorded it is tried again, until the attempts are given
// up.
func (a *attempts) settle(h *dispatch.Hand, c commands.Command) error {
	r, delay := a.r, 10*time.Millisecond
	for {
		r.paceStep(a.ctx, "settle", h.ID, h.Step)
		_, err := r.do(a.ctx, h.ID, &call{command: c, by: history.Worker})
		if err == nil || refused(err) || a.ctx.Err() != nil || errors.Is(err, ErrClosed) {
			return err
		}
		r.logger.Warn("the outcome of an activity cannot be recorded now and is tried again", "id", h.ID.Workflow, "activity", h.Activity, "error", err)
		if !sleep(a.ctx, delay) {
			return ErrClosed
		}
		delay = min(2*delay, 5*time.Second)
	}
}

// refused reports whether a command came too late or to the wrong place, which trying again does not change.
func refused(err error) bool {
	for _, e := range []error{ErrSettled, ErrStale, ErrNotRunning, ErrNotFound, ErrInvalid, ErrTooLarge} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
