package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/examples/order/order"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/runtime"
)

// books is the file of the card service.
const books = "cards.json"

// told is what the process that works is told: an answer.
type told struct {
	ID       string
	Approval order.Approval
}

// serve works on orders until all have ended, or whoever started this process is gone.
func serve(ctx context.Context, dir string, wishes []wish) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	out := &voice{}
	service := &order.Service{
		Cards:   &cards{voice: out, file: filepath.Join(dir, books)},
		Carrier: carrier{out},
	}
	rt, err := runtime.Open(ctx, runtime.Config{
		Store: filepath.Join(dir, "store"), Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}, service.Definitions()...)
	if err != nil {
		return err
	}
	defer rt.Close()
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	running.Go(func() {
		if err := rt.Run(ctx); err != nil {
			fmt.Fprintln(os.Stderr, "order:", err)
		}
	})
	started := make(chan struct{})
	go listen(ctx, rt, out, started, stop)
	if err := process(ctx, rt, out, wishes, started); err != nil {
		return err
	}
	for _, w := range wishes {
		if w.KilledAt != "" {
			return tabulate(ctx, rt, out, w.ID)
		}
	}
	return nil
}

// listen takes answers, when all orders are started, until there are no more, which means that the other side is gone.
func listen(ctx context.Context, rt *runtime.Runtime, out *voice, started <-chan struct{}, stop func()) {
	defer stop()
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var t told
		if err := json.Unmarshal(in.Bytes(), &t); err != nil {
			fmt.Fprintln(os.Stderr, "order:", err)
			continue
		}
		<-started
		// The id of the request makes an answer that is told again the same answer.
		err := rt.Signal(ctx, t.ID, order.Approve.With(t.Approval), runtime.RequestID("answer to "+t.ID))
		switch {
		case err == nil:
			out.say("does", t.ID, "%s says %s", t.Approval.By, map[bool]string{true: "yes", false: "no"}[t.Approval.Granted])
			out.say("answered", t.ID, "")
		case errors.Is(err, runtime.ErrNotRunning): // it has ended meanwhile
			out.say("answered", t.ID, "")
		default:
			fmt.Fprintln(os.Stderr, "order:", err)
		}
	}
}

// process starts each order, unless it was started by a process before, and waits for all.
func process(ctx context.Context, rt *runtime.Runtime, out *voice, wishes []wish, started chan<- struct{}) error {
	var all sync.WaitGroup
	errs, now := make([]error, len(wishes)), time.Now()
	for i, w := range wishes {
		h, err := runtime.Start(ctx, rt, w.ID, order.Process, w.order(), runtime.RequestID("start of "+w.ID))
		if err != nil {
			return err
		}
		d, err := rt.Describe(ctx, w.ID)
		if err != nil {
			return err
		}
		if d.Started.Before(now) && d.Closed.IsZero() {
			out.say("does", w.ID, "is taken up again where it stood: %s", standing(d))
		}
		all.Go(func() {
			done, err := h.Result(ctx)
			if errs[i] = err; err != nil {
				return
			}
			text, _ := json.Marshal(done) // always encodes
			out.say("ended", w.ID, "%s", text)
		})
	}
	close(started)
	all.Wait()
	return errors.Join(errs...)
}

// standing says where an order stands.
func standing(d runtime.Description) string {
	if len(d.Activities) > 0 {
		if a := d.Activities[0]; !a.Checkpoint.Absent() {
			return fmt.Sprintf("attempt %d of %s, checkpoint %s", a.Attempt, a.Name, a.Checkpoint.Data)
		}
	}
	return fmt.Sprint(d.Waiting)
}

// tabulate says the history of an order.
func tabulate(ctx context.Context, rt *runtime.Runtime, out *voice, id string) error {
	out.say("table", id, "")
	out.say("table", id, "the history of %s", id)
	out.say("table", id, "%4s  %-12s  %9s  %s", "seq", "time", "after", "what")
	var last time.Time
	for e, err := range rt.History(ctx, id) {
		if err != nil {
			return err
		}
		if last.IsZero() {
			last = e.At
		}
		out.say("table", id, "%4d  %-12s  %+8.3fs  %s", e.Seq, e.At.Format("15:04:05.000"), e.At.Sub(last).Seconds(), what(e.Event))
		last = e.At
	}
	return nil
}

// what is an entry in words.
func what(e history.Event) string {
	switch e := e.(type) {
	case *history.ActivityScheduled:
		return fmt.Sprintf("%s %s", e.Kind(), e.Name)
	case *history.AttemptFailed:
		return fmt.Sprintf("%s number %d, %s", e.Kind(), e.Attempt, history.ReadFailure(e.Failure).Message)
	case *history.AttemptLost:
		return fmt.Sprintf("%s number %d", e.Kind(), e.Attempt)
	case *history.Heartbeat:
		return fmt.Sprintf("%s of attempt %d, checkpoint %s", e.Kind(), e.Attempt, e.Checkpoint.Data)
	case *history.ActivityCompleted:
		return fmt.Sprintf("%s by attempt %d: %s", e.Kind(), e.Attempt, e.Result.Data)
	case *history.Signaled:
		return fmt.Sprintf("%s %s %s", e.Kind(), e.Name, e.Value.Data)
	case *history.TimerStarted:
		return fmt.Sprintf("%s for %s", e.Kind(), e.After)
	case *history.Completed:
		return fmt.Sprintf("%s: %s", e.Kind(), e.Result.Data)
	}
	return e.Kind()
}

// voice is how the process that works tells what happens.
type voice struct{ mu sync.Mutex }

func (v *voice) say(word, id, format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	fmt.Printf("%s\t%s\t%s\n", word, id, fmt.Sprintf(format, args...))
}

// does tells what an activity does.
func (v *voice) does(ctx context.Context, format string, args ...any) {
	info := activity.Info(ctx)
	text := fmt.Sprintf(format, args...)
	if info.Number > 1 {
		text = fmt.Sprintf("(attempt %d) %s", info.Number, text)
	}
	v.say("does", info.Execution, "%s", text)
}

// carrier is a carrier that takes half a second from one place to the next.
type carrier struct{ *voice }

// Move is that of [order.Carrier].
func (c carrier) Move(ctx context.Context, tracking, place string) error {
	select {
	case <-time.After(500 * time.Millisecond):
		c.does(ctx, "%s passes %s", tracking, place)
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
