package replay

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/coro"
)

// Stand is how a run stood when its code had been told of an entry. It marshals to JSON.
type Stand struct {
	Workflow   string      `json:"workflow"`
	Version    int         `json:"version,omitempty"`
	Run        string      `json:"run"`
	Seq        uint64      `json:"seq"`              // the last entry that the code was shown
	At         time.Time   `json:"at"`               // of that entry
	Closed     bool        `json:"closed,omitempty"` // that entry ends the run
	Coroutines []Parked    `json:"coroutines"`       // that wait, in the order in which they began
	Open       []Open      `json:"open,omitempty"`   // what the run waits for, in the order of steps
	Asked      []string    `json:"asked,omitempty"`  // by the code, up to here, and recorded by none of the entries shown
	Unread     []Unread    `json:"unread,omitempty"` // signals, in the order in which they came
	Answers    []Answer    `json:"answers,omitempty"`
	Mismatch   *Mismatch   `json:"mismatch,omitempty"` // at which the code was shown nothing more
	Stalled    *StandStill `json:"stalled,omitempty"`  // the same
}

// StandStill is why the code could not go on.
type StandStill struct {
	Reason string `json:"reason"`
	Stack  string `json:"stack,omitempty"` // of the code, if it panicked
}

// Parked is a coroutine that waits.
type Parked struct {
	Name  string  `json:"name"`
	Waits []Wait  `json:"waits"` // for any of them
	Stack []Frame `json:"stack"` // calls of the author's code, the innermost first
}

// Wait is what a coroutine waits for.
type Wait struct {
	For   string       `json:"for"`             // in words
	Step  history.Step `json:"step,omitempty"`  // of what the code asked for; 0: it is no such thing
	State string       `json:"state,omitempty"` // of that step, in words
}

// Open is one reason for which the run is open, as [history.State.Waiting] has it.
type Open struct {
	Step  history.Step `json:"step,omitempty"`
	Why   string       `json:"why"`
	Since time.Time    `json:"since,omitzero"`
	Until time.Time    `json:"until,omitzero"`
}

// Unread is a signal that the code has not received.
type Unread struct {
	Seq   uint64          `json:"seq"`
	Name  string          `json:"name"`
	Value json.RawMessage `json:"value"`
}

// Question is a query that the code is to answer where it stands.
type Question struct {
	Query string          `json:"query"`
	Arg   json.RawMessage `json:"arg,omitempty"`
}

// Answer is what the code says to a [Question], or why it does not.
type Answer struct {
	Query string          `json:"query"`
	Value json.RawMessage `json:"value,omitempty"`
	Error string          `json:"error,omitempty"`
}

// StandAt runs code along the entries of a run up to the one with the Seq until, 0 for all, and says how it then stands. Where
// code and history part before, or the code stalls, it says how it stood there. The answers of gates and kept values are those
// of the whole run, as always. The error says that there is no such entry.
func StandAt(c Config, run []history.Entry, until uint64, questions ...Question) (*Stand, error) {
	first, last := run[0].Seq, run[len(run)-1].Seq
	if until == 0 {
		until = last
	}
	if until < first || until > last {
		return nil, fmt.Errorf("replay: there is no entry %d in the run, want one of %d to %d", until, first, last)
	}
	c.places = true
	m := New(c)
	defer m.Stop()
	err := m.recall(run, int(until-first)+1)
	shown := run[:max(1, m.agreedWithin(run, until, err))]
	s := m.stand(history.Fold(shown...))
	switch e := err.(type) {
	case *Mismatch:
		s.Mismatch = e
	case *Stalled:
		s.Stalled = &StandStill{e.Reason, e.Stack}
	default:
		for _, q := range questions {
			s.Answers = append(s.Answers, m.answerTo(q))
		}
	}
	return s, nil
}

// agreedWithin is the number of entries up to which code and history agree.
func (m *Machine) agreedWithin(run []history.Entry, until uint64, err error) int {
	if err != nil {
		until = m.agreed
	}
	return int(until + 1 - min(run[0].Seq, until+1))
}

func (m *Machine) stand(state *history.State) *Stand {
	s := &Stand{
		Workflow: m.run.Type, Version: m.run.Version, Run: m.run.Run, Seq: state.Seq, At: state.At, Closed: m.closed,
	}
	reasons := map[history.Step]history.Reason{}
	for _, r := range state.Waiting() {
		s.Open = append(s.Open, Open{r.Step, r.Why, r.Since, r.Until})
		reasons[r.Step] = r
	}
	for _, b := range m.group.Blocked() {
		p := Parked{Name: b.Coroutine, Stack: authors(m.stacks[b.Of])}
		for i, what := range b.For {
			p.Waits = append(p.Waits, m.waitFor(what, b.Bells[i], reasons))
		}
		s.Coroutines = append(s.Coroutines, p)
	}
	for _, a := range m.Asks() {
		s.Asked = append(s.Asked, asked(a.Command).String())
	}
	for _, c := range m.Carry() {
		if v, ok := c.Event.(*history.Signaled); ok {
			s.Unread = append(s.Unread, Unread{c.Seq, v.Name, json.RawMessage(v.Value.Data)})
		}
	}
	return s
}

// waitFor says what a bell rings for.
func (m *Machine) waitFor(what string, b *coro.Bell, reasons map[history.Step]history.Reason) Wait {
	w := Wait{For: what}
	if b == nil {
		return w
	}
	for step, o := range m.open {
		if o.p.Rings(b) {
			w.Step = step
			if r, ok := reasons[step]; ok {
				w.State = stateOf(r, o.activity)
			}
		}
	}
	return w
}

// stateOf says how a step stands, whose name is told beside.
func stateOf(r history.Reason, name string) string {
	if r.Why == "timer" {
		return "due " + r.Until.Format(time.RFC3339)
	}
	r.Why = strings.Replace(r.Why, " of activity "+name, "", 1)
	return r.String()
}

func (m *Machine) answerTo(q Question) Answer {
	var arg history.Payload
	if len(q.Arg) > 0 {
		arg = history.JSON(q.Arg)
	}
	value, err := m.Query(q.Query, arg)
	if err != nil {
		return Answer{Query: q.Query, Error: err.Error()}
	}
	return Answer{Query: q.Query, Value: json.RawMessage(value.Data)}
}
