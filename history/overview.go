package history

import (
	"encoding/json"
	"time"
)

// Overview is an execution for those who show it: what its runs asked for, and what became of each of these. All of it follows from the
// entries. Its JSON keys are promises.
type Overview struct {
	Runs []*RunOverview `json:"runs"`
}

// RunOverview is one run.
type RunOverview struct {
	Run     string             `json:"run"`
	Number  uint64             `json:"number"`
	Type    string             `json:"type"`
	Version int                `json:"version,omitempty"`
	Parent  string             `json:"parent,omitempty"` // id of the execution whose child it is
	Of      Step               `json:"of,omitempty"`     // step of the parent that asked for it
	Status  string             `json:"status"`
	Started time.Time          `json:"started"`
	Closed  time.Time          `json:"closed,omitzero"`
	Seconds float64            `json:"seconds"` // from its start to its end, or to its last entry
	First   uint64             `json:"first"`   // Seq of its first entry
	Last    uint64             `json:"last"`    // and its last
	Input   json.RawMessage    `json:"input,omitempty"`
	Result  json.RawMessage    `json:"result,omitempty"`
	Failure json.RawMessage    `json:"failure,omitempty"`
	Reason  string             `json:"reason,omitempty"`
	Waiting []string           `json:"waiting,omitempty"` // for what, if it is open
	Policy  []Setting          `json:"policy,omitempty"`  // its time-outs; what is not named is the default, which is none
	Steps   []*StepOverview    `json:"steps"`
	Told    []*MessageOverview `json:"told"` // what came from outside: signals, updates, requests to end

	state *State
	steps map[Step]*StepOverview
	asked map[string]*MessageOverview // updates
}

// StepOverview is something that the code asked for.
type StepOverview struct {
	Step     Step               `json:"step"`
	Kind     string             `json:"kind"`         // activity, local, timer, child, message or lookup
	Name     string             `json:"name"`         // of the activity, the child's type, the signal
	ID       string             `json:"id,omitempty"` // of the execution that is started or sent something
	Status   string             `json:"status"`       // open, or how it ended: completed, failed, timed-out, cancelled, …
	Entry    uint64             `json:"entry"`        // Seq of the entry that asks for it
	Asked    time.Time          `json:"asked"`
	Ended    time.Time          `json:"ended,omitzero"`
	Seconds  float64            `json:"seconds,omitempty"` // between these
	Input    json.RawMessage    `json:"input,omitempty"`
	Result   json.RawMessage    `json:"result,omitempty"`
	Failure  json.RawMessage    `json:"failure,omitempty"`
	Attempts []*AttemptOverview `json:"attempts,omitempty"`
	Policy   []Setting          `json:"policy,omitempty"` // of an activity, as it is or was in the end; what is not named is the default
}

// AttemptOverview is one attempt of an activity.
type AttemptOverview struct {
	Attempt    int             `json:"attempt"`
	Node       string          `json:"node,omitempty"`
	Status     string          `json:"status"` // running, or how it ended: completed, failed, timed-out, lost, …
	Started    time.Time       `json:"started,omitzero"`
	Ended      time.Time       `json:"ended,omitzero"`
	Seconds    float64         `json:"seconds,omitempty"`
	Heartbeats int             `json:"heartbeats,omitempty"` // that were recorded
	Checkpoint json.RawMessage `json:"checkpoint,omitempty"` // the last
	Failure    json.RawMessage `json:"failure,omitempty"`
	RetryAt    time.Time       `json:"retry_at,omitzero"`
}

// MessageOverview is what somebody told a run.
type MessageOverview struct {
	Entry   uint64          `json:"entry"`
	At      time.Time       `json:"at"`
	By      string          `json:"by,omitempty"`
	Kind    string          `json:"kind"` // of the entry
	Name    string          `json:"name,omitempty"`
	Value   json.RawMessage `json:"value,omitempty"`
	Answer  json.RawMessage `json:"answer,omitempty"`
	Failure json.RawMessage `json:"failure,omitempty"`
}

// OverviewOf makes an overview of the entries of an execution, from the beginning of a run on.
func OverviewOf(entries []Entry) Overview {
	o := Overview{Runs: []*RunOverview{}}
	var r *RunOverview
	for i := range entries {
		e := &entries[i]
		if v, begins := e.Event.(*Started); begins {
			r = &RunOverview{
				Run: v.Run, Number: v.Number, Type: v.Type, Version: v.Version, Parent: v.Parent.ID, Of: v.Parent.Step, Started: e.At, First: e.Seq, Input: shownPayload(v.Input),
				Steps: []*StepOverview{}, Told: []*MessageOverview{}, state: &State{}, steps: map[Step]*StepOverview{}, asked: map[string]*MessageOverview{},
			}
			o.Runs = append(o.Runs, r)
		}
		if r != nil {
			r.take(e)
		}
	}
	for _, r := range o.Runs {
		r.end()
	}
	return o
}

func (r *RunOverview) take(e *Entry) {
	r.state.Evolve(*e)
	if v, ok := e.Event.(*PolicyApplied); ok && r.steps[v.Step] != nil {
		r.policy(r.steps[v.Step])
	}
	r.Last, r.Seconds = e.Seq, e.At.Sub(r.Started).Seconds()
	if r.ask(e) || r.attempt(e) || r.settle(e) {
		return
	}
	r.tell(e)
}

func (r *RunOverview) end() {
	r.Status = r.state.Status.String()
	r.Closed, r.Reason = r.state.Run.Closed, r.state.Outcome.Reason
	r.Policy = Chosen(r.state.Settings())
	r.Result, r.Failure = shownPayload(r.state.Outcome.Result), shownPayload(r.state.Outcome.Failure)
	for _, w := range r.state.Waiting() {
		r.Waiting = append(r.Waiting, w.String())
	}
}

// ask takes a decision that asks for something.
func (r *RunOverview) ask(e *Entry) bool {
	s := &StepOverview{Status: "open", Entry: e.Seq, Asked: e.At}
	switch v := e.Event.(type) {
	case *ActivityScheduled:
		s.Step, s.Kind, s.Name, s.Input = v.Step, "activity", v.Name, shownPayload(v.Input)
		if v.Local {
			s.Kind = "local"
		}
		r.policy(s)
	case *TimerStarted:
		s.Step, s.Kind, s.Name = v.Step, "timer", v.After.String()
	case *ChildAsked:
		s.Step, s.Kind, s.Name, s.ID, s.Input = v.Step, "child", v.Type, v.ID, shownPayload(v.Input)
	case *SendAsked:
		s.Step, s.Kind, s.Name, s.ID, s.Input = v.Step, "message", v.Name, v.ID, shownPayload(v.Value)
		if v.Cancel {
			s.Name = "cancel"
		}
	case *FindAsked:
		s.Step, s.Kind, s.Name, s.Input = v.Step, "lookup", "find", shownPayload(v.Query)
		if v.Count {
			s.Name = "count"
		}
	default:
		return false
	}
	r.steps[s.Step] = s
	r.Steps = append(r.Steps, s)
	return true
}

// policy says what policy an activity is under now.
func (r *RunOverview) policy(s *StepOverview) {
	if a := r.state.Activities[s.Step]; a != nil {
		s.Policy = Chosen(a.Settings())
	}
}

// attempt takes what is said of an attempt that did not settle its activity.
func (r *RunOverview) attempt(e *Entry) bool {
	switch v := e.Event.(type) {
	case *AttemptStarted:
		if a := r.try(v.Try); a != nil {
			a.Node = v.Node
			if a.Started.IsZero() {
				a.Started = e.At
			}
		}
	case *Heartbeat:
		r.beat(v)
	case *ActivityProgressed:
		r.beat(&v.Heartbeat)
	case *AttemptFailed:
		status := "failed"
		if v.Limit != "" {
			status = "timed-out: " + v.Limit
		}
		if a := r.over(v.Try, e.At, status, v.Failure); a != nil {
			a.RetryAt = v.RetryAt
			if p := shownPayload(v.Checkpoint); p != nil {
				a.Checkpoint = p
			}
		}
	case *AttemptLost:
		r.over(v.Try, e.At, "lost", Payload{})
	default:
		return false
	}
	return true
}

func (r *RunOverview) beat(v *Heartbeat) {
	if a := r.try(v.Try); a != nil {
		a.Heartbeats++
		if p := shownPayload(v.Checkpoint); p != nil {
			a.Checkpoint = p
		}
	}
}

// try is the attempt that an entry is about; nil if its activity is not known.
func (r *RunOverview) try(t Try) *AttemptOverview {
	s := r.steps[t.Step]
	if s == nil {
		return nil
	}
	if n := len(s.Attempts); n > 0 && s.Attempts[n-1].Attempt == t.Attempt && s.Attempts[n-1].Ended.IsZero() {
		return s.Attempts[n-1]
	}
	a := &AttemptOverview{Attempt: t.Attempt, Status: "running", Started: t.Started}
	s.Attempts = append(s.Attempts, a)
	return a
}

func (r *RunOverview) over(t Try, at time.Time, status string, failure Payload) *AttemptOverview {
	if t.Attempt == 0 {
		return nil // it was settled without one
	}
	a := r.try(t)
	if a == nil {
		return nil
	}
	a.Status, a.Ended, a.Failure = status, at, shownPayload(failure)
	if !t.Started.IsZero() {
		a.Started = t.Started
	}
	if !a.Started.IsZero() {
		a.Seconds = at.Sub(a.Started).Seconds()
	}
	return a
}

// settle takes what ends something that was asked for.
func (r *RunOverview) settle(e *Entry) bool {
	end := func(step Step, status string, result, failure Payload) {
		if s := r.steps[step]; s != nil {
			s.Status, s.Ended, s.Seconds = status, e.At, e.At.Sub(s.Asked).Seconds()
			s.Result, s.Failure = shownPayload(result), shownPayload(failure)
		}
	}
	switch v := e.Event.(type) {
	case *ActivityCompleted:
		r.over(v.Try, e.At, "completed", Payload{})
		end(v.Step, "completed", v.Result, Payload{})
	case *ActivityFailed:
		r.over(v.Try, e.At, "failed", v.Failure)
		end(v.Step, "failed", Payload{}, v.Failure)
	case *ActivityTimedOut:
		r.over(v.Try, e.At, "timed-out", Payload{})
		end(v.Step, "timed-out", Payload{}, Payload{})
	case *ActivityCancelled:
		end(v.Step, "cancelled", Payload{}, Payload{})
	case *TimerFired:
		end(v.Step, "fired", Payload{}, Payload{})
	case *TimerCancelled:
		end(v.Step, "cancelled", Payload{}, Payload{})
	case *ChildRefused:
		end(v.Step, "refused: "+v.Reason, Payload{}, Payload{})
	case *ChildClosed:
		end(v.Step, v.Status.String(), v.Result, v.Failure)
	case *Sent:
		status := "delivered"
		if v.Refused != "" {
			status = "refused: " + v.Refused
		}
		end(v.Step, status, Payload{}, Payload{})
	case *FindAnswered:
		status := "answered"
		if v.Refused != "" {
			status = "refused: " + v.Refused
		}
		end(v.Step, status, v.Rows, Payload{})
	default:
		return false
	}
	return true
}

// tell takes what came from outside.
func (r *RunOverview) tell(e *Entry) {
	m := &MessageOverview{Entry: e.Seq, At: e.At, By: string(e.By), Kind: e.Event.Kind()}
	switch v := e.Event.(type) {
	case *Signaled:
		m.Name, m.Value = v.Name, shownPayload(v.Value)
	case *CancelRequested:
		m.Name = v.Reason
	case *UpdateAccepted:
		m.Name, m.Value = v.Name, shownPayload(v.Input)
		r.asked[v.Update] = m
	case *UpdateCompleted:
		if m := r.asked[v.Update]; m != nil {
			m.Answer = shownPayload(v.Result)
		}
		return
	case *UpdateFailed:
		if m := r.asked[v.Update]; m != nil {
			m.Failure = shownPayload(v.Failure)
		}
		return
	default:
		return
	}
	r.Told = append(r.Told, m)
}

// shownPayload is a payload as JSON: its value, or why it is not to be seen.
func shownPayload(p Payload) json.RawMessage {
	switch {
	case p.Absent():
		return nil
	case p.Redacted():
		return json.RawMessage(`{"redacted":true}`)
	case p.Encoding == "":
		return p.Data
	}
	text, err := json.Marshal(struct {
		Encoding string          `json:"encoding"`
		Data     json.RawMessage `json:"data"`
	}{p.Encoding, p.Data})
	if err != nil {
		return json.RawMessage(`{"redacted":true}`)
	}
	return text
}
