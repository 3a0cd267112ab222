package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/workflow"
)

// report is what became of the orders.
type report struct {
	orders, completed int
	signals           int // that were accepted
	requests          int
	repeated          int      // requests, because it was not known whether they were recorded
	lost              []string // that were acknowledged and did not complete
	broken            []string // histories that are not what was asked, written or told, or in which something is twice
	again             []string // activities that were made again because their first node had come to grief at that time
	doubled           []string // activities that were made twice though it had not
	missing           []string // activities that left no mark though they are recorded
	onTheRoad         int      // vans, at once
	fallen            []string // processes that ended though nobody had told them to
	took              time.Duration
	deaths            []*death
	entries           map[string]int
	buried            []string
	healings          int
	slowest           healing
	limit             time.Duration // of progress after a healing
}

// judge compares what was answered, what was recorded and what was made.
func (s *stage) judge(wanted []purchase, failed []error) (report, error) {
	marks, err := readMarks(s.witness())
	if err != nil {
		return report{}, err
	}
	s.watch.mu.Lock()
	defer s.watch.mu.Unlock()
	r := report{
		orders: len(failed), deaths: s.watch.deaths, entries: s.watch.entries, buried: s.watch.buried, took: time.Since(s.began), limit: s.options.limit(),
		requests: int(s.asked.requests.Load()), repeated: int(s.asked.repeated.Load()), healings: len(s.watch.healings), slowest: s.watch.stuck(),
	}
	var troubles []trouble
	for _, t := range s.watch.troubles {
		if t.to.IsZero() {
			t.to = time.Now()
		}
		troubles = append(troubles, *t)
	}
	for i, p := range wanted {
		if failed[i] != nil {
			r.lost = append(r.lost, fmt.Sprintf("%s: %v", p.Order, failed[i]))
			continue
		}
		r.completed++
		r.signals += p.Parcels
		settled, err := s.sound(p)
		if err != nil {
			r.broken = append(r.broken, fmt.Sprintf("%s: %v", p.Order, err))
		}
		for _, activity := range []string{"charge", "ship"} {
			before := len(r.doubled)
			r.compare(p.Order+" "+activity, marks[p.Order+" "+activity], settled[activity], troubles, s.lease)
			for i := range r.doubled[before:] {
				r.doubled[before+i] += s.history(p)
			}
		}
	}
	r.onTheRoad = onTheRoad(marks, troubles, s.lease)
	for _, err := range s.fallen() {
		r.fallen = append(r.fallen, err.Error())
	}
	return r, nil
}

// compare holds the marks of an activity against the attempt whose outcome is recorded.
func (r *report) compare(what string, marks []mark, settled history.Serial, troubles []trouble, lease time.Duration) {
	switch {
	case !slices.ContainsFunc(marks, func(m mark) bool { return m.serial == uint64(settled) }):
		r.missing = append(r.missing, fmt.Sprintf("%s: the outcome is that of serial %d, the marks are %v", what, settled, marks))
	case len(marks) == 1:
	case excused(marks, troubles, lease):
		r.again = append(r.again, what)
	default:
		r.doubled = append(r.doubled, fmt.Sprintf("%s: %v", what, marks))
	}
}

// history is what is recorded of an order, a line for each entry.
func (s *stage) history(p purchase) string {
	var b strings.Builder
	for r, err := range s.log.Read(context.Background(), s.id(p.Order), 1) {
		if err != nil {
			return err.Error()
		}
		fmt.Fprintf(&b, "\n\t%d %s %s by %s %s", r.Entry.Seq, r.Entry.At.Format("15:04:05.000"), r.Entry.Event.Kind(), r.Entry.By, r.Entry.Node)
	}
	return b.String()
}

func codes(name string, _ int) workflow.Code {
	if b, _ := workflow.BodyOf(order); b.Name == name {
		return b.Code
	}
	return nil
}

// sound checks the history of an order: its chain holds, it replays, each activity and the run end once, what was accepted is there
// once, and the code was told it once. It returns the serials of the outcomes.
func (s *stage) sound(p purchase) (settled map[string]history.Serial, err error) {
	var chain history.Chain
	var entries []history.Entry
	var sent, told []string
	steps := map[history.Step]string{}
	settled = map[string]history.Serial{}
	seen := map[string]int{}
	for r, err := range s.log.Read(context.Background(), s.id(p.Order), 1) {
		if err != nil {
			return nil, err
		}
		if err := chain.Check(r.Entry); err != nil {
			return nil, err
		}
		entries = append(entries, r.Entry)
		switch e := r.Entry.Event.(type) {
		case *history.ActivityScheduled:
			steps[e.Step] = e.Name
		case *history.ActivityCompleted:
			seen[steps[e.Step]]++
			settled[steps[e.Step]] = e.Serial
		case *history.Started:
			seen[r.Entry.Request]++
		case *history.Signaled:
			seen[r.Entry.Request]++
			var parcel string
			if err := e.Value.Decode(&parcel); err != nil || parcel != r.Entry.Request {
				return nil, fmt.Errorf("the signal %s has the value %q (%v)", r.Entry.Request, parcel, err)
			}
			sent = append(sent, parcel)
		case *history.Completed:
			seen["completed"]++
			if err := e.Result.Decode(&told); err != nil {
				return nil, err
			}
		}
	}
	want := map[string]int{p.start(): 1, "charge": 1, "ship": 1, "completed": 1}
	for n := range p.Parcels {
		want[p.parcel(n)] = 1
	}
	if !maps.Equal(seen, want) {
		return settled, fmt.Errorf("there is %v, want %v", seen, want)
	}
	if !slices.Equal(sent, told) {
		return settled, fmt.Errorf("the signals are %v, and the code was told %v", sent, told)
	}
	return settled, replay.Verify(codes, replay.Strict, entries)
}

// few is of how many nodes it is worth saying what each did.
const few = 10

func (r report) print(to io.Writer) {
	t := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	round := func(d time.Duration) time.Duration { return d.Round(10 * time.Millisecond) }
	fmt.Fprintf(t, "\norders\t%d in %s\ncompleted\t%d\nlost\t%d\nsignals accepted, and told once\t%d\nrequests, and asked again\t%d, %d\n",
		r.orders, round(r.took), r.completed, len(r.lost), r.signals, r.requests, r.repeated)
	fmt.Fprintf(t, "histories with a flaw\t%d\nactivities made twice\t%d\nmade again after a node's trouble\t%d\nvans on the road at once\t%d of %d\nnodes buried\t%d\n",
		len(r.broken), len(r.doubled), len(r.again), r.onTheRoad, vans, len(r.buried))
	if r.healings > 0 {
		fmt.Fprintf(t, "longest wait after %d troubles\t%s, limit %s (%s, after that of %s)\n",
			r.healings, round(r.slowest.longest), r.limit, r.slowest.of, r.slowest.who())
	}
	if len(r.entries) > few {
		_ = t.Flush()
		return
	}
	for _, d := range r.deaths {
		if d.last > 0 {
			fmt.Fprintf(t, "%s gone: %d of its orders went on\tafter %s to %s\n", d.name, d.had, round(d.first), round(d.last))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.entries)) {
		fmt.Fprintf(t, "entries by %s\t%d\n", name, r.entries[name])
	}
	_ = t.Flush()
}

// verdict says what should not be.
func (r report) verdict() error {
	var all []error
	for what, of := range map[string][]string{
		"lost": r.lost, "a flaw in the history": r.broken, "made twice though nobody had come to grief": r.doubled, "never made": r.missing,
		"ended by itself": r.fallen,
	} {
		for _, one := range of[:min(len(of), 5)] {
			all = append(all, fmt.Errorf("%s: %s", what, one))
		}
	}
	if r.onTheRoad > vans {
		all = append(all, fmt.Errorf("a limit was exceeded: %d vans were on the road at once, the limit is %d", r.onTheRoad, vans))
	}
	if r.slowest.longest > r.limit {
		all = append(all, fmt.Errorf("no progress: after the trouble of %s was over %s waited for %s, the limit is %s", r.slowest.who(), r.slowest.of, r.slowest.longest, r.limit))
	}
	return errors.Join(all...)
}
