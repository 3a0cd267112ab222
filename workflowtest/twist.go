package workflowtest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A twist is one thing that goes otherwise than by itself. Its text says what, and is read again by [Schedule].
type twist struct {
	where string // what it is about: an attempt, an append, an act, or who waits at the stage
	what  string // one of the words below
	arg   string // of those that need one
}

func (t twist) String() string { return strings.TrimSpace(t.where + ": " + t.what + " " + t.arg) }

// What attempts, appends and acts may come to.
const (
	fails         = "fails"                       // with an error that may be retried
	failsAfter    = "fails after its effect"      // the same, though it was done
	failsForGood  = "fails for good"              // with an error that is not retried
	silent        = "is silent"                   // until a limit passes
	silentAfter   = "is silent after its effect"  // the same, though it was done
	panics        = "panics"                      //
	takes         = "takes"                       // time before it is done
	late          = "comes back late"             // after one of its limits has passed, or its workflow has ended
	twice         = "completes twice"             // once by token, once by returning
	diesBefore    = "dies before its effect"      // with its process
	diesAfter     = "dies after its effect"       // with its process
	lostDying     = "is lost as the process dies" // and so is what follows from it
	storedDying   = "is stored as the process dies"
	unavailable   = "fails at the store"
	unsureLost    = "is lost without notice"   // nobody knows whether it was stored
	unsureStored  = "is stored without notice" // the same
	takenOver     = "is the last of this code" // the process ends after it, and one with other code goes on
	performedAt   = "is performed at"          // another time
	performedLast = "is performed twice, the second time after"
	goesFirst     = "goes first"     // before what waits at the same moment
	waits         = "waits for all"  // that wait at the same moment
	forgets       = "forgets always" // the execution after each turn
)

// timed are the words that need a duration, numbered those that need a number.
var (
	timed    = []string{takes, performedAt, performedLast}
	numbered = []string{takenOver}
)

var words = []string{
	fails, failsAfter, failsForGood, silent, silentAfter, panics, takes, late, twice, diesBefore, diesAfter, lostDying, storedDying,
	unavailable, unsureLost, unsureStored, takenOver, performedAt, performedLast, goesFirst, waits, forgets,
}

// twistOf reads the text of a twist.
func twistOf(text string) (twist, error) {
	where, rest, ok := strings.Cut(text, ": ")
	if !ok {
		return twist{}, fmt.Errorf("%q is no twist: want what it is about, a colon, and what becomes of it", text)
	}
	best := ""
	for _, w := range words {
		if (rest == w || strings.HasPrefix(rest, w+" ")) && len(w) > len(best) {
			best = w
		}
	}
	t := twist{where, best, strings.TrimSpace(strings.TrimPrefix(rest, best))}
	switch {
	case best == "":
		return t, fmt.Errorf("%q is no twist: nothing %s; want one of: %s", text, rest, strings.Join(words, ", "))
	case slices.Contains(timed, best):
		if _, err := time.ParseDuration(t.arg); err != nil {
			return t, fmt.Errorf("%q is no twist: %q needs a duration such as 1h30m", text, best)
		}
	case slices.Contains(numbered, best):
		if _, err := fmt.Sscan(t.arg, new(int)); err != nil {
			return t, fmt.Errorf("%q is no twist: %q needs the number of an Or", text, best)
		}
	case t.arg != "":
		return t, fmt.Errorf("%q is no twist: nothing follows %q", text, best)
	}
	return t, nil
}

// lasts is the duration of a twist that has one.
func (t twist) lasts() time.Duration {
	d, _ := time.ParseDuration(t.arg) // it was read before
	return d
}

// number is the number of a twist that has one.
func (t twist) number() (n int) {
	_, _ = fmt.Sscan(t.arg, &n) // it was read before
	return n
}
