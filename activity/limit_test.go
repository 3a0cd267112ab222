package activity_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
)

func TestTheTurnOfACallIsRecordedWithItsPolicy(t *testing.T) {
	c := resolve(t, options(activity.Limits("bank"), activity.Priority(2), activity.WhenFull(activity.Refused)),
		activity.LimitKey("ann"), activity.Limits("mail"), activity.Weight(4))
	assert.Equal(t, history.Admission{Limits: []string{"bank", "mail"}, Key: "ann", Priority: 2, Weight: 4, WhenFull: history.Refused}, c.Policy.Admission)
	assert.Equal(t, history.KeyField|history.LimitsField|history.WeightField, c.Policy.From.Asked)
	assert.Equal(t, history.LimitsField|history.PriorityField|history.WhenFullField, c.Policy.From.Definition)
}

func TestAKeyIsWorkedOutFromTheInput(t *testing.T) {
	type order struct{ Customer string }
	a := activity.Declare[order, int]("a", activity.KeyOf(func(o order) string { return o.Customer }))
	c, err := activity.Resolved(a, order{"ann"}, nil)
	require.NoError(t, err)
	assert.Equal(t, "ann", c.Policy.Admission.Key)
	assert.Equal(t, history.KeyField, c.Policy.From.Definition)
	c, err = activity.Resolved(a, order{"ann"}, options(activity.LimitKey("bob")))
	require.NoError(t, err)
	assert.Equal(t, "bob", c.Policy.Admission.Key, "the call says otherwise")
	c, err = activity.Resolved(a, order{"eve"}, nil)
	require.NoError(t, err)
	assert.Equal(t, "eve", c.Policy.Admission.Key, "each call has its own")

	_, err = activity.Resolved(activity.Declare[int, int]("a", activity.KeyOf(func(o order) string { return "" })), 7, nil)
	assert.ErrorIs(t, err, commands.ErrInvalid)
	_, err = activity.Resolved(a, order{strings.Repeat("x", 257)}, nil)
	assert.ErrorIs(t, err, commands.ErrInvalid)
}

func TestLimitsAreOfDefinitions(t *testing.T) {
	body, _ := activity.BodyOf(activity.Declare[int, int]("a", activity.Limit{AtOnce: 3, Rate: 100, Per: time.Second, KeyAtOnce: 2}))
	require.NoError(t, body.Err)
	assert.Equal(t, history.Rule{All: history.Limit{AtOnce: 3, Rate: 100, Per: time.Second}, Key: history.Limit{AtOnce: 2}}, body.Limit)
	_, err := activity.Resolve(activity.Declare[int, int]("a"), options(activity.Limit{AtOnce: 3}))
	assert.ErrorIs(t, err, commands.ErrInvalid)
}

func TestWrongLimitsAreInvalid(t *testing.T) {
	for _, o := range []activity.Option{
		activity.Limit{AtOnce: -1}, activity.Limit{Rate: 1}, activity.Limit{KeyRate: -1, KeyPer: time.Second}, activity.Limit{Per: time.Second},
		activity.Priority(0), activity.Priority(6), activity.Priority(-1), activity.Weight(101), activity.Weight(0), activity.WhenFull("shrug"),
		activity.Limits("no spaces"), activity.Limits("a", "b", "c", "d", "e", "f", "g", "h", "i"), activity.LimitKey(strings.Repeat("x", 257)),
	} {
		body, _ := activity.BodyOf(activity.Declare[int, int]("a", o))
		assert.ErrorIs(t, body.Err, commands.ErrInvalid, "%#v", o)
	}
}
