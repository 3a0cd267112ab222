package activity_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
)

func resolve(t *testing.T, definition []activity.Option, call ...activity.Option) activity.Call {
	t.Helper()
	c, err := activity.Resolve(activity.Declare[int, int]("a", definition...), call)
	require.NoError(t, err)
	return c
}

func options(opts ...activity.Option) []activity.Option { return opts }

func TestUnsetIsInheritedFromClew(t *testing.T) {
	c := resolve(t, nil)
	assert.Equal(t, "a", c.Name)
	assert.Empty(t, c.Queue)
	assert.Equal(t, &history.Policy{
		StartToClose: 10 * time.Minute, Assumed: true, ScheduleToClose: 24 * time.Hour,
		Retry:     history.Retry{Backoff: history.Exponential, Initial: time.Second, Factor: 2, Max: time.Minute, Jitter: 0.2},
		OnTimeout: history.ThenRetry, OnCancel: history.TryCancel, From: history.Sources{Recorded: true},
	}, c.Policy)
}

func TestCallOverridesTheDefinitionFieldByField(t *testing.T) {
	gone, broke := activity.NewError("gone", "gone"), activity.NewError("broke", "broke")
	definition := options(
		activity.StartToClose(time.Minute), activity.ScheduleToStart(time.Hour), activity.Queue("slow"), activity.NeverRetry(gone),
		activity.Retry{Initial: 2 * time.Second, Factor: 3, Max: time.Hour}, activity.MaxAttempts(5), activity.OnTimeout(activity.ThenReturn),
	)
	a := activity.Declare[int, int]("a", definition...)
	call := options(activity.StartToClose(0), activity.ScheduleToClose(time.Hour), activity.HeartbeatWithin(time.Second), activity.Queue(""),
		activity.NeverRetry(broke), activity.Retry{Factor: 1.5, Backoff: activity.Linear}, activity.OnCancel(activity.LeaveRunning))
	want := &history.Policy{
		ScheduleToStart: time.Hour, StartToClose: time.Minute, ScheduleToClose: time.Hour, Heartbeat: time.Second,
		Retry:      history.Retry{MaxAttempts: 5, Backoff: history.Linear, Initial: 2 * time.Second, Factor: 1.5, Max: time.Hour, Jitter: 0.2},
		NeverRetry: []string{"gone", "broke"}, OnTimeout: history.ThenReturn, OnCancel: history.LeaveRunning,
		From: history.Sources{
			Recorded: true,
			Asked:    history.ScheduleToCloseField | history.HeartbeatField | history.BackoffField | history.FactorField | history.NeverRetryField | history.OnCancelField,
			Definition: history.ScheduleToStartField | history.StartToCloseField | history.MaxAttemptsField | history.InitialField | history.FactorField | history.MaxField |
				history.OnTimeoutField | history.NeverRetryField | history.QueueField,
		},
	}
	for range 2 {
		c, err := activity.Resolve(a, call)
		require.NoError(t, err)
		assert.Equal(t, activity.Call{Name: "a", Queue: "slow", Policy: want}, c)
	}
	plain, err := activity.Resolve(a, nil)
	require.NoError(t, err)
	assert.Equal(t, []string{"gone"}, plain.Policy.NeverRetry, "a call leaves the definition as it is")
	assert.Zero(t, plain.Policy.Heartbeat)
	assert.Equal(t, want.From.Definition, plain.Policy.From.Definition)
	assert.Zero(t, plain.Policy.From.Asked)
}

func TestWhatHasNoDefinitionIsAskedForByTheCall(t *testing.T) {
	c, err := activity.Inline("a", time.Second, options(activity.MaxAttempts(3)))
	require.NoError(t, err)
	assert.Equal(t, time.Second, c.Policy.StartToClose)
	assert.Equal(t, history.Sources{Recorded: true, Asked: history.MaxAttemptsField}, c.Policy.From, "a limit that goes without saying is the default")
}

func TestNoJitterAndNoCapMeanNone(t *testing.T) {
	p := resolve(t, options(activity.Retry{Jitter: activity.NoJitter, Max: activity.NoCap, Initial: time.Hour})).Policy
	assert.Zero(t, p.Retry.Jitter)
	assert.Zero(t, p.Retry.Max)
	assert.Equal(t, 4*time.Hour, p.Retry.Delay(3, 0.9))
}

func TestAttemptThatBeatsHasNoLimitOfItsOwn(t *testing.T) {
	for name, c := range map[string]struct {
		opts    []activity.Option
		limit   time.Duration
		assumed bool
	}{
		"nothing asked":           {nil, 10 * time.Minute, true},
		"a heartbeat":             {options(activity.HeartbeatWithin(time.Minute)), 0, true},
		"no timeout, a heartbeat": {options(activity.StartToClose(activity.NoTimeout), activity.HeartbeatWithin(time.Minute)), 0, false},
		"both":                    {options(activity.StartToClose(time.Hour), activity.HeartbeatWithin(time.Minute)), time.Hour, false},
		"the default, asked for":  {options(activity.StartToClose(10 * time.Minute)), 10 * time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			for _, p := range []*history.Policy{resolve(t, c.opts).Policy, resolve(t, nil, c.opts...).Policy} {
				assert.Equal(t, c.limit, p.StartToClose)
				assert.Equal(t, c.assumed, p.Assumed)
			}
		})
	}
}

func TestWrongOptionsAreInvalid(t *testing.T) {
	const long = commands.MaxDuration + 1
	for want, cases := range map[string][][]activity.Option{
		"StartToClose":    {options(activity.StartToClose(-1)), options(activity.StartToClose(long)), options(activity.StartToClose(activity.NoTimeout))},
		"ScheduleToClose": {options(activity.ScheduleToClose(-1)), options(activity.ScheduleToClose(long)), options(activity.ScheduleToClose(activity.NoTimeout))},
		"ScheduleToStart": {options(activity.ScheduleToStart(-1)), options(activity.ScheduleToStart(long))},
		"HeartbeatWithin": {options(activity.HeartbeatWithin(-1)), options(activity.HeartbeatWithin(long)), options(activity.HeartbeatWithin(activity.NoTimeout))},
		"MaxAttempts":     {options(activity.MaxAttempts(-1))},
		"Retry.Initial":   {options(activity.Retry{Initial: -1}), options(activity.Retry{Initial: long, Max: activity.NoCap})},
		"Retry.Max":       {options(activity.Retry{Max: -2}), options(activity.Retry{Max: time.Millisecond})},
		"Retry.Factor": {options(activity.Retry{Factor: 0.5}), options(activity.Retry{Factor: -1}), options(activity.Retry{Factor: math.NaN()}),
			options(activity.Retry{Factor: math.Inf(1)}), options(activity.Retry{Factor: 0.5, Backoff: activity.Linear})},
		"Retry.Jitter":  {options(activity.Retry{Jitter: 1.1}), options(activity.Retry{Jitter: -0.5}), options(activity.Retry{Jitter: math.NaN()})},
		"Retry.Backoff": {options(activity.Retry{Backoff: "steep"})},
		"OnTimeout":     {options(activity.OnTimeout("shrug"))},
		"OnCancel":      {options(activity.OnCancel("shrug"))},
		"Queue":         {options(activity.Queue("no spaces"))},
		"NeverRetry":    {options(activity.NeverRetry(errors.New("plain"))), options(activity.NeverRetry(nil))},
	} {
		for _, opts := range cases {
			_, err := activity.Resolve(activity.Declare[int, int]("a"), opts)
			var invalid *commands.Invalid
			require.ErrorAs(t, err, &invalid, want)
			assert.ErrorIs(t, err, commands.ErrInvalid)
			assert.Equal(t, want, invalid.Field)

			body, ok := activity.BodyOf(activity.Declare[int, int]("a", opts...))
			require.True(t, ok)
			assert.ErrorIs(t, body.Err, commands.ErrInvalid, "the definition says so too")
		}
	}
}

func TestFactorIsFreeWhereDelaysAreFixed(t *testing.T) {
	resolve(t, options(activity.Retry{Backoff: activity.Fixed, Factor: 0.5}))
}

func TestAllThatIsWrongIsSaidAtOnce(t *testing.T) {
	_, err := activity.Resolve(activity.Declare[int, int]("a"), options(activity.ScheduleToClose(-1), activity.ScheduleToStart(-1), activity.MaxAttempts(-1)))
	for _, field := range []string{"ScheduleToClose", "ScheduleToStart", "MaxAttempts"} {
		assert.ErrorContains(t, err, field)
	}
}

func TestZeroTypeHasNoName(t *testing.T) {
	var zero activity.Type[int, int]
	_, err := activity.Resolve(zero, nil)
	assert.ErrorContains(t, err, "activity.Define")
	for _, d := range []any{zero, zero.Bind(func(context.Context, int) (int, error) { return 0, nil })} {
		body, _ := activity.BodyOf(d)
		assert.Error(t, body.Err)
	}
}

func TestALongFirstDelayRaisesTheDefaultCap(t *testing.T) {
	call, err := activity.Resolve(activity.Declare[int, int]("a", activity.Retry{Initial: time.Hour}), nil)
	require.NoError(t, err)
	assert.Equal(t, time.Hour, call.Policy.Retry.Max)
}
