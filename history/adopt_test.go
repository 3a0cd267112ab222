package history_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/clewflow/clew/history"
)

// Whether a message was delivered before is looked for from when it was asked for, which a run that adopts it does not change.
func TestAnAdoptedMessageWasAskedForWhenItWasFirst(t *testing.T) {
	first, again := time.Unix(100, 0).UTC(), time.Unix(500, 0).UTC()
	var s history.State
	s.Evolve(history.Entry{Seq: 7, At: again, Event: &history.Started{ID: history.ID{Namespace: "n", Workflow: "wa"}, Run: "r2", Type: "order"}})
	s.Evolve(history.Entry{Seq: 8, At: again, Event: &history.SendAsked{Step: 1, ID: "wb", Name: "post"}, Adopted: &history.Adopted{Seq: 2, Was: first}})
	assert.Equal(t, first, s.Sends[1].Asked)
	s.Evolve(history.Entry{Seq: 9, At: again, Event: &history.SendAsked{Step: 2, ID: "wb", Name: "post"}})
	assert.Equal(t, again, s.Sends[2].Asked)
}
