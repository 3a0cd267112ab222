package runtime

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/clewflow/clew/history"
)

// Two that begin the same history at one moment would record the same entries, and the log would take the second for the first.
func TestNothingIsGuessedTwiceAtTheSameMoment(t *testing.T) {
	var g guesses
	wa, wb, now := history.ID{Workflow: "wa"}, history.ID{Workflow: "wb"}, time.Unix(1, 0)
	assert.Equal(t, now, g.moment(wa, now))
	assert.Equal(t, now, g.moment(wb, now), "another one may begin at the same moment")
	assert.Equal(t, now.Add(1), g.moment(wa, now))
	assert.Equal(t, now.Add(2), g.moment(wa, now))
	assert.Equal(t, now.Add(time.Second), g.moment(wa, now.Add(time.Second)))
}
