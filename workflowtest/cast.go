package workflowtest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/stage"
)

// attemptAt is the place of an attempt that is about to begin.
func attemptAt(execution, run string, step uint64, number int, name string) stage.Place {
	return stage.Place{Rank: begins, Execution: execution, Run: run, Step: step, Number: number, What: name}
}

// recording is what attempts did, each time they were made.
type recording map[stage.Place][]*making

// making is one time that an attempt was made.
type making struct {
	beats  []beat
	took   time.Duration
	cut    bool // its context had ended before it did
	result history.Payload
	err    error
	begun  time.Time
}

type beat struct {
	after      time.Duration
	checkpoint history.Payload
}

// cast makes the attempts: each begins and ends when it is its turn at the stage.
type cast struct {
	world *World
	back  recording // to be played; nil: make them

	mu       sync.Mutex
	making   map[*attempt]bool
	effects  []effect
	tokens   map[stage.Place]string
	recorded recording
}

// attempt is an attempt that is being made.
type attempt struct {
	place stage.Place
	life  *life
	input history.Payload
	key   string        // of idempotency
	limit time.Duration // of silence
}

type attemptKey struct{}

func attemptOf(ctx context.Context) *attempt { return ctx.Value(attemptKey{}).(*attempt) }

func (c *cast) init(w *World, back recording) {
	c.world, c.back = w, back
	c.making, c.tokens, c.recorded = map[*attempt]bool{}, map[stage.Place]string{}, recording{}
}

// around makes a handler one of the cast.
func (l *life) around(body activity.Handler) activity.Handler {
	c := &l.world.cast
	return func(ctx context.Context, input history.Payload) (history.Payload, error) {
		info := activity.Info(ctx)
		a := &attempt{
			place: attemptAt(info.Execution, info.Run, info.Step, info.Number, info.Activity), life: l, input: input,
			key: info.IdempotencyKey, limit: c.world.known.silence(info),
		}
		m, n := c.enter(ctx, a)
		defer c.leave(a)
		_, died := c.world.stage.Wait(ctx, a.place)
		m.begun = time.Now()
		switch back := c.back.of(a.place, n); {
		case died != nil:
			m.err = died
		case back != nil:
			back.play(ctx, m)
		default:
			a.make(context.WithValue(ctx, attemptKey{}, a), m, body)
		}
		m.took, m.cut = time.Since(m.begun), ctx.Err() != nil
		end := a.place
		end.Rank = ends
		_, _ = c.world.stage.Wait(ctx, end) // who is cut off does not wait
		return m.result, m.err
	}
}

// local makes a local step one of the cast: what stands in for it, or its own function.
func (l *life) local(body activity.Handler) activity.Handler {
	return l.around(func(ctx context.Context, input history.Payload) (history.Payload, error) {
		if h := l.world.play.standIn(l.world, activity.Info(ctx).Activity); h != nil {
			return h(ctx, input)
		}
		return body(ctx, input)
	})
}

// standIn is what stands in for a local step; nil: nothing.
func (p *play) standIn(w *World, name string) activity.Handler {
	for _, s := range p.stubs {
		if s.step() == name {
			return s.handler(w)
		}
	}
	return nil
}

// enter takes note of an attempt that is about to begin. It returns where to note what is done, and how often it was made
// before.
func (c *cast) enter(ctx context.Context, a *attempt) (m *making, n int) {
	m = &making{}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.making[a] = true
	c.tokens[a.place] = activity.Token(ctx)
	n = len(c.recorded[a.place])
	c.recorded[a.place] = append(c.recorded[a.place], m)
	return m, n
}

func (c *cast) leave(a *attempt) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.making, a)
	c.world.stage.Tell()
}

// busy reports whether attempts are being made.
func (c *cast) busy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.making) > 0
}

// left names the attempts that are being made.
func (c *cast) left() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []string
	for _, a := range slices.SortedFunc(maps.Keys(c.making), func(a, b *attempt) int { return a.place.Compare(b.place) }) {
		all = append(all, fmt.Sprintf("%s (step %d, attempt %d)", a.place.What, a.place.Step, a.place.Number))
	}
	return strings.Join(all, ", ")
}

func (c *cast) token(p stage.Place) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tokens[p]
}

// of is what an attempt did when it was made for the n-th time, from 0; nil if that is not recorded.
func (r recording) of(p stage.Place, n int) *making {
	if made := r[p]; n < len(made) {
		return made[n]
	}
	return nil
}

// make makes an attempt. A panic is recorded without its stack, which is not the same everywhere.
func (m *making) make(ctx context.Context, body activity.Handler, input history.Payload) {
	hand := &activity.Hand{
		Attempt: activity.Info(ctx),
		Beat: func(checkpoint history.Payload) error {
			m.beats = append(m.beats, beat{time.Since(m.begun), checkpoint})
			return send(ctx, checkpoint)
		},
		Checkpoint: func() history.Payload {
			raw, ok := activity.Checkpoint[json.RawMessage](ctx)
			if !ok {
				return history.Payload{}
			}
			return history.JSON(raw)
		},
		Token: func() string { return activity.Token(ctx) },
		Files: activity.FilesOf(ctx),
	}
	defer func() {
		if v := recover(); v != nil {
			m.result, m.err = history.Payload{}, &activity.PanicError{Message: fmt.Sprint(v)}
		}
	}()
	m.result, m.err = body(activity.WithHand(ctx, hand), input)
}

// send sends a heartbeat with a checkpoint that is encoded already.
func send(ctx context.Context, checkpoint history.Payload) error {
	if checkpoint.Absent() {
		return activity.Heartbeat(ctx, nil)
	}
	return activity.Heartbeat(ctx, json.RawMessage(checkpoint.Data))
}

// play does what was recorded, at the same moments, and notes it in m.
func (r *making) play(ctx context.Context, m *making) {
	m.beats, m.result, m.err = r.beats, r.result, r.err
	for _, b := range r.beats {
		if time.Sleep(b.after - time.Since(m.begun)); ctx.Err() == nil {
			_ = send(ctx, b.checkpoint) // its answer was considered when it was recorded
		}
	}
	if r.cut {
		<-ctx.Done()
	}
	time.Sleep(r.took - time.Since(m.begun))
}

// live lets d pass, with signs of life.
func (a *attempt) live(ctx context.Context, d time.Duration) error {
	every := d
	if a.limit > 0 {
		every = min(d, a.limit/2)
	}
	for until := time.Now().Add(d); ; {
		left := time.Until(until)
		if left <= 0 {
			return nil
		}
		timer := time.NewTimer(min(left, every))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
		if a.limit > 0 {
			if err := activity.Heartbeat(ctx, nil); err != nil {
				return err
			}
		}
	}
}
