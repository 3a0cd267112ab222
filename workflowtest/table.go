package workflowtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/replay"
)

// note is what there is to say of an entry.
type note struct {
	seq  uint64
	text string
}

// notes are what an error says of entries.
func notes(err error) []note {
	var m *replay.Mismatch
	if !errors.As(err, &m) {
		return nil
	}
	return []note{{m.Seq, m.Why}}
}

// Of a long history a table shows how it begins, what stands around notes, and how it ends.
const (
	whole     = 40 // entries that are not cut
	beginning = 3
	around    = 6 // before and behind a note
	ending    = 10
)

// table is a history for people. Entries with a note are marked, and the note stands below.
func table(entries []history.Entry, notes ...note) string {
	rows := [][5]string{{"seq", "time", "kind", "step", "what"}}
	for _, e := range entries {
		step, what := tell(e)
		at := e.At.Sub(entries[0].At).Round(time.Microsecond)
		rows = append(rows, [5]string{fmt.Sprint(e.Seq), at.String(), e.Event.Kind(), step, what})
	}
	shown := shows(entries, notes)
	var widths [5]int
	for i, row := range rows {
		for c := range row[:4] {
			if i == 0 || shown[i-1] {
				widths[c] = max(widths[c], len(row[c]))
			}
		}
	}
	var b strings.Builder
	left := 0 // entries that are not shown
	for i, row := range rows {
		if i > 0 && !shown[i-1] {
			left++
			continue
		}
		gap(&b, left)
		left = 0
		line := fmt.Sprintf("  %-*s  %-*s  %-*s  %-*s  %s", widths[0], row[0], widths[1], row[1], widths[2], row[2], widths[3], row[3], row[4])
		line = strings.TrimRight(line, " ")
		if i == 0 {
			b.WriteString(line + "\n")
			continue
		}
		remark(&b, line, entries[i-1].Seq, notes)
	}
	gap(&b, left)
	return b.String()
}

func gap(b *strings.Builder, left int) {
	if left == 1 {
		b.WriteString("  … 1 entry …\n")
	} else if left > 1 {
		fmt.Fprintf(b, "  … %d entries …\n", left)
	}
}

// remark writes the line of an entry with its notes.
func remark(b *strings.Builder, line string, seq uint64, notes []note) {
	marked := false
	for _, n := range notes {
		marked = marked || n.seq == seq
	}
	if marked {
		line = "▶" + line[1:]
	}
	b.WriteString(line + "\n")
	for _, n := range notes {
		if n.seq == seq {
			fmt.Fprintf(b, "  ╰─ %s\n", n.text)
		}
	}
}

// shows says which entries are shown.
func shows(entries []history.Entry, notes []note) []bool {
	n := len(entries)
	shown, rest := make([]bool, n), whole-beginning
	if len(notes) > 0 {
		rest = ending
	}
	for i := range entries {
		shown[i] = n <= whole || i < beginning || i >= n-rest
		for _, note := range notes {
			seq := entries[i].Seq
			shown[i] = shown[i] || seq+around >= note.seq && seq <= note.seq+around
		}
	}
	return shown
}

// tell says which step an entry is about, and what of it.
func tell(e history.Entry) (step, what string) {
	switch v := e.Event.(type) {
	case *history.Started:
		return "", v.Type + " " + brief(v.Input)
	case *history.ActivityScheduled:
		return number(v.Step), v.Name + " " + brief(v.Input)
	case *history.ActivityCompleted:
		return number(v.Step), try(v.Try) + brief(v.Result)
	case *history.AttemptFailed:
		return number(v.Step), try(v.Try) + reason(v.Limit, v.Failure) + "; again after " + v.RetryAt.Sub(e.At).String()
	case *history.ActivityFailed:
		return number(v.Step), try(v.Try) + reason("", v.Failure) + " (" + v.Final + ")"
	case *history.ActivityTimedOut:
		return number(v.Step), try(v.Try) + reason(v.Limit, v.Failure)
	case *history.Heartbeat:
		return number(v.Step), try(v.Try) + brief(v.Checkpoint)
	case *history.TimerStarted:
		return number(v.Step), v.After.String()
	case *history.Completed:
		return "", brief(v.Result)
	case *history.Failed:
		return "", reason("", v.Failure)
	case *history.Paused:
		if v.LimitsHeld {
			return "", strings.TrimSpace(v.Reason + " (limits of time are held)")
		}
		return "", v.Reason
	case *history.TriedAgain:
		return "", v.Reason
	case *history.Moved:
		return fmt.Sprint(v.Version), v.Reason
	case *history.AttributesChanged:
		return "", v.Reason
	case *history.MemoChanged:
		return "", v.Reason
	case *history.ActivityChanged:
		return "", v.Reason
	case *history.PolicyApplied:
		return number(v.Step), v.Reason
	case *history.Unpaused:
		if v.Held > 0 {
			return "", strings.TrimSpace(fmt.Sprintf("%s (limits of time were held for %s)", v.Reason, v.Held))
		}
		return "", v.Reason
	case *history.Stalled:
		reason, more, _ := strings.Cut(v.Reason, "\n")
		if more != "" {
			reason += " …"
		}
		return "", reason
	}
	return tellMessage(e)
}

// tellMessage is tell for what executions have to do with each other and with clients.
func tellMessage(e history.Entry) (step, what string) {
	switch v := e.Event.(type) {
	case *history.Signaled:
		return "", v.Name + " " + brief(v.Value)
	case *history.ChildAsked:
		return number(v.Step), fmt.Sprintf("%s (%s) %s", v.ID, v.Type, brief(v.Input))
	case *history.ChildClosed:
		return number(v.Step), v.Status.String() + " " + brief(v.Result) + reason("", v.Failure)
	case *history.SendAsked:
		return number(v.Step), v.Name + " to " + v.ID + " " + brief(v.Value)
	case *history.FindAsked:
		return number(v.Step), brief(v.Query)
	case *history.FindAnswered:
		if v.Refused != "" {
			return number(v.Step), v.Refused
		}
		return number(v.Step), strings.TrimSpace(fmt.Sprintf("%d %s", v.Found, brief(v.Rows)))
	case *history.UpdateAccepted:
		return "", v.Name + " " + v.Update + " " + brief(v.Input)
	case *history.UpdateCompleted:
		return "", v.Update + " " + brief(v.Result)
	case *history.UpdateFailed:
		return "", v.Update + " " + reason("", v.Failure)
	case *history.Kept:
		return "", v.Name + " " + brief(v.Value)
	}
	return other(e)
}

// other tells of an entry that has no sentence of its own.
func other(e history.Entry) (step, what string) {
	var written struct {
		Event map[string]json.RawMessage `json:"event"`
	}
	if json.Unmarshal(history.AppendEntry(nil, e), &written) != nil {
		return "", ""
	}
	step = string(written.Event["step"])
	delete(written.Event, "step")
	for field, p := range history.Payloads(e.Event) { // instead of its sum
		written.Event[field] = p.Data
	}
	if len(written.Event) > 0 {
		text, _ := json.Marshal(written.Event) // it was read from JSON
		what = brief(history.JSON(text))
	}
	return step, what
}

func number(s history.Step) string { return fmt.Sprint(uint64(s)) }

func try(t history.Try) string {
	if t.Attempt == 1 {
		return ""
	}
	return fmt.Sprintf("attempt %d: ", t.Attempt)
}

func reason(limit string, failure history.Payload) string {
	var parts []string
	if limit != "" {
		parts = append(parts, "the limit "+limit+" passed")
	}
	if !failure.Absent() {
		parts = append(parts, history.ReadFailure(failure).Message)
	}
	return strings.Join(parts, ", after ")
}

func brief(p history.Payload) string {
	const longest = 80
	switch {
	case p.Redacted():
		return "redacted"
	case p.Closed():
		return "closed (" + p.Encoding + ")"
	}
	text := string(p.Data)
	if r := []rune(text); len(r) > longest {
		text = string(r[:longest]) + "…"
	}
	return text
}
