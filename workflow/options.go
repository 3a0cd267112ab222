package workflow

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
)

// Option says how a run is begun: at [Define] for all runs, or at a start for one.
type Option interface{ Set(*Settings) }

type option func(*Settings)

func (o option) Set(s *Settings) { o(s) }

// Settings are options, gathered. Authors do not need them.
type Settings struct {
	Version          int
	ExecutionTimeout time.Duration
	RunTimeout       time.Duration
	CorrelationID    string
	Memo             map[string]any

	// Of a start alone; see package runtime.
	IfRunning commands.IfRunning
	IfClosed  commands.IfClosed
	After     time.Duration
	At        time.Time
	Unchecked bool
	RequestID string
}

// Apply adds options to s.
func (s *Settings) Apply(opts ...Option) {
	for _, o := range opts {
		o.Set(s)
	}
}

// With is s with options on top.
func (s Settings) With(opts ...Option) Settings {
	memo := make(map[string]any, len(s.Memo))
	for k, v := range s.Memo {
		memo[k] = v
	}
	s.Memo = memo
	s.Apply(opts...)
	return s
}

// ExecutionTimeout bounds an execution over all its runs. Default none.
func ExecutionTimeout(d time.Duration) Option {
	return option(func(s *Settings) { s.ExecutionTimeout = d })
}

// RunTimeout bounds one run. Default none.
func RunTimeout(d time.Duration) Option { return option(func(s *Settings) { s.RunTimeout = d }) }

// CorrelationID ties executions together that belong to one matter.
func CorrelationID(id string) Option { return option(func(s *Settings) { s.CorrelationID = id }) }

// Memo keeps a note with the run, up to 16 KiB in all. It is not indexed.
func Memo(key string, v any) Option {
	return option(func(s *Settings) {
		if s.Memo == nil {
			s.Memo = map[string]any{}
		}
		s.Memo[key] = v
	})
}

const maxMemo = 16 << 10

// MemoPayload encodes the memo.
func (s Settings) MemoPayload() (history.Payload, error) {
	if len(s.Memo) == 0 {
		return history.Payload{}, nil
	}
	data, err := json.Marshal(s.Memo)
	if err != nil {
		return history.Payload{}, errors.Join(&commands.Invalid{Field: "Memo", Value: err.Error(), Want: "values that encode as JSON"})
	}
	if len(data) > maxMemo {
		return history.Payload{}, &commands.Invalid{Field: "Memo", Value: string(data), Want: "at most 16 KiB"}
	}
	return history.JSON(data), nil
}
