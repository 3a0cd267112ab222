package commands

import (
	"time"

	"github.com/clewflow/clew/history"
)

// Find is the code's question about runs.
type Find struct {
	Step  history.Step
	Query history.Payload
	Count bool // only how many there are
}

func (c Find) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	if err := running(s); err != nil {
		return nil, err
	}
	return follows(&history.FindAsked{Step: c.Step, Query: c.Query, Count: c.Count})
}

// AnswerFind says what the index knows, or for which reason of package history it does not say.
type AnswerFind struct {
	Run      string // of which the code asks
	Step     history.Step
	Found    uint64
	Position uint64
	Rows     history.Payload
	Refused  string
	Message  string
}

func (c AnswerFind) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	if !s.Open() || s.Run.ID != c.Run || s.Finds[c.Step] == nil {
		return nothing()
	}
	return follows(&history.FindAnswered{Step: c.Step, Found: c.Found, Position: c.Position, Rows: c.Rows, Refused: c.Refused, Message: c.Message})
}
