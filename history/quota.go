package history

// The streams of the family "quota" say how the nodes of a namespace share a limit. Any node may append to one; since each append names its
// place, no two grant themselves the same. Only the last entry of each stream is of use.

// QuotasSet says how a limit is shared from now on. Its entry is by the node that has changed its own part.
type QuotasSet struct{ Quotas []Quota } // all that there are

// Quota is what one node has of a limit, and what it would have.
type Quota struct {
	Key   string // of which it is the limit; empty: of all
	Rate  bool   // it counts attempts that are begun in a time, and else those in hand
	Node  string
	Held  int
	Wants int    // more
	Since uint64 // Seq of the entry with which it began to want
	Spent int    // of what the node gives back of a rate: what it has used within the time of the rate
}

func (*QuotasSet) Role() Role            { return Note }
func (*QuotasSet) Kind() string          { return "quotas-set" }
func (*QuotasSet) evolve(*State, *Entry) {}
func (e *QuotasSet) put(w *writer) {
	if len(e.Quotas) == 0 {
		return
	}
	w.key("quotas")
	for i := range e.Quotas {
		w.b = append(w.b, "[,"[min(i, 1)])
		e.Quotas[i].put(w)
	}
	w.b = append(w.b, ']')
}
func (e *QuotasSet) take(r *reader, key string) bool {
	if key != "quotas" {
		return false
	}
	e.Quotas = nil
	r.list(func() {
		var q Quota
		r.object(q.taking(r))
		e.Quotas = append(e.Quotas, q)
	})
	return true
}

func (q *Quota) put(w *writer) {
	w.b = append(w.b, '{')
	w.text("key", q.Key)
	w.flag("rate", q.Rate)
	w.text("node", q.Node)
	w.int("held", q.Held)
	w.int("wants", q.Wants)
	w.num("since", q.Since)
	w.int("spent", q.Spent)
	w.b = append(w.b, '}')
}

func (q *Quota) taking(r *reader) func(key string) bool {
	return func(key string) bool {
		switch key {
		case "rate":
			q.Rate = r.flag()
		case "held":
			q.Held = r.int()
		case "wants":
			q.Wants = r.int()
		case "since":
			q.Since = r.num()
		case "spent":
			q.Spent = r.int()
		default:
			return takeText(r, key, "key", &q.Key) || takeText(r, key, "node", &q.Node)
		}
		return true
	}
}

// QuotaID names the stream of quotas of a limit, or of a part of its keys.
func QuotaID(namespace, limit string) ID {
	return ID{Namespace: quotaFamily + "@" + namespace, Workflow: limit}
}

const quotaFamily = "quota"
