package activity_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
)

// Declined is registered, and has a cause that its JSON does not hold.
type Declined struct {
	Reason string
	cause  error
}

func (e *Declined) Error() string { return "declined: " + e.Reason }
func (e *Declined) Unwrap() error { return e.cause }

// Broke is registered as a value.
type Broke struct{ Cents int }

func (e Broke) Error() string { return fmt.Sprintf("%d cents short", e.Cents) }

var (
	_ = activity.RegisterError[*Declined]("test.declined")
	_ = activity.RegisterError[Broke]("test.broke")

	errGone = activity.NewError("test.gone", "gone for good")
)

// travel is err after a way through the log.
func travel(err error) error {
	return activity.Recall(history.ReadFailure(activity.Record(err).Payload()))
}

func as[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}

func TestErrorsTravelThroughTheLog(t *testing.T) {
	failed := &activity.Error{Activity: "charge", Attempts: 3, Code: "test.broke", Message: "5 cents short", Cause: Broke{5}}
	late := &activity.Error{Activity: "charge", Attempts: 1, Limit: history.StartToClose, Message: "start-to-close timed out", Cause: activity.ErrTimeout}
	for name, c := range map[string]struct {
		err  error
		text string
		is   []error
		code string
		as   func(error) bool
	}{
		"plain":            {err: errors.New("oh"), text: "oh"},
		"wrapped":          {err: fmt.Errorf("paying: %w", errors.New("oh")), text: "paying: oh"},
		"sentinel":         {err: errGone, text: "gone for good", is: []error{errGone, activity.NewError("test.gone", "said otherwise")}, code: "test.gone"},
		"wrapped sentinel": {err: fmt.Errorf("looking: %w", errGone), text: "looking: gone for good", is: []error{errGone}, code: "test.gone"},
		"pointer type":     {err: &Declined{Reason: "no"}, text: "declined: no", code: "test.declined", as: as[*Declined]},
		"value type":       {err: Broke{5}, text: "5 cents short", is: []error{Broke{5}}, code: "test.broke", as: as[Broke]},
		"type with a cause": {err: fmt.Errorf("paying: %w", &Declined{"no", fmt.Errorf("because %w", errGone)}), text: "paying: declined: no",
			is: []error{errGone}, code: "test.declined", as: as[*Declined]},
		"joined":             {err: errors.Join(errors.New("oh"), errGone, Broke{5}), text: "oh\ngone for good\n5 cents short", is: []error{errGone, Broke{5}}, code: "test.gone", as: as[Broke]},
		"several wrapped":    {err: fmt.Errorf("%w and %w", errGone, Broke{5}), text: "gone for good and 5 cents short", is: []error{errGone, Broke{5}}, code: "test.gone"},
		"not to be retried":  {err: fmt.Errorf("paying: %w", activity.NonRetryable(errGone)), text: "paying: gone for good", is: []error{errGone}, code: "test.gone"},
		"retried after":      {err: activity.RetryAfter(time.Hour, Broke{5}), text: "5 cents short", is: []error{Broke{5}}, code: "test.broke"},
		"panic":              {err: &activity.PanicError{Message: "oh", Stack: "main.go:1"}, text: "panicked: oh", is: []error{activity.ErrPanicked}, as: as[*activity.PanicError]},
		"panicked":           {err: activity.ErrPanicked, text: "panicked", is: []error{activity.ErrPanicked}},
		"timed out":          {err: fmt.Errorf("waiting: %w", activity.ErrTimeout), text: "waiting: timed out", is: []error{activity.ErrTimeout}},
		"cancelled":          {err: errors.Join(activity.ErrCancelled, errGone), text: "cancelled\ngone for good", is: []error{activity.ErrCancelled, errGone}, code: "test.gone"},
		"activity":           {err: failed, text: "activity charge after 3 attempts: 5 cents short", is: []error{Broke{5}}, code: "test.broke", as: as[*activity.Error]},
		"activity timed out": {err: fmt.Errorf("paying: %w", late), text: "paying: activity charge: start-to-close timed out", is: []error{activity.ErrTimeout}, as: as[*activity.Error]},
	} {
		t.Run(name, func(t *testing.T) {
			for err, way := c.err, 0; way < 4; err, way = travel(err), way+1 {
				assert.EqualError(t, err, c.text, "after %d ways", way)
				for _, target := range c.is {
					assert.ErrorIs(t, err, target, "after %d ways", way)
				}
				for _, target := range []error{activity.ErrTimeout, activity.ErrCancelled, activity.ErrPanicked} {
					assert.Equal(t, errors.Is(c.err, target), errors.Is(err, target), "%v after %d ways", target, way)
				}
				assert.Equal(t, c.code, activity.CodeOf(err), "after %d ways", way)
				if c.as != nil {
					assert.True(t, c.as(err), "after %d ways", way)
				}
			}
			twice := travel(travel(c.err))
			assert.Equal(t, activity.Record(twice), activity.Record(travel(twice)), "nothing grows on the way")
		})
	}
	var e *activity.Error
	require.ErrorAs(t, travel(late), &e)
	assert.Equal(t, late, e)
	require.ErrorAs(t, travel(failed), &e)
	assert.Equal(t, failed, e)
	var d *Declined
	require.ErrorAs(t, travel(fmt.Errorf("x: %w", &Declined{Reason: "no"})), &d)
	assert.Equal(t, "no", d.Reason)
}

func TestUnknownTypeIsHandedOnAsItCame(t *testing.T) {
	f := history.Failure{Message: "odd", Code: "test.elsewhere", Fields: []byte(`{"n":1}`), Causes: []history.Failure{{Message: "why"}}}
	err := activity.Recall(f)
	assert.EqualError(t, err, "odd")
	assert.ErrorIs(t, err, activity.NewError("test.elsewhere", ""))
	assert.Equal(t, f, activity.Record(err))
}

func TestVerdictIsFoundAnywhereInAChain(t *testing.T) {
	err := fmt.Errorf("outer: %w", errors.Join(Broke{1}, activity.NonRetryable(fmt.Errorf("inner: %w", activity.RetryAfter(time.Minute, errGone)))))
	assert.Equal(t, activity.Verdict{Final: true, RetryAfter: time.Minute, Codes: []string{"test.broke", "test.gone"}}, activity.Judge(err))
	assert.Equal(t, activity.Verdict{}, activity.Judge(errors.New("plain")))
	assert.Equal(t, activity.Verdict{RetryAfter: 1}, activity.Judge(activity.RetryAfter(-time.Hour, errors.New("now"))), "no time is at once, not as the policy says")
	assert.NoError(t, activity.NonRetryable(nil))
	assert.NoError(t, activity.RetryAfter(time.Hour, nil))
}

func TestRegisterErrorPanicsWhenTaken(t *testing.T) {
	assert.PanicsWithValue(t, `activity: error code "test.broke" is registered for activity_test.Broke and cannot be for *activity_test.other`, func() {
		activity.RegisterError[*other]("test.broke")
	})
	assert.PanicsWithValue(t, `activity: activity_test.Broke is registered as "test.broke" and cannot be as "test.other"`, func() {
		activity.RegisterError[Broke]("test.other")
	})
}

type other struct{}

func (*other) Error() string { return "other" }
