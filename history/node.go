package history

// The streams of the family "node" say which nodes there are. Each process that works on a shared store has a stream of its own, which
// only it appends to, until it leaves or another node finds it dead.

// NodeAnnounced says that a node lives, what it serves, and how far it has followed the log.
type NodeAnnounced struct {
	Name       string   // for people; nodes may share it
	Joined     Place    // of its first announcement, which leaves it out
	Applied    Place    // up to which it has acted on who joined and who went
	Leaving    bool     // it works on no execution any more; attempts that it has in hand go on
	Types      []string // of workflows that it has code for, as in "order", or "order@3" for a version
	Activities []string // that it makes
	Queues     []string // that it serves; none: all
	Policies   uint64   // version of the policies that it keeps to: what it has in hand is counted where they limit it
	Build      string
}

func (*NodeAnnounced) Role() Role            { return Note }
func (*NodeAnnounced) Kind() string          { return "node-announced" }
func (*NodeAnnounced) evolve(*State, *Entry) {}
func (e *NodeAnnounced) put(w *writer) {
	w.text("name", e.Name)
	e.Joined.put(w, "joined")
	e.Applied.put(w, "applied")
	w.flag("leaving", e.Leaving)
	w.texts("types", e.Types)
	w.texts("activities", e.Activities)
	w.texts("queues", e.Queues)
	w.num("policies", e.Policies)
	w.text("build", e.Build)
}
func (e *NodeAnnounced) take(r *reader, key string) bool {
	switch key {
	case "leaving":
		e.Leaving = r.flag()
	case "types":
		e.Types = r.texts()
	case "activities":
		e.Activities = r.texts()
	case "queues":
		e.Queues = r.texts()
	case "policies":
		e.Policies = r.num()
	default:
		return takeText(r, key, "name", &e.Name) || takeText(r, key, "build", &e.Build) ||
			e.Joined.take(r, key, "joined") || e.Applied.take(r, key, "applied")
	}
	return true
}

// NodeLeft says that a node is gone, of its own will: it has nothing in hand.
type NodeLeft struct{}

func (*NodeLeft) Role() Role                { return Note }
func (*NodeLeft) Kind() string              { return "node-left" }
func (*NodeLeft) evolve(*State, *Entry)     {}
func (*NodeLeft) put(*writer)               {}
func (*NodeLeft) take(*reader, string) bool { return false }

// NodeBuried says that another node has not heard of this one for too long. Whoever it was, it works on nothing any more: its own
// next announcement finds this entry in its place.
type NodeBuried struct {
	By string // the node that says so
}

func (*NodeBuried) Role() Role                        { return Note }
func (*NodeBuried) Kind() string                      { return "node-buried" }
func (*NodeBuried) evolve(*State, *Entry)             {}
func (e *NodeBuried) put(w *writer)                   { w.text("by", e.By) }
func (e *NodeBuried) take(r *reader, key string) bool { return takeText(r, key, "by", &e.By) }

// Place is a position in the log, as store.Position has it.
type Place struct{ Commit, Prepare uint64 }

func (p Place) put(w *writer, key string) {
	switch {
	case p == Place{}:
	case p.Prepare == 0:
		w.nums(key, []uint64{p.Commit})
	default:
		w.nums(key, []uint64{p.Commit, p.Prepare})
	}
}

func (p *Place) take(r *reader, key, want string) bool {
	if key != want {
		return false
	}
	switch n := r.nums(); len(n) {
	case 1:
		*p = Place{Commit: n[0]}
	case 2:
		*p = Place{n[0], n[1]}
	default:
		r.fail("want one or two numbers, which are a position in the log")
	}
	return true
}

// KeyMade is a key that the nodes of a namespace have in common. It is the only entry of its stream, of the family "key".
type KeyMade struct {
	Key string // base64url
}

func (*KeyMade) Role() Role                        { return Note }
func (*KeyMade) Kind() string                      { return "key-made" }
func (*KeyMade) evolve(*State, *Entry)             {}
func (e *KeyMade) put(w *writer)                   { w.text("key", e.Key) }
func (e *KeyMade) take(r *reader, key string) bool { return takeText(r, key, "key", &e.Key) }
