package runtime

import (
	"sync"
	"time"

	"github.com/clewflow/clew/history"
)

// A start most likely begins a history, so it is recorded at once and the log says whether that was wrong: it refuses entries where others
// are. It cannot refuse the same entries once more, which it takes for an append that is repeated, though the history may have gone on
// since. So nothing is guessed twice at the same moment.

// guesses are the histories that were begun by guess at the moment that was last.
type guesses struct {
	mu sync.Mutex
	at time.Time
	of map[history.ID]time.Duration
}

// moment is now, or so much later that no other guess of an execution is of that time.
func (g *guesses) moment(id history.ID, now time.Time) time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !now.Equal(g.at) {
		g.at = now
		if len(g.of) > 64 {
			g.of = nil // maps do not shrink
		}
		clear(g.of)
	}
	if g.of == nil {
		g.of = map[history.ID]time.Duration{}
	}
	n := g.of[id]
	g.of[id] = n + 1
	return now.Add(n)
}
