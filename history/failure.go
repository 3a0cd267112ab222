package history

import "encoding/json"

// Failure is an error in a history: a tree of messages, each with the code by which its kind is known on both sides of
// the log.
type Failure struct {
	Message   string          `json:"message"`
	Code      string          `json:"code,omitempty"`   // of a registered error
	Fields    json.RawMessage `json:"fields,omitempty"` // of a registered type
	Final     bool            `json:"final,omitempty"`  // marked as not to be retried
	Activity  string          `json:"activity,omitempty"`
	Attempts  int             `json:"attempts,omitempty"`
	Limit     string          `json:"limit,omitempty"` // a time-out
	Panicked  bool            `json:"panicked,omitempty"`
	Cancelled bool            `json:"cancelled,omitempty"`
	Stack     string          `json:"stack,omitempty"` // of a panic
	Causes    []Failure       `json:"causes,omitempty"`
}

// Payload encodes f.
func (f Failure) Payload() Payload {
	data, err := json.Marshal(f)
	if err != nil { // only Fields can be bad, and they are the author's
		f.Fields = nil
		f.Message += " (its fields are no JSON: " + err.Error() + ")"
		return f.Payload()
	}
	return JSON(data)
}

// ReadFailure decodes a failure. What cannot be decoded is a failure that says so.
func ReadFailure(p Payload) Failure {
	switch {
	case p.Redacted():
		return Failure{Message: "redacted"}
	case p.Closed():
		return Failure{Message: closedText(p)}
	}
	var f Failure
	if err := json.Unmarshal(p.Data, &f); err != nil {
		return Failure{Message: "unreadable failure: " + err.Error()}
	}
	return f
}

// Any reports whether ask holds for f or one of its causes.
func (f *Failure) Any(ask func(*Failure) bool) bool {
	if ask(f) {
		return true
	}
	for i := range f.Causes {
		if f.Causes[i].Any(ask) {
			return true
		}
	}
	return false
}
