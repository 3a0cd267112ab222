package history

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestAnOverviewHasWhatBecameOfEachStep: with its attempts, in the run that asked for it.
func TestAnOverviewHasWhatBecameOfEachStep(t *testing.T) {
	at := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	var entries []Entry
	add := func(by Actor, e Event) {
		entries = append(entries, Entry{Seq: uint64(len(entries) + 1), At: at.Add(time.Duration(len(entries)) * time.Second), By: by, Event: e})
	}
	p := StandardPolicy
	try := func(n int) Try { return Try{Step: 1, Serial: Serial(n), Attempt: n, Started: at.Add(time.Second)} }
	add(Client, &Started{Run: "r1", Chain: "r1", Number: 1, Type: "order", Input: JSON([]byte(`"chair"`)), Parent: Parent{ID: "shop", Step: 4}})
	add(Code, &ActivityScheduled{Step: 1, Name: "charge", Input: JSON([]byte(`7`)), Policy: &p})
	add(Worker, &Heartbeat{Try: try(1), Checkpoint: JSON([]byte(`{"row":3}`))})
	add(Worker, &AttemptFailed{Try: try(1), Failure: Failure{Message: "busy"}.Payload(), RetryAt: at.Add(time.Minute)})
	add("client:ann", &Signaled{Name: "hurry", Value: JSON([]byte(`true`))})
	add(Worker, &ActivityCompleted{Try: try(2), Result: Payload{Sum: Sum{1}}})
	add(Code, &ChildAsked{Step: 2, ID: "order~2", Type: "parcel"})
	add(Clock, &ChildClosed{Step: 2, Run: "c", Status: StatusFailed, Failure: Failure{Message: "lost"}.Payload()})
	add(Code, &Failed{Failure: Failure{Message: "no parcel"}.Payload()})
	add(Client, &Started{Run: "r2", Chain: "r2", Number: 2, Type: "order"})
	add(Code, &TimerStarted{Step: 1, After: time.Hour, Due: at.Add(2 * time.Hour)})

	o := OverviewOf(entries)
	require.Len(t, o.Runs, 2)
	first := o.Runs[0]
	require.Equal(t, []any{"failed", "shop", Step(4), uint64(1), uint64(9), 8.0, `"chair"`}, []any{first.Status, first.Parent, first.Of, first.First, first.Last, first.Seconds, string(first.Input)})
	require.Contains(t, string(first.Failure), "no parcel")
	require.Len(t, first.Steps, 2)
	charge := first.Steps[0]
	require.Equal(t, []any{"activity", "charge", "completed", 4.0, `{"redacted":true}`}, []any{charge.Kind, charge.Name, charge.Status, charge.Seconds, string(charge.Result)})
	require.Len(t, charge.Attempts, 2)
	require.Equal(t, []any{"failed", 1, `{"row":3}`, 2.0}, []any{charge.Attempts[0].Status, charge.Attempts[0].Heartbeats, string(charge.Attempts[0].Checkpoint), charge.Attempts[0].Seconds})
	require.Equal(t, "completed", charge.Attempts[1].Status)
	require.Equal(t, []any{"child", "order~2", "failed"}, []any{first.Steps[1].Kind, first.Steps[1].ID, first.Steps[1].Status})
	require.Equal(t, []any{"hurry", "client:ann", "true"}, []any{first.Told[0].Name, first.Told[0].By, string(first.Told[0].Value)})
	second := o.Runs[1]
	require.Equal(t, []any{"running", "timer", "open"}, []any{second.Status, second.Steps[0].Kind, second.Steps[0].Status})
	require.Contains(t, second.Waiting, "timer until 2026-01-02T14:00:00Z")
	text, err := json.Marshal(o)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(text), `{"runs":[{"run":"r1","number":1,"type":"order","parent":"shop","of":4,"status":"failed","started":"2026-01-02T12:00:00Z"`))
}
