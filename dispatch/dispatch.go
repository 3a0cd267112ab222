// Package dispatch knows which attempts of activities are to be made and which are in hand, and hands them out.
//
// A [Queue] holds an [Attempt] for each activity that is not settled: it waits for its time, is ready to be taken, is in
// hand here, or goes on outside. What is known of an attempt in hand (when it started, its last sign of life, its last
// checkpoint) is known here and only sometimes recorded.
//
// The package starts no goroutine and reads no clock: whoever uses it passes the time and waits.
package dispatch

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/timers"
)

// Key names an activity of an execution.
type Key struct {
	ID   history.ID
	Step history.Step
}

// Attempt is an attempt that is to be made.
type Attempt struct {
	Key
	Run         string
	Asker       string // the run that first asked for it: Run, or one that it has adopted it from
	Workflow    string // type
	Activity    string
	Queue       string
	Local       bool            // made here whatever its queue
	Number      int             // from 1
	Serial      history.Serial  // the highest known; the attempt gets a higher one when it is taken
	Input       history.Payload // absent: to be read from the entry Seq
	Seq         uint64
	Scheduled   time.Time
	Held        time.Duration // for how long pauses have held its limits since
	Policy      *history.Policy
	LastFailure history.Payload
	Checkpoint  history.Payload
	Headers     history.Payload // of the run
	Node        string          // that has the attempt in hand, if it goes on outside of this process; empty: it is not known
	Claim       bool            // the execution is another node's, so its start is recorded before it is made
}

// Queue is what is to be done. It may be used from many goroutines.
type Queue struct {
	mu     sync.Mutex
	work   map[Key]*work
	of     map[history.ID]*work // the first of each execution's
	free   int                  // attempts that may be taken
	hand   int
	bytes  int // of inputs kept
	later  *timers.Agenda[Key]
	limits *timers.Agenda[Key]
	ready  chan struct{}
	served map[string]bool // nil: all queues

	lanes    map[laneKind]*lane // what is ready
	flows    map[flowKind]*flow
	runnable heap[*flow] // with lanes that may be tried
	spent    heap[*flow] // ahead of the present
	present  uint64      // virtual time
	turns    uint64      // given so far
	surplus  []turned
	rules    Limits
	halted   func(workflow string) bool // nil: none is
	unknown  time.Time                  // what was begun up to then is not known
	buckets  map[bucketKind]*bucket
	refills  *timers.Agenda[*bucket]
	clock    time.Time // the latest that was told
	shared   bool      // nodes share the limits
	wants    []*bucket // whose quotas are to be looked at
	wanting  chan struct{}
}

type state uint8

const (
	waiting state = iota // for its time
	ready                // to be taken
	inHand
	outside
	turnedAway // to be settled
)

type work struct {
	Attempt
	state       state
	started     time.Time
	beat        time.Time
	recorded    time.Time // the last beat that is, or is being, recorded
	fresh       bool      // the checkpoint has changed since
	away        bool      // others know only what is recorded
	interrupted bool      // this process may not go on with it
	cancel      context.CancelCauseFunc
	lane        *lane // ready
	turn        uint64
	next        *work
	prev        *work
	making      bool      // in hand, and not released
	gone        bool      // from the queue
	held        []*bucket // in which it counts
	sibling     *work     // of the same execution
	elder       *work
	abandoned   bool // settled while in hand
	checkpoint  history.Payload
}

// keptInputs bounds the memory that inputs take here; beyond it they are read from the log.
const keptInputs = 64 << 20

// New makes an empty queue from which most attempts may be in hand at once. Of the named queues only those are handed out
// that are served; none means all.
func New(most int, served ...string) *Queue {
	q := &Queue{
		work: map[Key]*work{}, of: map[history.ID]*work{}, free: most,
		later: timers.NewAgenda[Key](), limits: timers.NewAgenda[Key](), ready: make(chan struct{}, 1), wanting: make(chan struct{}, 1), refills: timers.NewAgenda[*bucket](),
	}
	q.initLanes()
	for _, name := range served {
		if q.served == nil {
			q.served = map[string]bool{}
		}
		q.served[name] = true
	}
	return q
}

// Offer puts an attempt into the queue, to be made at a moment or, if that has passed, now. What is in hand of the same
// activity is given up.
func (q *Queue) Offer(a Attempt, at, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.offer(a, at, now)
}

func (q *Queue) offer(a Attempt, at, now time.Time) {
	w := q.renew(a)
	if q.halted != nil && q.halted(a.Workflow) {
		q.remove(w, errHalted) // it is offered again when it may be made
		return
	}
	if q.served != nil && !a.Local && !q.served[a.Queue] {
		return // it waits for somebody who serves its queue
	}
	if at.After(now) {
		w.state = waiting
		q.later.Set(a.Key, at)
		return
	}
	q.push(w)
}

// OfferNew is Offer, unless the attempt is known already: then it was offered, and may have been taken. An earlier one gives way.
func (q *Queue) OfferNew(a Attempt, at, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if w := q.work[a.Key]; w == nil || w.Number < a.Number {
		q.offer(a, at, now)
	}
}

// Outside notes that an attempt goes on outside of this process since a moment. What is known of it here is kept, unless it
// is older.
func (q *Queue) Outside(a Attempt, started, beat time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch w := q.work[a.Key]; {
	case w == nil || w.Serial != a.Serial:
	case w.state == inHand:
		w.state = outside
		q.limits.Drop(w.Key)
		return
	case w.state == outside && !w.beat.Before(beat):
		return
	}
	w := q.renew(a)
	w.state, w.started, w.beat, w.recorded = outside, started, beat, beat
	if w.Node == "" && !w.Local { // else it counts where it is in hand
		q.hold(w, q.bucketsFor(w), false)
		for _, b := range w.held {
			b.refs-- // counted twice
		}
	}
}

func (q *Queue) renew(a Attempt) *work {
	if old := q.work[a.Key]; old != nil {
		a.Serial = max(a.Serial, old.Serial)
		q.remove(old, errTakenOver)
	}
	if q.bytes+a.Input.Size() > keptInputs {
		a.Input = history.Payload{}
	}
	w := &work{Attempt: a, checkpoint: a.Checkpoint}
	q.bytes += a.Input.Size()
	q.work[a.Key] = w
	if w.sibling = q.of[a.ID]; w.sibling != nil {
		w.sibling.elder = w
	}
	q.of[a.ID] = w
	return w
}

// Settle takes an activity off. If an attempt is in hand, its context ends with cause.
func (q *Queue) Settle(k Key, cause error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if w := q.work[k]; w != nil {
		q.remove(w, cause)
	}
}

// Steps are those of an execution that something is known of, and those of them that may be taken now, in order.
func (q *Queue) Steps(id history.ID) (steps, takeable []history.Step) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for w := q.of[id]; w != nil; w = w.sibling {
		steps = append(steps, w.Step)
		if w.state == ready && w.lane.full(q.clock) == nil {
			takeable = append(takeable, w.Step)
		}
	}
	slices.Sort(steps)
	slices.Sort(takeable)
	return steps, takeable
}

// SettleOthers takes all activities of an execution off but some.
func (q *Queue) SettleOthers(id history.ID, but func(history.Step) bool, cause error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for w := q.of[id]; w != nil; {
		next := w.sibling
		if !but(w.Step) {
			q.remove(w, cause)
		}
		w = next
	}
}

// SettleAll takes all activities of an execution off.
func (q *Queue) SettleAll(id history.ID, cause error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for w := q.of[id]; w != nil; w = q.of[id] {
		q.remove(w, cause)
	}
}

// Cancel ends the context of the attempt in hand with cause and keeps the activity. It reports whether there is such an
// attempt, here or outside; if not, nobody will settle the activity.
func (q *Queue) Cancel(k Key, cause error) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	w := q.work[k]
	switch {
	case w == nil:
		return false
	case w.state == inHand:
		w.cancel(cause)
		return true
	case w.state == outside:
		return true
	}
	q.remove(w, cause)
	return false
}

func (q *Queue) remove(w *work, cause error) {
	switch w.state {
	case waiting:
		q.later.Drop(w.Key)
	case ready:
		q.unlink(w)
	case inHand:
		q.limits.Drop(w.Key)
		w.abandoned = true
		w.cancel(cause)
	}
	w.gone = true
	if !w.making {
		q.giveBack(w)
	}
	q.bytes -= w.Input.Size()
	delete(q.work, w.Key)
	if w.elder != nil {
		w.elder.sibling = w.sibling
	} else if w.sibling != nil {
		q.of[w.ID] = w.sibling
	} else {
		delete(q.of, w.ID)
	}
	if w.sibling != nil {
		w.sibling.elder = w.elder
	}
}

func (q *Queue) signal() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// Ready receives when there may be something to take.
func (q *Queue) Ready() <-chan struct{} { return q.ready }

// Earlier receives when the moment of the next attempt may have become an earlier one.
func (q *Queue) Earlier() <-chan struct{} { return q.later.Earlier() }

// Sooner receives when the next limit may have become an earlier one.
func (q *Queue) Sooner() <-chan struct{} { return q.limits.Earlier() }

// Facts is what is known here of the attempts of an execution that are in hand or go on outside.
func (q *Queue) Facts(id history.ID) []commands.Attempt {
	q.mu.Lock()
	defer q.mu.Unlock()
	var all []commands.Attempt
	for w := q.of[id]; w != nil; w = w.sibling {
		if w.state == inHand || w.state == outside {
			all = append(all, w.facts())
		}
	}
	return all
}

// Newest is the highest serial handed out for an activity, 0 if nothing is known of it here.
func (q *Queue) Newest(k Key) history.Serial {
	q.mu.Lock()
	defer q.mu.Unlock()
	if w := q.work[k]; w != nil && w.begun() {
		return w.Serial
	}
	return 0
}

// Has reports whether an attempt, or a later one of the same activity, is in hand or goes on outside.
func (q *Queue) Has(k Key, number int) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	w := q.work[k]
	return w != nil && w.begun() && w.Number >= number
}

// begun reports whether the attempt is in hand or goes on outside.
func (w *work) begun() bool { return w.state == inHand || w.state == outside }

func (w *work) facts() commands.Attempt {
	return commands.Attempt{Run: w.Run, Step: w.Step, Serial: w.Serial, Started: w.started, Beat: w.beat, Checkpoint: w.checkpoint}
}

// InHand is the number of attempts in hand.
func (q *Queue) InHand() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.hand
}

// Unlimit lets the attempt in hand of an activity take as long as it wants.
func (q *Queue) Unlimit(k Key) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.limits.Drop(k)
}
