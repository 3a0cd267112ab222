package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/stage"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
)

// client asks things of executions, one after the other, and holds what it is answered against the log at once.
type client struct {
	w    *World
	name string
	dice *rand.Rand
	sent map[string]int // letters that were accepted, by the run's chain

	of    *life  // that was asked last
	waits string // for what; empty: for its turn
	asked int
	done  bool
}

// ids are those of the executions that clients begin.
var ids = []string{"wa", "wb", "wc", "wd"}

func newClient(w *World, n int) *client {
	return &client{w: w, name: fmt.Sprint("client", n), dice: rand.New(rand.NewPCG(w.seed, uint64(100+n))), sent: map[string]int{}}
}

// asks takes note of what is not answered yet.
func (c *client) asks(what string) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	c.waits = what
}

func (c *client) isDone() bool {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	return c.done
}

// live asks until the second phase begins.
func (c *client) live() {
	if c.w.script != nil {
		c.follow(c.w.script)
	}
	for !c.w.isWell() && c.w.ctx.Err() == nil {
		if c.dice.IntN(3) == 0 {
			_ = pass(c.w.ctx, time.Duration(c.dice.Int64N(int64(3*time.Second))))
		}
		c.ask()
		if c.w.pauses && c.w.hash(uint64(c.asked), c.name, "pause")%10 == 0 {
			c.pause()
		}
		if c.w.pauses && c.w.hash(uint64(c.asked), c.name, "halt")%16 == 0 {
			c.halt()
		}
		if c.w.limits && c.w.hash(uint64(c.asked), c.name, "limit")%8 == 0 {
			c.changeLimit()
		}
		if c.w.limits && c.w.hash(uint64(c.asked), c.name, "apply")%6 == 0 {
			c.applyPolicies()
		}
		if c.w.crowded && c.w.hash(uint64(c.asked), c.name, "room")%12 == 0 {
			c.changeRoom()
		}
		if c.w.reruns && c.w.hash(uint64(c.asked), c.name, "rerun")%4 == 0 {
			c.rerun()
		}
	}
	if c.w.pauses {
		c.letGoOn()
		c.release()
	}
	if c.w.limits {
		c.liftLimits()
	}
	if c.w.crowded {
		c.makeRoom()
	}
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	c.done = true
	c.w.stage.Tell()
}

// ask asks one thing.
func (c *client) ask() {
	id := ids[c.dice.IntN(len(ids))]
	c.asked++
	request := fmt.Sprintf("%s-%d", c.name, c.asked)
	switch n := c.dice.IntN(20); {
	case n < 5:
		c.start(id, request)
	case n < 11:
		c.send(id, request)
	case n < 13:
		c.update(id, request)
	case n < 14:
		c.insist(id, request, "cancel", func(rt *runtime.Runtime) error { return rt.Cancel(c.w.ctx, id, runtime.RequestID(request)) })
	case n < 15 && c.dice.IntN(3) == 0:
		c.insist(id, request, "terminate", func(rt *runtime.Runtime) error { return rt.Terminate(c.w.ctx, id, runtime.RequestID(request)) })
	case n < 17:
		c.query(id)
	case n < 18:
		c.find()
	default:
		c.once(id, "describe", func(rt *runtime.Runtime) error {
			_, err := rt.Describe(c.w.ctx, id)
			return err
		})
	}
}

// pause holds an execution, or lets one go on.
func (c *client) pause() {
	n := c.w.hash(uint64(c.asked), c.name, "of what")
	id := ids[n%uint64(len(ids))]
	c.asked++
	request := fmt.Sprintf("%s-%d", c.name, c.asked)
	if n>>8%2 == 0 {
		options := []runtime.CallOption{runtime.RequestID(request)}
		if n>>9%2 == 0 {
			options = append(options, runtime.HoldLimits())
		}
		c.insist(id, request, "pause", func(rt *runtime.Runtime) error { return rt.Pause(c.w.ctx, id, options...) })
		return
	}
	c.unpause(id, request)
}

func (c *client) unpause(id, request string) {
	c.insist(id, request, "unpause", func(rt *runtime.Runtime) error { return rt.Unpause(c.w.ctx, id, runtime.RequestID(request)) })
}

// letGoOn ends all pauses, when all is well.
func (c *client) letGoOn() {
	for _, id := range ids {
		c.asked++
		c.unpause(id, fmt.Sprintf("%s-%d", c.name, c.asked))
	}
}

// once asks something that need not be repeated.
func (c *client) once(id, what string, ask func(*runtime.Runtime) error) error {
	place := stage.Place{Rank: requests, Execution: id, Step: uint64(c.asked), What: c.name + " " + what}
	if _, err := c.w.stage.Wait(c.w.ctx, place); err != nil {
		return err
	}
	if c.of = c.node(); c.of == nil {
		return runtime.ErrClosed
	}
	c.asks(fmt.Sprintf("it asks %s to %s %s", c.of.tag, what, id))
	err := ask(c.of.rt)
	c.asks("")
	place.Rank = answers
	if _, ended := c.w.stage.Wait(c.w.ctx, place); ended != nil {
		return ended
	}
	c.w.note("%s asked to %s %s: %s", c.name, what, id, kindOf(err))
	return err
}

// insist asks until there is an answer. The same request is made again, of whichever process is there then. What was answered
// is in the log when it is answered.
func (c *client) insist(id, request, what string, ask func(*runtime.Runtime) error) error {
	for n := 0; ; n++ {
		known := c.w.judge.hasAny(id, request)
		err := c.once(id, what, ask)
		if n == 0 && !known && errors.Is(err, runtime.ErrUnavailable) && c.of.ctx.Err() == nil && c.w.judge.hasAny(id, request) {
			c.w.wrong("%s was told that its request %s of %s is not recorded, and the log has it: %v", c.name, request, id, err)
		}
		if errors.Is(err, runtime.ErrClosed) || errors.Is(err, runtime.ErrUnavailable) || errors.Is(err, context.Canceled) {
			if c.w.ctx.Err() != nil {
				return err
			}
			_ = pass(c.w.ctx, time.Duration(100+c.dice.IntN(1000))*time.Millisecond)
			continue
		}
		if err == nil && n > 0 {
			c.w.sometimes("a request is answered after it was repeated")
		}
		return err
	}
}

func (c *client) start(id, request string) {
	in := root(c.dice)
	if c.w.nodes > 0 {
		in.shorten()
	}
	on := []runtime.Option{runtime.RequestID(request)}
	var h runtime.Handle[Program]
	policy, full := runtime.IfRunning(runtime.Refuse), c.whenFull()
	if c.dice.IntN(4) == 0 {
		policy = runtime.IfRunning(runtime.TerminateExisting)
	}
	err := c.insist(id, request, "start", func(rt *runtime.Runtime) (err error) {
		opts := append(c.w.slotOf(id), on[0], policy)
		if c.w.crowded {
			opts = append(opts, full)
		}
		h, err = runtime.Start(c.w.ctx, rt, id, c.w.started(), in, opts...)
		return err
	})
	if err == nil && !c.w.judge.hasRun(id, h.Run) {
		c.w.wrong("%s was told that run %s of %s has started, and the log has no such run", c.name, h.Run, id)
	}
}

// send sends the next letter to whatever chain of runs is open now; the numbers of each begin with 1.
func (c *client) send(id, request string) {
	chain := c.w.judge.chain(id)
	if chain == "" {
		return
	}
	n := c.sent[chain] + 1
	err := c.insist(id, request, "send", func(rt *runtime.Runtime) error {
		return rt.Signal(c.w.ctx, id, post.With(letter{c.name, n}), runtime.RequestID(request), runtime.OfRun(chain))
	})
	if err != nil {
		return
	}
	c.sent[chain] = n
	if !c.w.judge.hasRequest(id, request) {
		c.w.wrong("%s was told that its letter %d to %s is accepted, and the log does not have it", c.name, n, id)
	}
}

func (c *client) update(id, request string) {
	n := c.dice.IntN(100)
	var h runtime.UpdateHandle[sum]
	chain := c.w.judge.chain(id)
	err := c.insist(id, request, "update", func(rt *runtime.Runtime) (err error) {
		h, err = runtime.BeginUpdate(c.w.ctx, rt, id, add, n, runtime.RequestID(request))
		return err
	})
	if err != nil {
		return
	}
	if n%10 == 9 {
		c.w.wrong("%s was told that update %d of %s is accepted, which the workflow refuses", c.name, n, id)
	}
	if !c.w.judge.hasUpdate(id, h.Update) {
		c.w.wrong("%s was told that its update of %s is accepted, and the log does not have it", c.name, id)
	}
	if c.dice.IntN(2) == 0 {
		c.answer(id, h)
	}
	if now := c.w.judge.chain(id); now == chain || chain == "" {
		return
	}
	c.w.sometimes("an update is repeated after its run has ended")
	again := c.insist(id, request, "repeat an update", func(rt *runtime.Runtime) (err error) {
		_, err = runtime.BeginUpdate(c.w.ctx, rt, id, add, n, runtime.RequestID(request))
		return err
	})
	if n := c.w.judge.accepted(id, request); n > 1 {
		c.w.wrong("%s has asked for an update of %s again, which is recorded %d times: %v", c.name, id, n, again)
	}
}

// answer waits a while for the answer to an update.
func (c *client) answer(id string, h runtime.UpdateHandle[sum]) {
	ctx, end := context.WithTimeout(c.w.ctx, 5*time.Second)
	defer end()
	err := c.once(id, "wait for an answer", func(*runtime.Runtime) error {
		_, err := h.Result(ctx)
		return err
	})
	if err == nil {
		c.w.sometimes("an update is answered")
		if !c.w.judge.answered(id, h.Update) {
			c.w.wrong("%s was told the answer to update %s of %s, and the log does not have it", c.name, h.Update, id)
		}
	}
}

func (c *client) query(id string) {
	var n int
	err := c.once(id, "query", func(rt *runtime.Runtime) (err error) {
		n, err = runtime.Query(c.w.ctx, rt, id, letters)
		return err
	})
	if most := c.w.judge.letters(id); err == nil && n > most {
		c.w.wrong("%s was told that %s has read %d letters, and the log has %d", c.name, id, n, most)
	}
}

// find looks for runs: what it finds must not be ahead of the log, and must have what the log had when it was asked.
func (c *client) find() {
	before := c.w.judge.runs()
	var rows []query.Row
	err := c.once("", "find", func(rt *runtime.Runtime) error {
		before = c.w.judge.runs()
		rows = nil
		for row, err := range rt.Find(c.w.ctx, query.Query{Limit: query.MaxLimit}) {
			if err != nil {
				return err
			}
			rows = append(rows, row)
		}
		return nil
	})
	if err != nil {
		return
	}
	found := map[string]bool{}
	for _, row := range rows {
		found[row.Run] = true
		if !c.w.judge.hasRun(row.ID, row.Run) {
			c.w.wrong("%s found run %s of %s, and the log has no such run", c.name, row.Run, row.ID)
		}
	}
	for _, run := range before {
		if !found[run] {
			c.w.wrong("%s did not find run %s, which the log had before it asked", c.name, run)
		}
	}
}

// mail hands a token to somebody outside, who completes the attempt later, twice.
func (w *World) mail(token string, info activity.Attempt) {
	delay := time.Duration(w.hash(7, info.Execution, info.Run, info.Step, uint64(info.Number)) % uint64(40*time.Second))
	w.people.Go(func() {
		if pass(w.ctx, delay) != nil {
			return
		}
		for n := range 2 {
			for w.ctx.Err() == nil {
				place := stage.Place{Rank: requests, Execution: info.Execution, Run: info.Run, Step: info.Step, Number: info.Number, What: fmt.Sprint("complete ", n)}
				if _, err := w.stage.Wait(w.ctx, place); err != nil {
					return
				}
				of := w.someone(w.hash(uint64(n), info.Execution, info.Run, token))
				if of == nil {
					return
				}
				err := runtime.Complete(w.ctx, of.rt, activity.Declare[job, string](info.Activity), token, "done outside")
				place.Rank = answers
				if _, err := w.stage.Wait(w.ctx, place); err != nil {
					return
				}
				w.note("completed %s step %d from outside: %s", info.Execution, info.Step, kindOf(err))
				if !w.isWrongInTime() && err == nil && n == 0 && !w.judge.completed(info) { // serials are made from clocks
					w.wrong("attempt %d of step %d of %s was completed from outside, and the log does not have it", info.Number, info.Step, info.Execution)
				}
				if errors.Is(err, runtime.ErrStale) || errors.Is(err, runtime.ErrSettled) {
					w.sometimes("a completion from outside is refused")
				}
				if !errors.Is(err, runtime.ErrClosed) && !errors.Is(err, runtime.ErrUnavailable) {
					break
				}
				_ = pass(w.ctx, time.Second)
			}
		}
	})
}

var errFlaky = activity.NewError("sim.flaky", "flaky")

func isOpen(s *history.State) bool { return s.Status != 0 && s.Open() }

// kindOf is what an error is, without the words, which may differ.
func kindOf(err error) string {
	for _, known := range []error{runtime.ErrClosed, runtime.ErrUnavailable, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, known) {
			return "no answer"
		}
	}
	for _, known := range []error{
		runtime.ErrAlreadyRunning, runtime.ErrAlreadyExists, runtime.ErrNotFound, runtime.ErrNotRunning, runtime.ErrSettled, runtime.ErrStale,
		runtime.ErrRefused, runtime.ErrPaused, runtime.ErrStalled, runtime.ErrInvalid,
	} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	if err != nil {
		return "another error"
	}
	return "ok"
}
