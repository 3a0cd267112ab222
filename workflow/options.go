package workflow

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
)

// ChildOption says how a child is begun, see [BeginChild].
type ChildOption interface{ SetChild(*Settings) }

// Option says how a run is begun: at [Define] for all runs, or at a start, [BeginChild] or [ContinueAsNew] for one.
type Option interface {
	ChildOption
	Set(*Settings)
}

type (
	option      func(*Settings)
	childOption func(*Settings)
)

func (o option) Set(s *Settings)           { o(s) }
func (o option) SetChild(s *Settings)      { o(s) }
func (o childOption) SetChild(s *Settings) { o(s) }

// Settings are options, gathered. Authors do not need them.
type Settings struct {
	Version          int
	ExecutionTimeout time.Duration
	RunTimeout       time.Duration
	CorrelationID    string
	Memo             map[string]any
	Attributes       map[string]json.RawMessage
	Headers          map[string]string
	Err              error // what is wrong with an option
	OnMismatch       Mismatch
	OnFailure        history.OnFailure
	RunLimit         history.Rule // of the runs that are open, by the definition
	LimitKey         string
	WhenFull         Full
	keyOf            func(history.Payload) (string, error)

	// Of a child alone.
	ID            string
	OnParentClose ParentClose
	OnCancel      activity.Cancel
	once          bool

	// Of a start alone; see package runtime.
	IfRunning commands.IfRunning
	IfClosed  commands.IfClosed
	After     time.Duration
	At        time.Time
	Unchecked bool
	RequestID string
	Label     string
	Signal    *Message      // to be sent with it
	PutOff    time.Duration // at the most, of a debounced one
}

// Apply adds options to s.
func (s *Settings) Apply(opts ...Option) {
	for _, o := range opts {
		o.Set(s)
	}
}

// With is s with options on top.
func (s Settings) With(opts ...Option) Settings {
	s = s.own()
	s.Apply(opts...)
	return s
}

// own is s with maps of its own.
func (s Settings) own() Settings {
	s.Memo, s.Attributes, s.Headers = maps.Clone(s.Memo), maps.Clone(s.Attributes), maps.Clone(s.Headers)
	return s
}

// Version says at [Define] which version of the workflow the code is: several may be bound at once, new runs are of the
// newest, and each run stays with the one that it began with. At a start it pins the run, and those that continue it, to
// a version.
func Version(n int) Option {
	return option(func(s *Settings) {
		if n < 1 {
			s.Err = errors.Join(s.Err, &commands.Invalid{Field: "Version", Value: fmt.Sprint(n), Want: "1 or more"})
		}
		s.Version = n
	})
}

// Header gives the run a text that travels on to its activities and children, such as the id of a trace or a tenant.
func Header(name, value string) Option {
	return option(func(s *Settings) {
		if s.Headers == nil {
			s.Headers = map[string]string{}
		}
		s.Headers[name] = value
	})
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

// AttributesPayload encodes the attributes.
func (s Settings) AttributesPayload() (history.Payload, error) {
	if err := commands.CheckAttributes(s.Attributes, len(s.Attributes)); err != nil {
		return history.Payload{}, err
	}
	return history.Attributes(s.Attributes).Payload(), nil
}

const maxHeaders = 8 << 10

// headersOn encodes the headers on top of those that the run has; absent if there are none to add.
func (s Settings) headersOn(had map[string]string) (history.Payload, error) {
	if len(s.Headers) == 0 {
		return history.Payload{}, nil
	}
	all := maps.Clone(s.Headers)
	for name, value := range had {
		if _, given := all[name]; !given {
			all[name] = value
		}
	}
	return Settings{Headers: all}.HeadersPayload()
}

// HeadersPayload encodes the headers.
func (s Settings) HeadersPayload() (history.Payload, error) {
	if len(s.Headers) == 0 {
		return history.Payload{}, nil
	}
	p, err := history.Encode(s.Headers)
	if err == nil && p.Size() > maxHeaders {
		err = &commands.Invalid{Field: "the headers", Value: string(p.Data), Want: "at most 8 KiB in all"}
	}
	return p, err
}
