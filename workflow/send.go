package workflow

import (
	"fmt"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
)

// Send sends a signal to another execution and waits until it is accepted. It is accepted once, however often this process
// dies meanwhile. Errors: [ErrNotFound], [ErrNotRunning], runtime.ErrTooManySignals, or that the scope ended; the signal may
// then still be accepted.
func Send(ctx Context, id string, m Message) error {
	if m.Err != nil {
		return m.Err
	}
	if err := ctx.run.driver.Fits(m.Value); err != nil {
		return fmt.Errorf("signal %s: %w", m.Name, err)
	}
	return ctx.send("signal "+m.Name, commands.Send{ID: id, Name: m.Name, Value: m.Value})
}

// SendCancel tells another execution that it is to end, and waits until it is told. Errors: [ErrNotFound], [ErrNotRunning], or that
// the scope ended.
func SendCancel(ctx Context, id string) error {
	return ctx.send("the wish that it end", commands.Send{ID: id, Cancel: true})
}

func (c Context) send(what string, ask commands.Send) error {
	if err := commands.CheckID("workflow id", ask.ID); err != nil {
		return err
	}
	if err := c.Err(); err != nil {
		return err
	}
	p := &Pending{}
	ask.Step = c.run.driver.NextStep(p)
	p.bell.Outside = true
	p.bell.About = func() string { return fmt.Sprintf("execution %s to be sent %s (step %d)", ask.ID, what, ask.Step) }
	c.run.ask(ask)
	_, err := Future[None]{p}.Get(c)
	return err
}

// Refused makes an error of the reason for which another execution refused something.
func Refused(what, reason, message string) error {
	cause := map[string]error{
		history.RefusedNotFound: ErrNotFound, history.RefusedNotRunning: ErrNotRunning, history.RefusedRunning: ErrAlreadyRunning,
		history.RefusedExists: ErrAlreadyExists, history.RefusedFull: commands.ErrTooManySignals, history.RefusedInvalid: commands.ErrInvalid,
		history.RefusedTooMany: ErrTooManyRows, history.RefusedTooLarge: commands.ErrTooLarge, history.RefusedTooLong: query.ErrTooLong,
		history.RefusedLimit: ErrFull,
	}[reason]
	switch {
	case cause == nil:
		return fmt.Errorf("%s: %s %s", what, reason, message)
	case message != "":
		return fmt.Errorf("%s: %w: %s", what, cause, message)
	}
	return fmt.Errorf("%s: %w", what, cause)
}
