package commands

import (
	"fmt"
	"time"

	"github.com/clewflow/clew/history"
)

// RefuseActivity settles an activity that does not wait for its limits, before an attempt of it is made.
type RefuseActivity struct {
	Attempt
	Failure history.Payload
}

// FinalFull: the activity does not wait for its limits.
const FinalFull = "full"

func (c RefuseActivity) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	a := s.Activities[c.Step]
	if a == nil || s.Run.ID != c.Run || a.Attempt > 1 || a.Serial != c.Serial || a.Policy.Admission.WhenFull != history.Refused {
		return nothing()
	}
	try := history.Try{Step: a.Step, Serial: a.Serial, Attempt: a.Attempt}
	if a.CancelRequested {
		return follows(&history.ActivityCancelled{Try: try})
	}
	return follows(&history.ActivityFailed{Try: try, Failure: c.Failure, Final: FinalFull})
}

// CheckLimit says what is wrong with a limit. at and rate name its fields, want says what at may be.
func CheckLimit(at, rate string, l history.Limit, want string) error {
	switch {
	case l.AtOnce < 0:
		return &Invalid{Field: at, Value: fmt.Sprint(l.AtOnce), Want: want}
	case l.Rate < 0 || l.Rate > maxRate || l.Rate > 0 && l.Per <= 0 || l.Rate == 0 && l.Per != 0:
		return &Invalid{Field: rate, Value: fmt.Sprintf("%d in %s", l.Rate, l.Per), Want: fmt.Sprintf("1 to %d, and a time in which", maxRate)}
	}
	return CheckDuration(rate, l.Per)
}

const maxRate = 100_000
