// Package members knows who the members of a cluster are, and to which of them an execution belongs.
//
// Each process that works on a shared log is a [Member]. It says in a stream of its own that it lives and how far it has followed the
// log; it says goodbye there, or others bury it there. [Members] are folded from these streams, so all members that have followed the
// log to the same place know of the same members, and agree on the owner of each execution without asking anybody.
//
// Who owns an execution changes with who is there. The new owner acts only when the former one has said that it has acted on the
// change, or is gone: see [Members.May]. That two owners never write the same turn does not depend on it: the log sees to that.
//
// The package starts no goroutine and reads no clock.
package members

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// Family is that of the streams of members, see [history.ID.Family].
const Family = "node"

// ID is the id of the stream of a member.
func ID(namespace, member string) history.ID {
	return history.ID{Namespace: Family + "@" + namespace, Workflow: member}
}

// Members are those of one namespace. All methods may be called from many goroutines.
type Members struct {
	mu     sync.Mutex
	from   store.Position // what was before is not known
	all    map[string]*Member
	epochs []epoch // the last is the current one; those before it are what somebody may still act by
}

// epoch is a stretch of the log in which the same members share the work.
type epoch struct {
	from    store.Position
	sharing []*Member // as they were announced, in the order of their ids
}

// New makes Members that begin at a position of the log: what comes after it is to be applied, who was a member there is to be
// restored.
func New(from store.Position) *Members {
	m := new(Members)
	m.Begin(from)
	return m
}

// Begin begins anew at a position of the log, with no members.
func (m *Members) Begin(from store.Position) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.from, m.all, m.epochs = from, map[string]*Member{}, []epoch{{from: from}}
}

// Restore takes the last announcement of a member that was one where Members begins.
func (m *Members) Restore(r store.Record, now time.Time) {
	e, ok := r.Entry.Event.(*history.NodeAnnounced)
	if !ok {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	member := new(Member)
	member.heard(r, e, now)
	m.all[member.ID] = member
	m.epochs[0].sharing = m.sharing()
}

// A Change is what a record has changed.
type Change uint8

// Changes.
const (
	Nothing Change = iota
	Heard          // a member has acted on an earlier change: what waited for that may go on
	Shared         // the work is shared anew
)

// Apply takes the next record of the stream of a member, heard at now, and says what it has changed.
func (m *Members) Apply(r store.Record, now time.Time) Change {
	m.mu.Lock()
	defer m.mu.Unlock()
	id := r.ID.Workflow
	before := m.all[id]
	if before != nil && r.Entry.Seq <= before.Seq {
		return Nothing // delivered twice
	}
	switch e := r.Entry.Event.(type) {
	case *history.NodeAnnounced:
		member := new(Member)
		member.heard(r, e, now)
		m.all[id] = member
		if before != nil && before.alike(member) {
			if m.forget() {
				return Heard
			}
			return Nothing
		}
	case *history.NodeLeft, *history.NodeBuried:
		if before == nil {
			return Nothing
		}
		delete(m.all, id)
	default:
		return Nothing
	}
	m.epochs = append(m.epochs, epoch{r.Position, m.sharing()})
	m.forget()
	return Shared
}

// sharing are the members that share the work.
func (m *Members) sharing() []*Member {
	var all []*Member
	for _, member := range m.all {
		if !member.Leaving {
			all = append(all, member)
		}
	}
	slices.SortFunc(all, func(a, b *Member) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// forget drops the epochs that nobody acts by any more, and reports whether there were some.
func (m *Members) forget() (some bool) {
	for len(m.epochs) > 1 {
		for _, member := range m.all {
			if !member.Leaving && m.epochs[1].from.After(member.Applied) {
				return some
			}
		}
		m.epochs, some = m.epochs[1:], true
	}
	return some
}

// Owner is the member that an execution of a type belongs to, nil if there are none.
func (m *Members) Owner(id history.ID, name string, version int) *Member {
	m.mu.Lock()
	defer m.mu.Unlock()
	return copied(m.epochs[len(m.epochs)-1].owner(id, name, version))
}

func copied(m *Member) *Member {
	if m == nil {
		return nil
	}
	c := *m
	return &c
}

// May reports whether a member may act for an execution: it is its owner, and whoever may have been before has let go.
func (m *Members) May(member string, id history.ID, name string, version int) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	last := len(m.epochs) - 1
	if o := m.epochs[last].owner(id, name, version); o == nil || o.ID != member {
		return false
	}
	for i, e := range m.epochs[:last] {
		o := e.owner(id, name, version)
		if o != nil && o.ID != member && m.holds(o.ID, m.epochs[i+1].from) {
			return false
		}
	}
	return !m.unknown(member)
}

// holds reports whether a member may still hold what it owned before a position.
func (m *Members) holds(member string, until store.Position) bool {
	now := m.all[member]
	return now != nil && !now.Leaving && until.After(now.Applied)
}

// unknown reports whether some other member has not acted on what was before Members begins: then it may act by what nobody here
// knows of.
func (m *Members) unknown(member string) bool {
	if m.from.IsZero() {
		return false
	}
	for id := range m.all {
		if id != member && m.holds(id, m.from) {
			return true
		}
	}
	m.from = store.Position{} // once and for all: who joins later knows more
	return false
}

// Maker is the member that is to make attempts of an activity: the owner of the execution if it can, else the one among those who can
// that the execution falls to; nil if nobody can.
func (m *Members) Maker(id history.ID, name string, version int, activity, queue string) *Member {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.epochs[len(m.epochs)-1]
	owner := e.owner(id, name, version)
	if owner == nil || owner.Makes(activity, queue) {
		return copied(owner)
	}
	return copied(first(e.sharing, id, func(o *Member) bool { return o.Makes(activity, queue) }))
}

// Alike reports whether all members make the same activities, so that each owner makes its own.
func (m *Members) Alike() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	sharing := m.epochs[len(m.epochs)-1].sharing
	for _, o := range sharing {
		if !o.makesAlike(sharing[0]) {
			return false
		}
	}
	return true
}

// All are the members, in the order of their ids.
func (m *Members) All() []Member {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]Member, 0, len(m.all))
	for _, member := range m.all {
		all = append(all, *member)
	}
	slices.SortFunc(all, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// Behind is the name of a member that does not keep to a version of the policies yet; empty: all do.
func (m *Members) Behind(version uint64) string {
	for _, member := range m.All() {
		if member.Policies < version {
			return cmp.Or(member.Name, member.ID)
		}
	}
	return ""
}

// Has reports whether somebody is a member.
func (m *Members) Has(member string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.all[member] != nil
}

// Silent are the members that were not heard for as long as limit, in the order of their ids.
func (m *Members) Silent(now time.Time, limit time.Duration) []Member {
	return slices.DeleteFunc(m.All(), func(o Member) bool { return now.Sub(o.Heard) < limit })
}

// Copy is how things stand, for comparing them later.
func (m *Members) Copy() *Members {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &Members{from: m.from, all: maps.Clone(m.all), epochs: slices.Clone(m.epochs)} // what they hold never changes
}
