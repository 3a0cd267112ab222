package query

import (
	"encoding/json"
	"fmt"
	"time"
)

// Row is what is known of one run. Its JSON keys are promises: rows are recorded and exported. In JSON what is empty is left
// out, the status is its name, and attributes have the form of [AttributeJSON], so that a row that is read again is the same.
type Row struct {
	Namespace     string         `json:"namespace"`
	ID            string         `json:"id"`                       // of the execution
	Run           string         `json:"run"`                      // id of the run
	Type          string         `json:"type"`                     // of the workflow
	Version       int            `json:"version,omitempty"`        // of the code that the run is pinned to
	Number        uint64         `json:"number"`                   // of the run in the execution, from 1
	Status        Status         `json:"status"`                   // one
	Started       time.Time      `json:"started"`                  // when the run was recorded, which is before its delay, if it has one
	Closed        time.Time      `json:"closed,omitzero"`          // zero: the run is open
	Deadline      time.Time      `json:"deadline,omitzero"`        // of the run or the execution, whichever is first; zero: none
	Began         uint64         `json:"began"`                    // Seq of the run's first entry
	Seq           uint64         `json:"seq"`                      // of its last entry so far
	Parent        string         `json:"parent,omitempty"`         // id of the execution whose child this one is
	Root          string         `json:"root,omitempty"`           // id of the topmost parent; empty: there is none
	Origin        string         `json:"origin,omitempty"`         // kind and, if there is one, id of what began the run: "client", "schedule:daily"
	CorrelationID string         `json:"correlation_id,omitempty"` // as given at the start
	Build         string         `json:"build,omitempty"`          // of the program that last decided an entry
	Waiting       string         `json:"waiting,omitempty"`        // what an open run waits for, for people: "2 activities, 1 timer"
	Activities    int            `json:"activities,omitempty"`     // not settled
	Timers        int            `json:"timers,omitempty"`         // neither fired nor stopped
	Children      int            `json:"children,omitempty"`       // of which something is to be done or told; none once the run has closed
	Signals       int            `json:"signals,omitempty"`        // accepted so far, with those that the run before has left
	Wake          time.Time      `json:"wake,omitzero"`            // when something is due in an open run, where the log says so
	Progressed    time.Time      `json:"progressed,omitzero"`      // when its code was told something last, or asked for something
	Attempts      int            `json:"attempts,omitempty"`       // of activities that came to nothing since
	Entries       int            `json:"entries"`                  // of the run so far
	Depth         int            `json:"depth,omitempty"`          // how many executions stand above it: 0 without a parent, 1 for a child, 2 for a child of one
	Unread        int            `json:"unread,omitempty"`         // signals that its code has not received; see [history.State]
	Attempt       int            `json:"attempt,omitempty"`        // the highest number of an attempt of a pending activity, from 1; 0: none is pending
	Queues        []string       `json:"queues,omitempty"`         // that its pending activities name, each once; the default one has no name
	Patches       []string       `json:"patches,omitempty"`        // the gates that it has passed as new code: workflow.Patched and Variant
	Halted        bool           `json:"halted,omitempty"`         // it is open, and a rule of an operator's halts all runs of its workflow or its namespace
	Held          bool           `json:"held,omitempty"`           // nothing of the execution may be taken away
	Failure       string         `json:"failure,omitempty"`        // code of the error that a failed or cancelled run ended with, if it has one that can be read
	Attributes    map[string]any `json:"attributes,omitempty"`     // as they are now: text, int64, float64, bool, time, duration or []string
	Memo          map[string]any `json:"memo,omitempty"`           // as JSON decodes it; none if it is closed
}

// Page is one answer to a query.
type Page struct {
	Rows     []Row  `json:"rows"`
	Next     string `json:"next,omitempty"` // the After of the next page; empty: this is the last one
	Position uint64 `json:"position"`       // in the log, up to which the answer holds

	// Unknown are the attributes, members of the memo and fields of the input that were asked about and that no run has.
	Unknown []string `json:"unknown,omitempty"`
}

// bare is a Row without methods, for JSON.
type bare Row

type named struct {
	bare
	Status     string                     `json:"status"`
	Attributes map[string]json.RawMessage `json:"attributes,omitempty"`
}

// MarshalJSON writes the status by its name, and attributes so that their types are known.
func (r Row) MarshalJSON() ([]byte, error) {
	n := named{bare: bare(r), Status: r.Status.String(), Attributes: make(map[string]json.RawMessage, len(r.Attributes))}
	for name, v := range r.Attributes {
		text, err := AttributeJSON(v)
		if err != nil {
			return nil, fmt.Errorf("query: writing the attribute %s of a row: %w", name, err)
		}
		n.Attributes[name] = text
	}
	return json.Marshal(n)
}

// UnmarshalJSON reads what [Row.MarshalJSON] wrote.
func (r *Row) UnmarshalJSON(data []byte) error {
	var n named
	if err := json.Unmarshal(data, &n); err != nil {
		return fmt.Errorf("query: reading a row: %w", err)
	}
	*r = Row(n.bare)
	var err error
	if r.Status, err = statusSet(n.Status); err != nil {
		return fmt.Errorf("query: reading a row: %w", err)
	}
	if len(n.Attributes) > 0 {
		r.Attributes = make(map[string]any, len(n.Attributes))
	}
	for name, text := range n.Attributes {
		v, err := ReadAttribute(text)
		if err != nil {
			return err
		}
		r.Attributes[name] = v
	}
	return nil
}
