package activity

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
)

// Limit bounds the attempts of an activity: it is an [Option] of its definition. All that is set must allow an attempt; zero is no
// bound. Operators can change it while the activity is in use, see runtime.Runtime.SetPolicy.
type Limit struct {
	AtOnce int           // attempts in hand, or going on outside
	Rate   int           // attempts begun within any time as long as Per
	Per    time.Duration // of Rate

	KeyAtOnce int           // as AtOnce, for each key; see LimitKey
	KeyRate   int           // as Rate, for each key
	KeyPer    time.Duration // of KeyRate
}

func (l Limit) set(s *Settings) {
	s.limit.All = history.Limit{AtOnce: l.AtOnce, Rate: l.Rate, Per: l.Per}
	s.limit.Key = history.Limit{AtOnce: l.KeyAtOnce, Rate: l.KeyRate, Per: l.KeyPer}
	s.limited = true
}

// LimitKey says for whom an activity is done, such as a customer or a host: limits for each key count by it, and keys take turns, so
// that a flood under one delays the others by no more than their share. Up to 256 bytes.
func LimitKey(key string) Option {
	return option(func(s *Settings) { override(&s.base.Admission.Key, key) })
}

// KeyOf is [LimitKey] at the definition: the key is worked out from the input of each call, which must be an In. The function must give
// the same for the same input.
func KeyOf[In any](key func(In) string) Option {
	return option(func(s *Settings) {
		s.keyOf = func(input any) (string, error) {
			in, ok := input.(In)
			if !ok {
				return "", &commands.Invalid{Field: "KeyOf", Value: fmt.Sprintf("a function of a %T", *new(In)), Want: fmt.Sprintf("one of a %T, which is the input", input)}
			}
			return key(in), nil
		}
	})
}

// Limits names limits that the activity shares with others, such as the quota of a server that several call. What they allow is for
// operators to say; one that nobody has set allows everything.
func Limits(names ...string) Option {
	return option(func(s *Settings) { s.base.Admission.Limits = append(slices.Clone(s.base.Admission.Limits), names...) })
}

// Priority is 1, which goes first, to 5. Default 3. Where more is to be done than can be, each priority is served twice as often as the
// next, so nothing waits for ever.
func Priority(n int) Option {
	return option(func(s *Settings) {
		if s.base.Admission.Priority = n; n == 0 {
			s.err = errors.Join(s.err, &commands.Invalid{Field: "Priority", Value: "0", Want: "1, which goes first, to 5"})
		}
	})
}

// Weight is the share of the key among those that wait, see [LimitKey]: one of weight 2 is served twice as often as one of weight 1,
// which is the default. Up to 100.
func Weight(n int) Option {
	return option(func(s *Settings) {
		if s.base.Admission.Weight = n; n == 0 {
			s.err = errors.Join(s.err, &commands.Invalid{Field: "Weight", Value: "0", Want: "1 to 100"})
		}
	})
}

// Full says what becomes of an activity whose limit allows no attempt now.
type Full = history.Full

// What becomes of an activity whose limit allows no attempt now.
const (
	Queued  = history.Queued  // default: it waits
	Refused = history.Refused // it fails with ErrFull, unless an attempt of it was made already
)

// WhenFull says what becomes of the activity when a limit allows no attempt.
func WhenFull(f Full) Option {
	return option(func(s *Settings) { override(&s.base.Admission.WhenFull, f) })
}

// ErrFull is in the chain of the error of an activity that does not wait for its limits, see [WhenFull].
var ErrFull = NewError("clew.full", "the limit allows no further attempt now")

const (
	maxKey    = 256
	maxWeight = 100
	maxLimits = 8
)

func checkAdmission(a *history.Admission) error {
	invalid := func(field string, value any, want string) error {
		return &commands.Invalid{Field: field, Value: fmt.Sprint(value), Want: want}
	}
	var errs []error
	for _, name := range a.Limits {
		errs = append(errs, commands.CheckName("Limits", name))
	}
	switch {
	case len(a.Limits) > maxLimits:
		errs = append(errs, invalid("Limits", len(a.Limits), fmt.Sprintf("%d names at most", maxLimits)))
	case len(a.Key) > maxKey:
		errs = append(errs, invalid("LimitKey", fmt.Sprintf("%d bytes", len(a.Key)), fmt.Sprintf("%d at most", maxKey)))
	case a.Priority < 0 || a.Priority > 5:
		errs = append(errs, invalid("Priority", a.Priority, "1, which goes first, to 5"))
	case a.Weight < 0 || a.Weight > maxWeight:
		errs = append(errs, invalid("Weight", a.Weight, fmt.Sprintf("1 to %d", maxWeight)))
	case a.WhenFull != "" && a.WhenFull != Queued && a.WhenFull != Refused:
		errs = append(errs, invalid("WhenFull", a.WhenFull, "Queued or Refused"))
	}
	return errors.Join(errs...)
}

// checkLimit says what is wrong with the limit of a definition.
func (s *Settings) checkLimit() error {
	var errs []error
	for _, l := range []struct {
		at, rate string
		limit    history.Limit
	}{{"Limit.AtOnce", "Limit.Rate", s.limit.All}, {"Limit.KeyAtOnce", "Limit.KeyRate", s.limit.Key}} {
		errs = append(errs, commands.CheckLimit(l.at, l.rate, l.limit, "0, which is no bound, or more"))
	}
	return errors.Join(errs...)
}
