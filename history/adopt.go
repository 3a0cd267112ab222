package history

import "time"

// Adopted says of an entry that it repeats one of an earlier run of the execution, which the run has adopted. Who looks at the code's past
// goes by it: the code was told at Was, and the entry was Size bytes long.
type Adopted struct {
	Seq  uint64    // of the entry that it repeats, in the same stream
	Was  time.Time // when that happened first; zero: the code is told of it anew, at the time of this entry
	Size int       // of the entry that was told first
}

func (a *Adopted) put(w *writer) {
	w.object("adopted", func() {
		w.num("seq", a.Seq)
		w.time("was", a.Was)
		w.int("size", a.Size)
	})
}

func (a *Adopted) take(r *reader) {
	r.object(func(key string) bool {
		switch key {
		case "seq":
			a.Seq = r.num()
		case "was":
			a.Was = r.time()
		case "size":
			a.Size = r.int()
		default:
			return false
		}
		return true
	})
}

// Time is when what e says happened first: before e was recorded, if e was adopted.
func (e *Entry) Time() time.Time {
	if e.Adopted != nil && !e.Adopted.Was.IsZero() {
		return e.Adopted.Was
	}
	return e.At
}

// Adoption is what a run takes over from an earlier run of its execution. The entries before Cut are repeated as they were, so that the
// code comes to where it was; the inputs in Again are told after them. The repetitions stand behind the Started of the run that adopts.
// Notes among them are for readers alone: what was asked and has no outcome among them is to be done with all its attempts.
type Adoption struct {
	Run    string   // the earlier run
	From   uint64   // Seq of its Started
	Cut    uint64   // Seq of its first entry that is not adopted in its place
	Left   []uint64 // Seqs of gates before the cut that are not adopted, because the code does not ask for them
	Again  []Range  // Seqs behind the cut
	Resume bool     // children that did not complete go on from where they failed, and not from their beginning
	Past   []Past   // the runs that first told what is before the cut, in order; the last is Run
}

// Past is a run in which code was told what a later one has adopted. While that replays, the code sees the run as it was.
type Past struct {
	Run      string
	Number   uint64
	Seed     uint64
	Started  time.Time
	Deadline time.Time // as the code saw it
	Entries  int       // how many of those adopted it told first, not counting its Started
}

// Entries is how many entries are repeated.
func (a *Adoption) Entries() int {
	n := int(a.Cut-a.From-1) - len(a.Left)
	for _, r := range a.Again {
		n += int(r.To - r.From + 1)
	}
	return n
}

// Told is the earlier run that first told the nth of what is adopted, from 0; nil if the code is told that anew.
func (a *Adoption) Told(nth int) *Past {
	for i := range a.Past {
		if p := &a.Past[i]; nth < p.Entries {
			return p
		} else {
			nth -= p.Entries
		}
	}
	return nil
}

// since reports whether what run first asked for is known to a run that adopts by a under the name of another.
func (a *Adoption) since(run, other string) bool {
	found := false
	for _, p := range a.Past {
		found = found || p.Run == run
		if found && p.Run == other {
			return true
		}
	}
	return false
}

func (a *Adoption) put(w *writer) {
	w.object("adopts", func() {
		w.text("run", a.Run)
		w.num("from", a.From)
		w.num("cut", a.Cut)
		w.nums("left", a.Left)
		w.nums("again", bounds(a.Again))
		w.flag("resume", a.Resume)
		w.list("past", len(a.Past), func(i int) {
			p := a.Past[i]
			w.text("run", p.Run)
			w.num("number", p.Number)
			w.num("seed", p.Seed)
			w.time("started", p.Started)
			w.time("deadline", p.Deadline)
			w.int("entries", p.Entries)
		})
	})
}

func (a *Adoption) take(r *reader) {
	r.object(func(key string) bool {
		switch key {
		case "run":
			a.Run = r.text()
		case "from":
			a.From = r.num()
		case "cut":
			a.Cut = r.num()
		case "left":
			a.Left = r.nums()
		case "again":
			a.Again = r.ranges()
		case "resume":
			a.Resume = r.flag()
		case "past":
			r.list(func() { a.Past = append(a.Past, takePast(r)) })
		default:
			return false
		}
		return true
	})
	if r.err == nil && (a.From == 0 || a.Cut <= a.From || a.Cut-a.From > maxCarried || len(a.Past) == 0) {
		r.fail("entries %d to %d of run %q cannot be adopted", a.From, a.Cut, a.Run)
	}
}

func takePast(r *reader) (p Past) {
	r.object(func(key string) bool {
		switch key {
		case "run":
			p.Run = r.text()
		case "number":
			p.Number = r.num()
		case "seed":
			p.Seed = r.num()
		case "started":
			p.Started = r.time()
		case "deadline":
			p.Deadline = r.time()
		case "entries":
			p.Entries = r.int()
		default:
			return false
		}
		return true
	})
	return p
}

// Adopting reports whether entries that the run has adopted are yet to be repeated, and how many have been.
func (s *State) Adopting() (n int, more bool) {
	if s.Run.Lasting == nil || s.Run.Adopts == nil || !s.Open() {
		return 0, false
	}
	a := s.Run.Adopts
	n = int(s.Seq - s.Run.Began)
	return n, n < a.Entries()
}

// adopted folds what follows when the last entry was repeated: children whose end the run does not know are to be asked for again.
func (s *State) adopted() {
	for _, c := range s.Children {
		c.Again = !c.CancelRequested
	}
}

// asker is the run in which the entry at was first asked for: the current one, or one that it has adopted that from.
func (s *State) asker(at *Entry) string {
	if at.Adopted != nil && s.Run.Adopts != nil {
		if p := s.Run.Adopts.Told(int(at.Seq - s.Run.Began - 1)); p != nil {
			return p.Run
		}
	}
	return s.Run.ID
}

// Of reports whether a run is the one that asked for c, or one that has adopted it since, as the current run has.
func (s *State) Of(c *Child, run string) bool {
	return run == s.Run.ID || c.Run != s.Run.ID && s.Run.Adopts != nil && s.Run.Adopts.since(c.Run, run)
}

// Changes reports whether e is more than something to read. A note that was adopted is not, unless it says with which input an activity is to
// be made or by which policy, what the run can be found by, or its memo.
func (e *Entry) Changes() bool {
	if e.Adopted == nil || e.Event.Role() != Note {
		return true
	}
	switch e.Event.(type) {
	case *ActivityChanged, *PolicyApplied, *AttributesChanged, *MemoChanged:
		return true
	}
	return false
}

// Length is the number of bytes that e counts for in its run: those of the entry that was told first, if e was adopted. So code that asks
// how much its run holds is answered as it was.
func (e *Entry) Length() int {
	if e.Adopted != nil {
		return e.Adopted.Size
	}
	return e.Size()
}
