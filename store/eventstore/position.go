package eventstore

import (
	"github.com/clewflow/clew/store"
)

// A position is two numbers on the server, which are equal for all that servers write today. This file is the only one that
// knows how a [store.Position] holds them.

// max64 stands where a server has no position to tell.
const max64 = 1<<64 - 1

func position(commit, prepare uint64) store.Position {
	return store.Position{Commit: commit, Prepare: prepare}
}

func numbers(p store.Position) (commit, prepare uint64) { return p.Commit, p.Prepare }

func isStart(p store.Position) bool { return p.IsZero() }

// compare orders positions as the log does.
func compare(p, q store.Position) int { return p.Compare(q) }

// isBehind reports whether q is further on in the log than p.
func isBehind(p, q store.Position) bool { return compare(p, q) < 0 }
