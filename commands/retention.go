package commands

import (
	"errors"
	"fmt"
	"time"

	"github.com/clewflow/clew/history"
)

// Bounds of a retention.
const (
	MaxRetentionRules = 1000
	MinRetentionEvery = time.Minute
	MaxRetentionRate  = 10_000
)

// SetRetention decides what follows when somebody lays down how long what has ended is kept; nil if that is what holds already. Errors:
// ErrInvalid, all that is wrong at once.
func SetRetention(p *history.Policies, r history.Retention, reason string) (history.Event, error) {
	if err := CheckRetention(r); err != nil || p.Keeps.Retention.Equal(r) {
		return nil, err
	}
	return &history.RetentionSet{Before: p.Keeps.Retention, After: r, Reason: reason}, nil
}

// CheckRetention says what is wrong with a retention.
func CheckRetention(r history.Retention) error {
	errs := []error{CheckRetentionRules(r.Rules)}
	if r.Every != 0 && (r.Every < MinRetentionEvery || r.Every > MaxDuration) {
		errs = append(errs, &Invalid{Field: "how often retention looks", Value: r.Every.String(), Want: "0 for the default, or from " + MinRetentionEvery.String() + " on"})
	}
	if r.Rate < 0 || r.Rate > MaxRetentionRate {
		errs = append(errs, &Invalid{Field: "the rate of retention", Value: fmt.Sprint(r.Rate), Want: fmt.Sprintf("0 for the default, or up to %d executions a second", MaxRetentionRate)})
	}
	return errors.Join(errs...)
}

// CheckRetentionRules says what is wrong with rules.
func CheckRetentionRules(rules []history.RetentionRule) error {
	var errs []error
	if len(rules) > MaxRetentionRules {
		errs = append(errs, &Invalid{Field: "the rules of retention", Value: fmt.Sprint(len(rules)), Want: fmt.Sprintf("%d at the most", MaxRetentionRules)})
	}
	for i, rule := range rules {
		if rule.Age < 0 || rule.Status&^history.StatusClosed != 0 {
			errs = append(errs, &Invalid{
				Field: fmt.Sprintf("retention rule %d", i+1), Value: fmt.Sprintf("status %s, age %s", rule.Status, rule.Age),
				Want: "ends of runs, and an age of 0, for ever, or more",
			})
		}
		if rule.Name != "" {
			errs = append(errs, CheckName("the name of a retention rule", rule.Name))
		}
		if rule.Type != "" {
			errs = append(errs, CheckName("the type of a retention rule", rule.Type))
		}
	}
	return errors.Join(errs...)
}
