package history

import (
	"math/bits"
	"strings"
)

// Status is how a run stands. It is a set, so that a query can name several; a run has exactly one.
type Status uint16

// How a run stands, and the sets of those that are open and closed.
const (
	StatusRunning Status = 1 << iota
	StatusPaused
	StatusStalled
	StatusCompleted
	StatusFailed
	StatusCancelled
	StatusTerminated
	StatusTimedOut
	StatusContinued

	StatusOpen   = StatusRunning | StatusPaused | StatusStalled
	StatusClosed = StatusCompleted | StatusFailed | StatusCancelled | StatusTerminated | StatusTimedOut | StatusContinued
)

var statusNames = [...]string{"running", "paused", "stalled", "completed", "failed", "cancelled", "terminated", "timed-out", "continued"}

// String names the members of the set, parted by commas.
func (s Status) String() string {
	var names []string
	for rest := s; rest != 0; rest &= rest - 1 {
		if i := bits.TrailingZeros16(uint16(rest)); i < len(statusNames) {
			names = append(names, statusNames[i])
		}
	}
	return strings.Join(names, ",")
}

// ParseStatus reads one name as [Status.String] writes it, or "open" or "closed".
func ParseStatus(name string) (Status, bool) {
	switch name {
	case "open":
		return StatusOpen, true
	case "closed":
		return StatusClosed, true
	}
	for i, n := range statusNames {
		if n == name {
			return 1 << i, true
		}
	}
	return 0, false
}
