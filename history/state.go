package history

import (
	"crypto/sha256"
	"fmt"
	"time"
)

// State is what a history amounts to. The zero State has not started.
//
// It holds what is open and nothing of what is settled, so its size follows the number of open things and not the
// length of the history. Whoever holds one may read it; only [State.Evolve] changes it.
type State struct {
	Seq    uint64 // of the last entry
	Hash   Hash
	At     time.Time // of the last entry; times never go back
	Build  string    // of the last entry that names one
	Bytes  int       // of the run's entries
	Status Status    // 0: never started
	Run    Run       // the current or last one
	Stall  *Stall    // nil unless the code at hand cannot go on
	Pause  *Pause    // nil unless it is held

	Told  uint64 // up to here the code has been told, and answered in full
	Input uint64 // the last input; the execution is due now if it is above Told

	// Unread is how many signals the code has not received: as of the last entry that says up to where it was told, and those that came
	// since; of a closed run as its last entry says. Histories of releases that did not record it have those only that came since.
	Unread int

	Activities map[Step]*Activity  // not settled
	Timers     map[Step]time.Time  // neither fired nor stopped, by when they are due
	Children   map[Step]*Child     // of which something is to be done or told
	Sends      map[Step]*Send      // to be delivered
	Finds      map[Step]*Find      // to be answered
	Updates    map[string]*Update  // accepted and not answered
	Attributes Attributes          // as they are now
	View       Payload             // published by the code
	Outcome    Outcome             // of a closed run
	requests   map[[16]byte]uint64 // of the current run, by digest: Seq
	answers    map[[16]byte]uint64 // to updates, by digest of their ids: Seq
	wakes      wakes
}

// Run is one life of an execution.
type Run struct {
	ID, Chain       string
	Number          uint64
	Type            string
	Version         int
	Origin          Origin
	Seed            uint64
	Began           uint64    // Seq of Started
	Started, Closed time.Time // Closed is zero while the run is open
	BeginAt         time.Time // zero, or the moment until which the code is not told anything
	RunDeadline     time.Time
	Deadline        time.Time
	CorrelationID   string
	Steps           Step // the highest asked
	Signals         int  // accepted so far
	Gates           int  // kept so far
	HadChildren     bool // in this run or one before in its chain
	CancelRequested bool
	Queued          bool // it waits for a slot, and the code is not told anything
	*Lasting             // never nil once a run has started; nobody changes it
}

// Lasting is what a run hands on to the one that continues it, of which most runs have nothing.
type Lasting struct {
	Memo       Payload
	Headers    Payload
	Parent     Parent
	Root       string
	Depth      int // see [Run.Below]
	Pinned     bool
	Route      string
	RunTimeout time.Duration
	From       Sources // of RunTimeout, and of what the execution may take
	Budget     Budget  // zero: the standard one
	Adopts     *Adoption
	OnFailure  OnFailure
	Key        string
	Replaces   Replaced // which it does not hand on
}

var nothingLasts = new(Lasting)

// orNothing is l, or the same for all that have nothing.
func (l Lasting) orNothing() *Lasting {
	if l.Memo.Absent() && l.Headers.Absent() && l.Parent == (Parent{}) && l.Root == "" && l.Depth == 0 && !l.Pinned && l.Route == "" && l.RunTimeout == 0 && l.From.none() && l.Budget == (Budget{}) && l.Adopts == nil && l.OnFailure == (OnFailure{}) && l.Key == "" && l.Replaces == (Replaced{}) {
		return nothingLasts
	}
	return &l
}

// Below is how many executions stand above the children of a run: 1 for those of a run without a parent. It is 0 if that is not known, because
// the run is a child of a child and of a release that did not record it.
func (r *Run) Below() int {
	switch {
	case r.Depth > 0:
		return r.Depth + 1
	case r.Parent.ID == "":
		return 1
	case r.Root == r.Parent.ID:
		return 2
	}
	return 0
}

// Outcome is how a run ended.
type Outcome struct {
	Result  Payload
	Failure Payload
	Reason  string // of a termination; the limit of a time-out
	Step    Step   // of the activity whose limit that was
}

// Stall says why the code at hand cannot go on.
type Stall struct {
	Reason string
	Build  string
	Since  time.Time
	Seq    uint64
}

// Evolve folds e into s. It never refuses: what is recorded happened. e must be the next entry, or the first of a run if
// s is zero; anything else is a bug of ours.
func (s *State) Evolve(e Entry) {
	if s.Seq != 0 && e.Seq != s.Seq+1 {
		panic(fmt.Sprintf("history: entry %d cannot follow %d", e.Seq, s.Seq))
	}
	s.Seq, s.Hash, s.At = e.Seq, e.Hash, e.At
	if e.Build != "" {
		s.Build = e.Build
	}
	if e.Told > 0 {
		s.Told = e.Told
		s.lift()
	}
	if e.Changes() {
		e.Event.evolve(s, &e)
	}
	if e.Told > 0 && s.Open() {
		s.Unread = e.Unread
	}
	s.Bytes += e.Length()
	if e.Event.Role() == Input {
		s.Input = e.Seq
	}
	if e.Adopted != nil {
		if _, more := s.Adopting(); !more {
			s.adopted()
		}
	}
	if e.Request != "" {
		if s.requests == nil {
			s.requests = map[[16]byte]uint64{}
		}
		s.requests[digest(e.Request)] = e.Seq
	}
}

// Fold folds entries into a new State.
func Fold(entries ...Entry) *State {
	s := new(State)
	for _, e := range entries {
		s.Evolve(e)
	}
	return s
}

// begin makes way for a new run; only what belongs to the stream stays.
func (s *State) begin(r Run) {
	*s = State{
		Seq: s.Seq, Hash: s.Hash, At: s.At, Build: s.Build, Status: StatusRunning, Run: r, Told: s.Told,
		Activities: map[Step]*Activity{}, Timers: map[Step]time.Time{},
	}
	s.wakeRun()
}

func (s *State) close(status Status, o Outcome, unread int, at *Entry) {
	s.Status, s.Outcome, s.Stall, s.Pause = status, o, nil, nil
	s.Run.Closed, s.Run.Queued = at.At, false
	s.Told, s.Unread = at.Seq, unread
	clear(s.Activities)
	clear(s.Timers)
	clear(s.Children)
	clear(s.Sends)
	clear(s.Finds)
	clear(s.Updates)
	s.wakes = wakes{}
}

func (s *State) lift() {
	s.Stall = nil
	if s.Status == StatusStalled {
		s.Status = StatusRunning
	}
}

func (s *State) asked(step Step) { s.Run.Steps = max(s.Run.Steps, step) }

// wakeRun sets the run's own wake: its delayed beginning or its nearest deadline, unless that is held.
func (s *State) wakeRun() {
	due := s.Run.BeginAt
	if !s.Pause.HoldsLimits() {
		due = Nearest(due, Nearest(s.Run.RunDeadline, s.Run.Deadline))
	}
	s.wakes.setOrDrop(0, due)
}

// Nearest is the earlier of two moments of which each may be none, which is zero.
func Nearest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// Unsettled is the number of things asked for that have no outcome and for which somebody has to act.
func (s *State) Unsettled() int {
	n := 0
	if s.Replacing() {
		n = 1
	}
	return n + len(s.Activities) + len(s.Children) + len(s.Sends) + len(s.Finds)
}

// Entries is the number of entries of the current or last run.
func (s *State) Entries() int {
	if s.Status == 0 {
		return 0
	}
	return int(s.Seq - s.Run.Began + 1)
}

// Open reports whether a run is under way.
func (s *State) Open() bool { return s.Status&StatusOpen != 0 }

// Due reports whether inputs are recorded that the code has not been told, or are yet to be repeated for it.
func (s *State) Due() bool {
	if _, more := s.Adopting(); more {
		return true
	}
	return s.Open() && s.Untold() && s.Pause == nil && s.Run.BeginAt.IsZero() && !s.Run.Queued
}

// Untold reports whether inputs are recorded that the code has not been told, though they may not be due.
func (s *State) Untold() bool { return s.Input > s.Told }

// Wake is the earliest moment at which something recorded is due; zero if nothing is.
func (s *State) Wake() time.Time {
	w, _ := s.wakes.first()
	return w.due
}

// NextDue is the step for which s is to be woken first, 0 for the run itself. ok is false if nothing is ever due.
func (s *State) NextDue() (step Step, due time.Time, ok bool) {
	w, ok := s.wakes.first()
	return w.step, w.due, ok
}

// Requested returns the Seq of the entry that the command with the given request id brought about in the current run.
func (s *State) Requested(request string) (seq uint64, ok bool) {
	if request == "" {
		return 0, false
	}
	seq, ok = s.requests[digest(request)]
	return seq, ok
}

func digest(request string) (d [16]byte) {
	sum := sha256.Sum256([]byte(request))
	return [16]byte(sum[:16])
}
