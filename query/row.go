package query

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/clewflow/clew/history"
)

// Row is what is known of one run. Its JSON keys are promises: rows are recorded and exported.
type Row struct {
	Namespace     string         `json:"namespace"`
	ID            string         `json:"id"` // of the execution
	Run           string         `json:"run"`
	Type          string         `json:"type"`
	Version       int            `json:"version,omitempty"` // of the code that the run is pinned to
	Number        uint64         `json:"number"`            // of the run in the execution, from 1
	Status        Status         `json:"status"`            // one; in JSON its name
	Started       time.Time      `json:"started"`
	Closed        time.Time      `json:"closed,omitzero"`
	Began         uint64         `json:"began"` // Seq of the run's first entry
	Seq           uint64         `json:"seq"`   // of its last entry so far
	Parent        string         `json:"parent,omitempty"`
	Root          string         `json:"root,omitempty"`
	Origin        string         `json:"origin,omitempty"` // kind and, if there is one, id of what began the run: "client", "schedule:daily"
	CorrelationID string         `json:"correlation_id,omitempty"`
	Build         string         `json:"build,omitempty"`      // of the program that last decided an entry
	Waiting       string         `json:"waiting,omitempty"`    // what an open run waits for
	Activities    int            `json:"activities,omitempty"` // not settled
	Timers        int            `json:"timers,omitempty"`     // neither fired nor stopped
	Children      int            `json:"children,omitempty"`   // that have not ended
	Signals       int            `json:"signals,omitempty"`    // accepted
	Entries       int            `json:"entries"`              // of the run
	Failure       string         `json:"failure,omitempty"`    // code of the error that a failed or cancelled run ended with, if it has one
	Attributes    map[string]any `json:"attributes,omitempty"` // text, int64, float64, bool, time, duration or a list of texts
	Memo          map[string]any `json:"memo,omitempty"`       // as JSON decodes it
}

// Page is one answer to a query.
type Page struct {
	Rows     []Row  `json:"rows"`
	Next     string `json:"next,omitempty"` // the After of the next page; empty: this is the last one
	Position uint64 `json:"position"`       // in the log, up to which the answer holds
}

// bare is a Row without methods, for JSON.
type bare Row

type named struct {
	bare
	Status string `json:"status"`
}

// MarshalJSON writes the status by its name.
func (r Row) MarshalJSON() ([]byte, error) {
	return json.Marshal(named{bare: bare(r), Status: r.Status.String()})
}

// UnmarshalJSON reads what [Row.MarshalJSON] wrote.
func (r *Row) UnmarshalJSON(data []byte) error {
	var n named
	if err := json.Unmarshal(data, &n); err != nil {
		return fmt.Errorf("query: reading a row: %w", err)
	}
	*r = Row(n.bare)
	r.Status = 0
	for name := range strings.SplitSeq(n.Status, ",") {
		status, ok := history.ParseStatus(name)
		if !ok && name != "" {
			return fmt.Errorf("query: reading a row: no status is called %q", name)
		}
		r.Status |= status
	}
	return nil
}
