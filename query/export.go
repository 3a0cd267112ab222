package query

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strconv"
	"time"
)

// WriteJSON writes a line of JSON for each row.
func WriteJSON(w io.Writer, rows iter.Seq2[Row, error]) error {
	for row, err := range rows {
		if err != nil {
			return err
		}
		line, err := json.Marshal(row)
		if err != nil {
			return err
		}
		if _, err := w.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return nil
}

// csvColumns are the columns of [WriteCSV]; attributes and memo are one JSON object each, queues and patches a JSON array. They may grow at the end.
var csvColumns = []string{
	"namespace", "id", "run", "type", "version", "number", "status", "started", "closed", "deadline", "parent", "root", "origin", "correlation_id", "build",
	"waiting", "activities", "timers", "children", "signals", "wake", "progressed", "attempts", "entries", "failure", "attributes", "memo",
	"depth", "unread", "attempt", "queues", "patches", "held", "halted",
}

// WriteCSV writes rows as CSV (RFC 4180) below a line with the names of the columns. Texts that a spreadsheet would take for a formula
// are not changed: whoever opens the file must have it read as text.
func WriteCSV(w io.Writer, rows iter.Seq2[Row, error]) error {
	out := csv.NewWriter(w)
	if err := out.Write(csvColumns); err != nil {
		return err
	}
	for row, err := range rows {
		if err != nil {
			return err
		}
		fields, err := csvFields(row)
		if err != nil {
			return err
		}
		if err := out.Write(fields); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// listed is a list as a JSON array; nothing if it is empty.
func listed(texts []string) string {
	if len(texts) == 0 {
		return ""
	}
	text, _ := json.Marshal(texts) // which texts always can be
	return string(text)
}

func csvFields(r Row) ([]string, error) {
	at := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.RFC3339Nano)
	}
	var attributes, memo string
	if len(r.Attributes) > 0 {
		all := map[string]json.RawMessage{}
		for name, v := range r.Attributes {
			text, err := AttributeJSON(v)
			if err != nil {
				return nil, fmt.Errorf("query: writing the attribute %s of a row: %w", name, err)
			}
			all[name] = text
		}
		text, err := json.Marshal(all)
		if err != nil {
			return nil, err
		}
		attributes = string(text)
	}
	if len(r.Memo) > 0 {
		text, err := json.Marshal(r.Memo)
		if err != nil {
			return nil, err
		}
		memo = string(text)
	}
	n := strconv.Itoa
	return []string{
		r.Namespace, r.ID, r.Run, r.Type, n(r.Version), strconv.FormatUint(r.Number, 10), r.Status.String(), at(r.Started), at(r.Closed), at(r.Deadline), r.Parent, r.Root,
		r.Origin, r.CorrelationID, r.Build, r.Waiting, n(r.Activities), n(r.Timers), n(r.Children), n(r.Signals), at(r.Wake), at(r.Progressed), n(r.Attempts),
		n(r.Entries), r.Failure, attributes, memo,
		n(r.Depth), n(r.Unread), n(r.Attempt), listed(r.Queues), listed(r.Patches), strconv.FormatBool(r.Held), strconv.FormatBool(r.Halted),
	}, nil
}
