package members

import (
	"slices"
	"strconv"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// Member is a node that is neither gone nor buried, as its last announcement and those who heard it have it.
type Member struct {
	ID         string // of the process, new with each start
	Name       string // for people; members may share it
	Build      string
	Joined     store.Position
	Applied    store.Position // up to which it has acted on who joined and who went
	Leaving    bool           // it works on no execution any more
	Types      []string       // of workflows that it has code for, see [TypeOf]
	Activities []string       // that it makes
	Queues     []string       // that it serves; none: all
	Policies   uint64         // version of the policies that it keeps to

	At    time.Time    // of its last announcement, by its clock
	Heard time.Time    // of that, by the clock of whoever asks
	Seq   uint64       // of that
	Hash  history.Hash // of that
}

// TypeOf is how a type of workflow, and its version unless that is 0, stands among a member's types.
func TypeOf(name string, version int) string {
	if version == 0 {
		return name
	}
	return name + "@" + strconv.Itoa(version)
}

// Has reports whether a member has the code of a type.
func (m *Member) Has(name string, version int) bool {
	return slices.Contains(m.Types, TypeOf(name, version))
}

// Makes reports whether a member makes an activity of a queue.
func (m *Member) Makes(activity, queue string) bool {
	return slices.Contains(m.Activities, activity) && (len(m.Queues) == 0 || slices.Contains(m.Queues, queue))
}

// heard takes an announcement.
func (m *Member) heard(r store.Record, e *history.NodeAnnounced, now time.Time) {
	m.ID, m.Name, m.Build, m.Leaving = r.ID.Workflow, e.Name, e.Build, e.Leaving
	m.Types, m.Activities, m.Queues = e.Types, e.Activities, e.Queues
	m.Applied, m.Policies = store.Position(e.Applied), e.Policies
	if m.Joined = store.Position(e.Joined); m.Joined.IsZero() {
		m.Joined = r.Position
	}
	m.At, m.Heard, m.Seq, m.Hash = r.Entry.At, now, r.Entry.Seq, r.Entry.Hash
}

// alike reports whether two members do the same work.
func (m *Member) alike(o *Member) bool {
	return m.Leaving == o.Leaving && slices.Equal(m.Types, o.Types) && m.makesAlike(o)
}

func (m *Member) makesAlike(o *Member) bool {
	return slices.Equal(m.Activities, o.Activities) && slices.Equal(m.Queues, o.Queues)
}
