package members

import (
	"slices"

	"github.com/clewflow/clew/history"
)

// owner is the member that an execution of a type falls to: among those that have its code, else among all.
func (e epoch) owner(id history.ID, name string, version int) *Member {
	of := TypeOf(name, version)
	if o := first(e.sharing, id, func(o *Member) bool { return slices.Contains(o.Types, of) }); o != nil {
		return o
	}
	return first(e.sharing, id, func(*Member) bool { return true })
}

// first is the candidate that comes first for an execution. Each execution has an order of its own of all members there may ever be,
// which is rendezvous hashing: when one goes, only what was its own falls to others, and to all of them alike.
func first(all []*Member, id history.ID, candidate func(*Member) bool) (best *Member) {
	var most uint64
	x := sum(sum(offset, id.Namespace+"\x00"), id.Workflow)
	for _, o := range all {
		if !candidate(o) {
			continue
		}
		if n := mixed(x ^ sum(offset, o.ID)); best == nil || n > most {
			best, most = o, n
		}
	}
	return best
}

// FNV-1a of 64 bits.
const (
	offset = 14695981039346656037
	prime  = 1099511628211
)

func sum(h uint64, s string) uint64 {
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * prime
	}
	return h
}

// mixed spreads what differs in a few bits over all of them, as the finalizer of SplitMix64 does.
func mixed(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
