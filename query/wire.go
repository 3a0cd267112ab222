package query

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/clewflow/clew/history"
)

// wire is a query as JSON. Its keys are promises: what workflows ask is recorded.
type wire struct {
	Namespace     string    `json:"namespace,omitempty"`
	Type          string    `json:"type,omitempty"`
	ID            string    `json:"id,omitempty"`
	IDPrefix      string    `json:"id_prefix,omitempty"`
	Run           string    `json:"run,omitempty"`
	Status        string    `json:"status,omitempty"`
	Parent        string    `json:"parent,omitempty"`
	Origin        string    `json:"origin,omitempty"`
	CorrelationID string    `json:"correlation_id,omitempty"`
	Since         time.Time `json:"since,omitzero"`
	Until         time.Time `json:"until,omitzero"`
	Last          string    `json:"last,omitempty"`
	ClosedSince   time.Time `json:"closed_since,omitzero"`
	ClosedUntil   time.Time `json:"closed_until,omitzero"`
	Where         string    `json:"where,omitempty"`
	Now           time.Time `json:"now,omitzero"`
	AsOfPosition  uint64    `json:"as_of_position,omitempty"`
	AsOfTime      time.Time `json:"as_of_time,omitzero"`
	Known         bool      `json:"known,omitempty"`
	Unseen        bool      `json:"unseen,omitempty"`
	Order         string    `json:"order,omitempty"`
	Limit         int       `json:"limit,omitempty"`
	After         string    `json:"after,omitempty"`
	Most          int       `json:"most,omitempty"`
	Within        string    `json:"within,omitempty"`
	Stale         bool      `json:"stale,omitempty"`
}

// MarshalJSON leaves out what is not set; statuses are written by their names, durations as Go writes them, times in UTC. So equal
// questions are equal texts.
func (q Query) MarshalJSON() ([]byte, error) {
	w := wire{
		Namespace: q.Namespace, Type: q.Type, ID: q.ID, IDPrefix: q.IDPrefix, Run: q.Run, Parent: q.Parent, Origin: q.Origin, CorrelationID: q.CorrelationID,
		Since: utc(q.Since), Until: utc(q.Until), Last: span(q.Last), ClosedSince: utc(q.ClosedSince), ClosedUntil: utc(q.ClosedUntil), Where: q.Where,
		Now: utc(q.Now), AsOfPosition: q.AsOf.Position, AsOfTime: utc(q.AsOf.Time), Known: q.Known, Unseen: q.Unseen, Order: q.Order, Limit: q.Limit, After: q.After, Most: q.Most, Within: span(q.Within), Stale: q.Stale,
	}
	if q.Status != 0 {
		w.Status = q.Status.String()
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // people read it
	if err := e.Encode(w); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// UnmarshalJSON reads what [Query.MarshalJSON] wrote.
func (q *Query) UnmarshalJSON(data []byte) error {
	var w wire
	if err := json.Unmarshal(data, &w); err != nil {
		return fmt.Errorf("query: reading a query: %w", err)
	}
	*q = Query{
		Namespace: w.Namespace, Type: w.Type, ID: w.ID, IDPrefix: w.IDPrefix, Run: w.Run, Parent: w.Parent, Origin: w.Origin, CorrelationID: w.CorrelationID,
		Since: w.Since, Until: w.Until, ClosedSince: w.ClosedSince, ClosedUntil: w.ClosedUntil, Where: w.Where,
		Now: w.Now, AsOf: AsOf{Position: w.AsOfPosition, Time: w.AsOfTime}, Known: w.Known, Unseen: w.Unseen, Order: w.Order, Limit: w.Limit, After: w.After, Most: w.Most, Stale: w.Stale,
	}
	var err error
	if q.Status, err = statusSet(w.Status); err == nil {
		q.Last, err = spanOf(w.Last)
	}
	if err == nil {
		q.Within, err = spanOf(w.Within)
	}
	if err != nil {
		return fmt.Errorf("query: reading a query: %w", err)
	}
	return nil
}

func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}

func span(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

func spanOf(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	return time.ParseDuration(text)
}

// statusSet reads the names of a set of statuses; empty: none.
func statusSet(names string) (set Status, err error) {
	for name := range strings.SplitSeq(names, ",") {
		status, ok := history.ParseStatus(name)
		if !ok && name != "" {
			return 0, fmt.Errorf("no status is called %q", name)
		}
		set |= status
	}
	return set, nil
}
