package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/workflow"
)

// Program is what a workflow is to do: it is made from a seed and run by an interpreter.
type Program struct {
	Do   string        `json:"do"`
	Of   []Program     `json:"of,omitempty"`
	N    int           `json:"n,omitempty"`
	For  time.Duration `json:"for,omitempty"`
	Name string        `json:"name,omitempty"`

	Runs int            `json:"runs,omitempty"` // of the root: how often it continues as new
	Read map[string]int `json:"read,omitempty"` // of the root: the last number read of each client
	Gap  string         `json:"gap,omitempty"`  // of the root: what was missing among the signals

	Sum   int  `json:"sum,omitempty"`   // of the root: of the updates that were answered
	Hasty bool `json:"hasty,omitempty"` // of the root: it continues as new whatever is left to be read and answered
}

// letter is a signal: the n-th of a client to an execution.
type letter struct {
	From string
	N    int
}

// sum is what an update answers.
type sum struct{ Sum int }

var (
	work    = activity.Declare[job, string]("work", activity.KeyOf(keyOf), activity.Retry{Initial: time.Second}, activity.StartToClose(5*time.Second), activity.ScheduleToClose(2*time.Minute))
	beating = activity.Declare[job, string]("beating", activity.Retry{Initial: time.Second}, activity.HeartbeatWithin(2*time.Second), activity.StartToClose(time.Minute), activity.ScheduleToClose(3*time.Minute))
	once    = activity.Declare[job, string]("once", activity.MaxAttempts(1), activity.StartToClose(3*time.Second), activity.ScheduleToStart(time.Minute))
	outside = activity.External[string]("outside", activity.ScheduleToClose(30*time.Second))

	post    = workflow.NewSignal[letter]("post")
	add     = workflow.NewUpdate[int, sum]("add")
	letters = workflow.NewQuery[int]("letters")
	round   = workflow.NewAttribute[int]("round")

	program = workflow.Declare[Program, Program]("program", workflow.ExecutionTimeout(30*24*time.Hour))
)

// job is the input of an activity.
type job struct{ N int }

// leaves and branches are what programs are made of.
var (
	leaves   = []string{"work", "work", "work", "beating", "once", "outside", "sleep", "sleep", "read", "step", "value", "gate", "attribute", "send", "quick", "long", "find"}
	branches = []string{"seq", "seq", "par", "par", "race", "loop", "child", "abandoned", "scope", "saga", "map"}
)

// invent makes a program no deeper than depth.
func invent(rng *rand.Rand, depth int) Program {
	p := Program{N: rng.IntN(1000), For: time.Duration(1+rng.IntN(8000)) * time.Millisecond}
	if rng.IntN(4) == 0 {
		p.For = time.Duration(1+rng.IntN(5)) * time.Second // so that several things fall on the same moment
	}
	if depth == 0 || rng.IntN(3) == 0 {
		p.Do = leaves[rng.IntN(len(leaves))]
		p.Name = []string{"a", "b", "c", "d"}[rng.IntN(4)]
		return p
	}
	p.Do = branches[rng.IntN(len(branches))]
	n := 1 + rng.IntN(3)
	switch p.Do {
	case "loop", "child", "abandoned", "scope":
		n = 1
	}
	for range n {
		p.Of = append(p.Of, invent(rng, depth-1))
	}
	return p
}

// root makes the program of an execution.
func root(rng *rand.Rand) Program {
	p := Program{Do: "root", Read: map[string]int{}}
	for range 1 + rng.IntN(3) {
		p.Of = append(p.Of, invent(rng, 1+rng.IntN(3)))
	}
	if rng.IntN(3) == 0 {
		p.Runs, p.Hasty = 1+rng.IntN(4), rng.IntN(2) == 0
	}
	return p
}

// shorten makes a program last minutes at the most.
func (p *Program) shorten() {
	if p.Do == "long" {
		p.Do = "sleep"
	}
	for i := range p.Of {
		p.Of[i].shorten()
	}
}

// interpreter runs programs. Code of the next release asks for something before each gate.
type interpreter struct {
	next    bool
	crowded bool
	values  atomic.Int64 // that were made: each is another
}

// run is the workflow.
func (i *interpreter) run(ctx workflow.Context, p Program) (Program, error) {
	done := false
	letters.Handle(ctx, func() int { return sumOf(p.Read) })
	add.Handle(ctx, func(ctx workflow.Context, n int) (sum, error) {
		if takesTime(n) {
			if err := workflow.Sleep(ctx, time.Duration(n)*time.Millisecond); err != nil {
				return sum{}, err
			}
		}
		if waits(n) {
			if err := workflow.Await(ctx, func() bool { return done }); err != nil {
				return sum{}, err
			}
		}
		p.Sum += n
		return sum{p.Sum}, nil
	}, func(n int) error {
		if n%10 == 9 {
			return errors.New("nines are refused")
		}
		return nil
	})
	err := i.all(ctx, &p, p.Of)
	if err == nil && p.Runs > 0 && p.Hasty {
		p.Runs--
		return p, workflow.ContinueAsNew(ctx, p)
	}
	done = true
	for {
		l, ok := post.TryReceive(ctx)
		if !ok {
			break
		}
		p.take(l)
	}
	if err != nil {
		return p, err
	}
	err = workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
	if err == nil {
		err = ctx.Err() // the end of the scope may be what has finished them
	}
	if err != nil {
		return p, err
	}
	if p.Runs > 0 {
		p.Runs--
		return p, workflow.ContinueAsNew(ctx, p)
	}
	return p, nil
}

// takesTime reports whether the answer to an update does.
func takesTime(n int) bool { return n%3 == 0 }

// waits reports whether an update is answered when the run has done what it was to do, or by the run that continues it.
func waits(n int) bool { return n%3 == 1 }

func sumOf(last map[string]int) (n int) {
	for _, last := range last { // in any order
		n += last
	}
	return n
}

// take takes note of a letter that was read.
func (p *Program) take(l letter) {
	if p.Read == nil {
		p.Read = map[string]int{}
	}
	if l.From == "" {
		return // of somebody who does not count
	}
	if last := p.Read[l.From]; l.N != last+1 {
		p.Gap += fmt.Sprintf("%s: %d after %d; ", l.From, l.N, last)
	}
	p.Read[l.From] = l.N
}

// all does one thing after the other. What fails does not keep the rest from being done; that the scope has ended does.
func (i *interpreter) all(ctx workflow.Context, root *Program, of []Program) error {
	for _, p := range of {
		if err := i.do(ctx, root, p); err != nil && ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return ctx.Err()
}

func (i *interpreter) do(ctx workflow.Context, root *Program, p Program) error {
	switch p.Do {
	case "seq":
		return i.all(ctx, root, p.Of)
	case "par":
		var group workflow.WaitGroup
		for _, one := range p.Of {
			group.Go(ctx, func(ctx workflow.Context) { _ = i.do(ctx, root, one) })
		}
		return group.Wait(ctx)
	case "race":
		return i.race(ctx, root, p)
	case "loop":
		for range 1 + p.N%3 {
			if err := i.all(ctx, root, p.Of); err != nil {
				return err
			}
		}
		return nil
	case "child":
		on := []workflow.ParentClose{workflow.CancelChild, workflow.TerminateChild, workflow.AbandonChild}[p.N%3]
		_, err := workflow.Child(ctx, i.child(), Program{Do: "root", Of: p.Of}, workflow.OnParentClose(on))
		return err
	case "abandoned":
		c := workflow.BeginChild(ctx, i.child(), Program{Do: "root", Of: p.Of}, workflow.OnParentClose(workflow.AbandonChild))
		return c.Started(ctx)
	case "scope":
		scope, cancel := workflow.WithTimeout(ctx, p.For)
		defer cancel()
		return i.all(scope, root, p.Of)
	case "saga":
		_, err := workflow.Saga(ctx, func(undo *workflow.Undo) (int, error) {
			undo.Add(workflow.Call(work, job{p.N}))
			if err := i.all(ctx, root, p.Of); err != nil {
				return 0, err
			}
			if p.N%2 == 0 {
				return 0, errors.New("undo it")
			}
			return 0, nil
		})
		return err
	case "map":
		_, err := workflow.MapAll(ctx, p.Of, func(ctx workflow.Context, one Program) (int, error) { return 0, i.do(ctx, root, one) }, workflow.Limit(2))
		return err
	}
	return i.leaf(ctx, root, p)
}

// race begins things of which one ends first.
func (i *interpreter) race(ctx workflow.Context, root *Program, p Program) error {
	scope, cancel := workflow.WithCancel(ctx)
	defer cancel()
	timer := workflow.NewTimer(scope, p.For)
	done := workflow.Begin(scope, work, job{p.N})
	rest := workflow.BeginFunc(scope, func(ctx workflow.Context) (int, error) { return 0, i.all(ctx, root, p.Of) })
	got, err := workflow.Select(ctx, post, done, timer, rest)
	if got == workflow.Case(post) {
		l, _ := post.TryReceive(ctx)
		root.take(l)
	}
	return err
}

func (i *interpreter) leaf(ctx workflow.Context, root *Program, p Program) error {
	var err error
	switch p.Do {
	case "work":
		_, err = workflow.Do(ctx, work, job{p.N})
	case "quick":
		_, err = workflow.Do(ctx, work, job{p.N}, activity.StartToClose(time.Second), activity.Retry{MaxAttempts: 3})
	case "beating":
		var on []activity.Option
		if p.N%2 == 0 { // then its starts are recorded
			on = append(on, activity.ScheduleToStart(2*time.Minute))
		}
		_, err = workflow.Do(ctx, beating, job{p.N}, on...)
	case "once":
		_, err = workflow.Do(ctx, once, job{p.N})
	case "outside":
		_, err = workflow.AwaitExternal(ctx, outside, func(context.Context, string) error { return nil })
	case "sleep":
		err = workflow.Sleep(ctx, p.For)
	case "long":
		err = workflow.Sleep(ctx, time.Hour+time.Duration(p.N)*time.Second)
	case "read":
		var l letter
		var ok bool
		if l, ok, err = post.ReceiveWithin(ctx, p.For); ok {
			root.take(l)
		}
	case "told":
		err = i.told(ctx, root)
	case "step":
		_, err = workflow.Step(ctx, "step-"+p.Name, func(context.Context) (int, error) { return p.N, nil })
	case "value":
		v := workflow.Value(ctx, "value-"+p.Name, func() int64 { return i.values.Add(1) })
		err = workflow.Sleep(ctx, time.Duration(11+v%7)*time.Millisecond) // and not that of a gate, for which it could be taken
	case "gate":
		if i.next && workflow.Patched(ctx, "gate-"+p.Name) {
			err = workflow.Sleep(ctx, time.Millisecond)
		}
	case "attribute":
		workflow.SetAttributes(ctx, round.Set(p.N))
	case "find":
		if p.N%2 == 0 {
			_, err = workflow.Count(ctx, query.Query{})
		} else {
			_, err = workflow.Find(ctx, query.Query{Order: "id"})
		}
	case "send":
		err = workflow.Send(ctx, "w"+p.Name, post.With(letter{}))
	default:
		panic("there is no " + p.Do)
	}
	return err
}

// told waits until the run was told something, both ways.
func (i *interpreter) told(ctx workflow.Context, root *Program) error {
	if root.Sum > 0 {
		return nil
	}
	l, err := post.Receive(ctx)
	if err != nil {
		return err
	}
	root.take(l)
	return workflow.Await(ctx, func() bool { return root.Sum > 0 })
}
