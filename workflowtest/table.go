package workflowtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/clewflow/clew/history"
)

// table is a history for people.
func table(entries []history.Entry) string {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  seq\ttime\tkind\tstep\twhat")
	for _, e := range entries {
		step, what := tell(e)
		at := e.At.Sub(entries[0].At).Round(time.Microsecond)
		fmt.Fprintf(w, "  %d\t%s\t%s\t%s\t%s\n", e.Seq, at, e.Event.Kind(), step, what)
	}
	_ = w.Flush() // into memory
	return b.String()
}

// tell says which step an entry is about, and what of it.
func tell(e history.Entry) (step, what string) {
	switch v := e.Event.(type) {
	case *history.Started:
		return "", v.Type + " " + brief(v.Input)
	case *history.Signaled:
		return "", v.Name + " " + brief(v.Value)
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
	case *history.Stalled:
		return "", v.Reason
	}
	return other(e)
}

// other tells of an entry that has no sentence of its own.
func other(e history.Entry) (step, what string) {
	var written struct {
		Event map[string]any `json:"event"`
	}
	if json.Unmarshal(history.AppendEntry(nil, e), &written) != nil {
		return "", ""
	}
	if n, ok := written.Event["step"]; ok {
		step = fmt.Sprint(n)
	}
	delete(written.Event, "step")
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
	text := string(p.Data)
	if r := []rune(text); len(r) > longest {
		text = string(r[:longest]) + "…"
	}
	return text
}
