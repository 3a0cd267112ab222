package workflow

import (
	"errors"
	"fmt"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
)

// RunLimit bounds the runs of a workflow that are open and have begun: it is an [Option] of its definition. Zero is no bound. A run for which
// there is no room is recorded and waits, unless [WhenFull] says otherwise: it can be found, sent signals and cancelled, and its code begins
// when it has its slot. A slot comes back when the run ends, however it ends; a run that continues as new hands it on. All versions of a
// workflow count together. Operators can change it at any time, see runtime.Runtime.SetPolicy.
type RunLimit struct {
	AtOnce    int // in all
	KeyAtOnce int // of each key; see [KeyOf] and [LimitKey]
}

// Set makes a RunLimit an [Option].
func (l RunLimit) Set(s *Settings) {
	rule := history.Rule{All: history.Limit{AtOnce: l.AtOnce}, Key: history.Limit{AtOnce: l.KeyAtOnce}}
	for _, n := range []struct {
		field string
		value int
	}{{"RunLimit.AtOnce", l.AtOnce}, {"RunLimit.KeyAtOnce", l.KeyAtOnce}} {
		if n.value < 0 {
			s.Err = errors.Join(s.Err, &commands.Invalid{Field: n.field, Value: fmt.Sprint(n.value), Want: "1 or more, or 0 for no bound"})
		}
	}
	s.RunLimit = rule
}

// SetChild says that a child is bounded by its definition.
func (l RunLimit) SetChild(s *Settings) { notOfChild(s, "RunLimit") }

// ofDefinition is KeyOf, which a child has from its definition.
type ofDefinition struct{ option }

func (ofDefinition) SetChild(s *Settings) { notOfChild(s, "KeyOf") }

func notOfChild(s *Settings, name string) {
	s.Err = errors.Join(s.Err, &commands.Invalid{Field: "an option of a child", Value: name, Want: "it at the definition of the child's workflow"})
}

const maxKey = 256

// LimitKey says at a start, or of a child, for whom the run is, such as a customer: a [RunLimit] of each key counts by it. Up to 256 bytes.
func LimitKey(key string) Option {
	return option(func(s *Settings) {
		if len(key) > maxKey {
			s.Err = errors.Join(s.Err, &commands.Invalid{Field: "LimitKey", Value: fmt.Sprintf("%d bytes", len(key)), Want: fmt.Sprintf("%d at most", maxKey)})
		}
		s.LimitKey = key
	})
}

// KeyOf is [LimitKey] at the definition: the key is worked out from the input of each start, which must be an In. A run that continues as new
// keeps the key that it has.
func KeyOf[In any](key func(In) string) Option {
	return ofDefinition{func(s *Settings) {
		s.keyOf = func(input history.Payload) (string, error) {
			var in In
			if err := input.Decode(&in); err != nil {
				return "", &commands.Invalid{Field: "KeyOf", Value: err.Error(), Want: fmt.Sprintf("a function of the input, and not of a %T", in)}
			}
			k := key(in)
			if len(k) > maxKey {
				return "", &commands.Invalid{Field: "KeyOf", Value: fmt.Sprintf("%d bytes", len(k)), Want: fmt.Sprintf("%d at most", maxKey)}
			}
			return k, nil
		}
	}}
}

// KeyOfInput is the key of a run with an input.
func (s *Settings) KeyOfInput(input history.Payload) (string, error) {
	if s.LimitKey != "" || s.keyOf == nil {
		return s.LimitKey, nil
	}
	return s.keyOf(input)
}

// Full says what becomes of a run whose limit allows no further one.
type Full = history.Full

// What becomes of a run whose limit allows no further one. To replace is to terminate an open run of the same limit; the new one begins when that
// has ended, before those that wait.
const (
	WaitWhenFull   = history.Queued  // default: it waits, and those that came first begin first
	RefuseWhenFull = history.Refused // its start fails with ErrFull; that of a child too
	ReplaceOldest  = history.ReplaceOldest
	ReplaceNewest  = history.ReplaceNewest
)

// WhenFull says at the definition, at a start or of a child what becomes of the run when a [RunLimit] allows no further one. Default: WaitWhenFull.
func WhenFull(f Full) Option {
	return option(func(s *Settings) {
		switch f {
		case WaitWhenFull, RefuseWhenFull, ReplaceOldest, ReplaceNewest:
			s.WhenFull = f
		default:
			s.Err = errors.Join(s.Err, &commands.Invalid{Field: "WhenFull", Value: string(f), Want: "WaitWhenFull, RefuseWhenFull, ReplaceOldest or ReplaceNewest"})
		}
	})
}

// ErrFull is in the chain of the error of a start that a [RunLimit] refuses, that of a child too.
var ErrFull = commands.ErrFull
