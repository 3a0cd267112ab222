package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/audit"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/socket"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/store/pebble"
	"github.com/clewflow/clew/workflow"
)

var update = flag.Bool("update", false, "write the golden files anew")

// noon is when histories in tests begin.
var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// tool runs the command with args as the process would.
func tool(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, &out, &errs)
	return code, out.String(), errs.String()
}

// read is the output of a command that succeeds.
func read(t *testing.T, args ...string) string {
	t.Helper()
	code, stdout, stderr := tool(t, args...)
	require.Equal(t, succeeded, code, stderr)
	require.Empty(t, stderr)
	return stdout
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), got)
}

// A past is a history that is written by hand.
type past struct {
	entries []history.Entry
	hash    history.Hash
	input   uint64 // the last one
}

// at adds an entry, after noon.
func (p *past) at(after time.Duration, by history.Actor, event history.Event) {
	e := history.Entry{Seq: uint64(len(p.entries) + 1), At: noon.Add(after), By: by, Event: event}
	if e.Seq == 1 {
		e.Build = "b1"
	}
	if event.Role() != history.Input {
		e.Told = p.input // the code is told each input before anything else happens
	} else {
		p.input = e.Seq
	}
	history.Seal(p.hash, &e)
	p.hash = e.Hash
	p.entries = append(p.entries, e)
}

func started(typ string, number uint64) *history.Started {
	return &history.Started{Run: "r-" + typ, Chain: "r-" + typ, Number: number, Type: typ, Origin: history.Origin{Kind: "client"}, Input: value(`{"cents":4200}`)}
}

func value(text string) history.Payload { return history.JSON([]byte(text)) }

func failure(err error) history.Payload { return activity.Record(err).Payload() }

func try(step, attempt int) history.Try {
	return history.Try{Step: history.Step(step), Serial: history.Serial(attempt), Attempt: attempt, Started: noon.Add(time.Second)}
}

func scheduled(step int, name string) *history.ActivityScheduled {
	p := history.StandardPolicy
	return &history.ActivityScheduled{Step: history.Step(step), Name: name, Input: value("4200"), Policy: &p}
}

// order is open: one activity is done, one is tried again, a timer runs.
func order() *past {
	p := &past{}
	p.at(0, history.Client, started("order", 1))
	p.at(0, history.Code, scheduled(1, "order.charge"))
	p.at(1200*time.Millisecond, history.Worker, &history.AttemptFailed{Try: try(1, 1), Failure: failure(errors.New("network down")), RetryAt: noon.Add(2100 * time.Millisecond)})
	for i := range 12 {
		p.at(time.Duration(3+i)*time.Second, history.Worker, &history.Heartbeat{Try: try(1, 2), Beat: noon.Add(time.Duration(3+i) * time.Second), Checkpoint: value(`{"row":` + strings.Repeat("1", i+1) + `}`)})
	}
	p.at(20*time.Second, history.Worker, &history.ActivityCompleted{Try: try(1, 2), Result: value(`"` + strings.Repeat("receipt ", 20) + `"`)})
	p.at(20*time.Second, history.Code, &history.TimerStarted{Step: 2, After: 48 * time.Hour, Due: noon.Add(20*time.Second + 48*time.Hour)})
	p.at(20*time.Second, history.Code, scheduled(3, "order.ship"))
	p.at(25*time.Second, history.Client, &history.Signaled{Name: "hurry\x1b[31m", Value: value(`"now"`)})
	p.at(25*time.Second, history.Code, &history.Told{})
	p.at(30*time.Second, history.Worker, &history.AttemptFailed{Try: try(3, 1), Failure: failure(errors.New("no truck \x1b[2J\u202e")), RetryAt: noon.Add(31 * time.Second)})
	p.at(32*time.Second, history.Worker, &history.AttemptFailed{Try: try(3, 2), Limit: history.StartToClose, RetryAt: noon.Add(time.Minute)})
	return p
}

// refund failed, in its second run.
func refund() *past {
	p := &past{}
	p.at(0, history.Client, started("refund", 1))
	p.at(time.Second, history.Operator, &history.Terminated{Reason: "wrong customer"})
	p.at(time.Minute, history.Client, started("refund", 2))
	p.at(time.Minute, history.Code, scheduled(1, "pay"))
	p.at(time.Minute, history.Code, scheduled(2, "tell"))
	p.at(61*time.Second, history.Worker, &history.ActivityCompleted{Try: try(2, 1)})
	for i := range 20 {
		p.at(time.Duration(62+i)*time.Second, history.Worker, &history.AttemptFailed{Try: try(1, i+1), Failure: failure(errors.New("bank closed")), RetryAt: noon.Add(time.Duration(63+i) * time.Second)})
	}
	declined := activity.NewError("declined", "the bank refuses")
	p.at(2*time.Minute, history.Worker, &history.ActivityFailed{Try: try(1, 21), Failure: failure(declined), Final: "non-retryable"})
	err := &activity.Error{Activity: "pay", Attempts: 21, Code: "declined", Message: "the bank refuses", Cause: declined}
	p.at(2*time.Minute, history.Code, &history.Failed{Failure: failure(err)})
	return p
}

// stalled has code that panics.
func stalled() *past {
	p := &past{}
	p.at(0, history.Client, started("audit", 1))
	detail, _ := history.Encode(map[string]string{"stack": "main.audit()\n\taudit.go:17"})
	p.at(time.Second, history.Code, &history.Stalled{Reason: "the code panicked: index out of range", Detail: detail})
	return p
}

// keep writes histories into a new store.
func keep(t *testing.T, pasts map[string]*past) (dir string) {
	t.Helper()
	dir = t.TempDir()
	log, err := pebble.Open(dir, pebble.Options{Ballast: -1})
	require.NoError(t, err)
	for _, id := range slices.Sorted(maps.Keys(pasts)) {
		require.NoError(t, log.Append(t.Context(), history.ID{Namespace: "default", Workflow: id}, pasts[id].entries...))
	}
	require.NoError(t, log.Close())
	return dir
}

func world(t *testing.T) (dir string) {
	dir = keep(t, map[string]*past{"order-1": order(), "refund-1": refund(), "audit-1": stalled()})
	now = func() time.Time { return noon.Add(40 * time.Second) }
	t.Cleanup(func() { now = time.Now })
	return dir
}

func TestWhatIsPrinted(t *testing.T) {
	dir := world(t)
	for name, args := range map[string][]string{
		"ls":            {"ls"},
		"ls-open":       {"ls", "--status", "open", "--prefix", "order"},
		"show":          {"show", "order-1"},
		"show-payloads": {"show", "order-1", "--payloads"},
		"show-runs":     {"show", "refund-1"},
		"show-run":      {"show", "refund-1", "--run", "1"},
		"why-open":      {"why", "order-1"},
		"why-stalled":   {"why", "audit-1"},
		"why-failed":    {"why", "refund-1"},
		"verify":        {"verify"},
		"help-show":     {"help", "show"},
	} {
		t.Run(name, func(t *testing.T) {
			got := read(t, append(args, "--dir", dir)...)
			golden(t, name, got)
			assert.NotContains(t, got, "\x1b")
			assert.NotContains(t, got, "\u202e")
		})
	}
}

// all holds an entry of every kind.
func all() *past {
	p, far := &past{}, noon.Add(time.Hour)
	begun := started("all", 1)
	begun.Version, begun.BeginAt, begun.RunDeadline, begun.Deadline = 2, noon.Add(time.Second), far, far
	begun.Origin = history.Origin{Kind: "schedule", ID: "daily"}
	queued := scheduled(1, "a")
	queued.Queue = "gpu"
	boom := failure(errors.New("boom"))
	for i, event := range []history.Event{
		begun, &history.Begun{}, queued,
		&history.AttemptStarted{Try: try(1, 1)},
		&history.AttemptStarted{Try: try(1, 1), Pending: true, Checkpoint: value(`1`)},
		&history.Heartbeat{Try: try(1, 1)},
		&history.AttemptOverdue{Try: try(1, 1), Limit: history.StartToClose},
		&history.AttemptLost{Try: try(1, 1)},
		&history.AttemptFailed{Try: try(1, 2), Failure: boom, Checkpoint: value(`2`), RetryAt: far},
		&history.ActivityTimedOut{Try: try(1, 3), Limit: history.ScheduleToClose, Failure: boom},
		scheduled(2, "b"), &history.ActivityCancelRequested{Step: 2},
		scheduled(3, "c"), &history.ActivityCancelled{Try: try(3, 1), Failure: boom},
		scheduled(4, "d"), &history.ActivityFailed{Try: try(4, 1), Failure: boom, Final: "crashed the worker"},
		scheduled(5, "e"), &history.ActivityCompleted{Try: try(5, 1), Result: history.Payload{Sum: value("1").Sum}},
		&history.TimerStarted{Step: 6, After: time.Minute, Due: far}, &history.TimerFired{Step: 6},
		&history.TimerStarted{Step: 7, After: 30 * 24 * time.Hour, Due: far}, &history.TimerCancelled{Step: 7},
		&history.Signaled{Name: "s", Value: value(`"v"`)},
		&history.Kept{Gate: true, Name: "g", Value: value(`true`)}, &history.Kept{Name: "v", Value: value(`3`)},
		&history.Stalled{Reason: "the code\npanicked"}, &history.Resumed{}, &history.Told{},
		&history.FindAsked{Step: 8, Query: value(`{"type":"order"}`)}, &history.FindAnswered{Step: 8, Found: 2, Position: 71, Rows: value(`[{},{}]`)},
		&history.FindAsked{Step: 9, Query: value(`{}`), Count: true}, &history.FindAnswered{Step: 9, Found: 12, Position: 72},
		&history.FindAsked{Step: 10, Query: value(`{}`)},
		&history.FindAnswered{Step: 10, Refused: history.RefusedTooMany, Message: "more than 100000"},
		&history.CancelRequested{Reason: "no need"},
		&history.Cancelled{Failure: boom, Closing: history.Closing{Unread: []uint64{23}, Abandoned: 2}},
	} {
		p.at(time.Duration(i)*time.Second, history.Code, event)
	}
	for i, end := range []history.Event{
		&history.Completed{Result: value(`"done"`)}, &history.Failed{Failure: boom}, &history.Terminated{},
		&history.TimedOut{Limit: "execution"}, &history.TimedOut{Limit: history.HeartbeatLimit, Step: 1},
	} {
		p.at(time.Minute, history.Client, started("all", uint64(i+2)))
		p.at(time.Minute, history.Code, scheduled(1, "a"))
		p.at(2*time.Minute, history.Clock, end)
	}
	return p
}

func TestEveryKindOfEntryHasWords(t *testing.T) {
	var b strings.Builder
	p := newPrinter(&b, false)
	for _, e := range all().entries {
		require.NoError(t, p.print(e))
	}
	require.NoError(t, p.close())
	golden(t, "words", b.String())
	assert.NotContains(t, b.String(), `{"step"`) // which is how an unknown one is told
}

func TestEveryEndIsExplained(t *testing.T) {
	var b strings.Builder
	entries := all().entries
	for len(entries) > 0 {
		n := 1
		for n < len(entries) && entries[n].Event.Kind() != "started" {
			n++
		}
		x := &explanation{id: "x", run: entries[:n], state: history.Fold(entries[:n]...), now: noon}
		b.WriteString(x.String() + "\n")
		entries = entries[n:]
	}
	golden(t, "why-ends", b.String())
}

func TestJSONIsWhatIsRecorded(t *testing.T) {
	dir := world(t)
	want := string(history.Marshal(order().entries))
	assert.Equal(t, want, read(t, "show", "order-1", "--json", "--dir", dir))
	assert.Equal(t, want, read(t, "export", "order-1", "--dir", dir))
	assert.Equal(t, string(history.Marshal(refund().entries[:2])), read(t, "show", "refund-1", "--run", "1", "--json", "--dir", dir))
	rows := strings.Split(strings.TrimSpace(read(t, "ls", "--json", "--type", "refund", "--dir", dir)), "\n")
	require.Len(t, rows, 2)
	assert.Contains(t, rows[0], `"status":"failed"`)
}

func TestListsSayWhenThereIsMore(t *testing.T) {
	dir := world(t)
	code, stdout, stderr := tool(t, "ls", "--limit", "1", "--dir", dir)
	assert.Equal(t, succeeded, code)
	assert.Equal(t, 2, strings.Count(stdout, "\n"))
	assert.Equal(t, "clew: these are the first 1, there are more; give --limit\n", stderr)
	assert.Equal(t, "no executions\n", read(t, "ls", "--id", "gone", "--dir", dir))
	assert.Equal(t, "no executions\n", read(t, "ls", "--namespace", "other", "--dir", dir))
	assert.Equal(t, 2, strings.Count(read(t, "ls", "--since", "2026-01-02T12:01:00Z", "--dir", dir), "\n"))
}

func TestVerifyNamesTheFirstBadEntry(t *testing.T) {
	dir := world(t)
	file := filepath.Join(t.TempDir(), "all.jsonl")
	assert.Empty(t, read(t, "export", "--all", "-o", file, "--dir", dir))
	assert.Equal(t, "52 entries of 3 executions are good\n", read(t, "verify", "--file", file))
	good, err := os.ReadFile(file)
	require.NoError(t, err)
	info, err := os.Stat(file)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	lines := strings.SplitAfter(string(good), "\n")
	require.Contains(t, lines[3], `"id":"order-1"`)
	for name, c := range map[string]struct {
		change func() string
		want   string
	}{
		"a payload":  {func() string { return strings.Replace(string(good), `"now"`, `"not"`, 1) }, `damaged: default/order-1: history: the chain is broken at entry 19: its payload "value" is not the one that was recorded`},
		"a field":    {func() string { return strings.Replace(string(good), `order.ship`, `order.shop`, 1) }, "damaged: default/order-1: history: the chain is broken at entry 18: its hash does not fit its content and its predecessor's hash"},
		"a line":     {func() string { return strings.Replace(string(good), lines[7], "", 1) }, "missing: default/order-1: history: the chain is broken at entry 5: it follows entry 3"},
		"the syntax": {func() string { return strings.Replace(string(good), lines[7], "{]\n", 1) }, "damaged: default/order-1: what follows entry 3 cannot be read: history: unreadable entry"},
		"the order":  {func() string { return strings.Replace(string(good), lines[7]+lines[8], lines[8]+lines[7], 1) }, "missing: default/order-1: history: the chain is broken at entry 5: it follows entry 3"},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(file, []byte(c.change()), 0o600))
			code, stdout, stderr := tool(t, "verify", "--file", file)
			assert.Equal(t, failed, code)
			assert.Empty(t, stderr)
			found, sum, _ := strings.Cut(stdout, "\n")
			assert.Contains(t, found, c.want)
			assert.Equal(t, "30 entries of 2 executions are good; 1 history is bad\n", sum)
		})
	}
	redacted := strings.Replace(string(good), `"payloads":{"value":"\"now\""`, "", 1)
	redacted = strings.Replace(redacted, `"value":"now"`, `"value":null`, 1)
	require.NoError(t, os.WriteFile(file, []byte(redacted), 0o600))
	assert.Equal(t, "52 entries of 3 executions are good, 1 payload is redacted\n", read(t, "verify", "--file", file))
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	code, _, stderr := tool(t, "verify", "--file", file)
	assert.Equal(t, failed, code)
	assert.Contains(t, stderr, "holds no entries")
}

func TestWrongUseAndErrorsAreOneClearLine(t *testing.T) {
	dir := world(t)
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"shw"}, misused, "clew: there is no command \"shw\": did you mean show?\nusage: clew COMMAND; see \"clew --help\"\n"},
		{[]string{"help", "shw"}, misused, "clew: there is no command \"shw\": did you mean show?\n"},
		{[]string{"zzz"}, misused, "clew: there is no command \"zzz\"\n"},
		{[]string{"activity", "retyr", "a"}, misused, "clew: there is no command \"activity retyr\": did you mean retry?\n"},
		{[]string{"policy", "lst"}, misused, "clew: there is no command \"policy lst\": did you mean list?\n"},
		{[]string{"retention", "shw"}, misused, "clew: there is no command \"retention shw\": did you mean show?\n"},
		{[]string{"help", "policy", "lst"}, misused, "clew: there is no command \"policy lst\": did you mean list?\n"},
		{[]string{"feed", "--after", "-1"}, misused, "clew: invalid argument \"-1\" for \"--after\" flag: want a whole number from 0 on\n"},
		{[]string{"ls", "--within", "5"}, misused, "clew: invalid argument \"5\" for \"--within\" flag: want a duration, such as 90s or 1h30m\n"},
		{[]string{"set-variable", "a", "b", "-1"}, misused, "clew: unknown shorthand flag: '1' in -1; what begins with a minus and is no flag stands behind \"--\"\n"},
		{[]string{"activity", "retry", "a", "b"}, misused, "clew: the step is invalid: \"b\", want a number from 1"},
		{[]string{"policy", "set", "activity", "charge", "at-once=x"}, misused, "clew: \"at-once=x\": at-once is invalid: \"x\", want a number\n"},
		{[]string{"policy", "set", "activity", "charge"}, misused, "clew: WORD is missing, such as at-once=3; clew policy remove activity charge takes a policy back\n"},
		{[]string{"policy", "set", "activity", "charge", "at-once=1", "--dry-run"}, misused, "clew: --dry-run goes with --apply-to-pending\n"},
		{[]string{"batch", "pause", "*", "--rate", "0"}, misused, "clew: --rate is 0, want a number above 0\n"},
		{[]string{"batch", "pause", "*", "--most", "0"}, misused, "clew: --most is 0, want 1 or more\n"},
		{[]string{"acts", "--limit", "-1"}, misused, "clew: --limit is -1, want 1 or more, or 0 for all\n"},
		{[]string{"ls", "order-1"}, misused, "STARTS WITH; one execution is asked for with --id order-1\n"},
		{[]string{"show", "a", "--at", "2", "--json"}, misused, "clew: --json and --at exclude each other\n"},
		{[]string{"show", "a", "--overview", "--step", "2"}, misused, "clew: --overview and --step exclude each other\n"},
		{[]string{"show", "order-1", "--at", "999", "--dir", dir}, failed, "clew: the execution order-1 has no entry 999: the last one is "},
		{[]string{"show"}, misused, "clew: the id of an execution is missing\nusage: clew show ID | --erased [flags]; see \"clew show --help\"\n"},
		{[]string{"show", "a", "b"}, misused, "clew: one id is expected, not 2\n"},
		{[]string{"import"}, misused, "clew: one file is expected, not 0\nusage: clew import FILE [flags]; see \"clew import --help\"\n"},
		{[]string{"set-memo", "a"}, misused, "clew: NAME=VALUE is missing\nusage: clew set-memo ID NAME=VALUE… [flags]; see \"clew set-memo --help\"\n"},
		{[]string{"set-memo"}, misused, "clew: the id of an execution is missing\n"},
		{[]string{"activity", "retry", "a"}, misused, "clew: STEP is missing\n"},
		{[]string{"signal", "a", "b", "c", "d"}, misused, "clew: \"d\" is too much\n"},
		{[]string{"ls", "--frob"}, misused, "clew: unknown flag: --frob\nusage: clew ls [QUERY] [flags]; see \"clew ls --help\"\n"},
		{[]string{"ls", "statsu = 1"}, misused, "clew: query: column 1: there is no field statsu, want a field: did you mean status?\n"},
		{[]string{"find", "id = 'x", "--csv"}, misused, "clew: query: column 6: a quote is not closed"},
		{[]string{"ls", "--csv", "--count"}, misused, "exclude each other"},
		{[]string{"ls", "--order", "size"}, misused, "clew: query: Order is 'size', want one of started"},
		{[]string{"ls", "--group-by", "a,b,c"}, misused, "clew: query: the grouping is a, b, c, want one or two fields\n"},
		{[]string{"ls", "--status", "done"}, misused, "clew: --status is \"done\", want open, closed, or of running, paused, "},
		{[]string{"ls", "--since", "3x"}, misused, "clew: --since: \"3x\" is no duration: at character 2 want a unit, one of w, d, h"},
		{[]string{"bench", "frob"}, misused, "clew: there is no bench \"frob\", want one of noop, "},
		{[]string{"bench"}, misused, "clew: one bench is wanted, not 0: noop, "},
		{[]string{"bench", "noop", "--n", "-1"}, misused, "clew: --n and --in-flight want 1 or more, or 0\n"},
		{[]string{"verify", "a", "--file", "b"}, misused, "clew: an id and --file exclude each other\n"},
		{[]string{"show", "gone", "--dir", dir}, failed, "clew: no such execution: gone; see \"clew ls\"\n"},
		{[]string{"why", "gone", "--dir", dir}, failed, "clew: no such execution: gone; see \"clew ls\"\n"},
		{[]string{"verify", "gone", "--dir", dir}, failed, "clew: no such execution: gone; see \"clew ls\"\n"},
		{[]string{"show", "order-1", "--run", "7", "--dir", dir}, failed, "clew: the execution order-1 has no run 7; see \"clew ls --id order-1\"\n"},
		{[]string{"ls", "--dir", filepath.Join(dir, "none")}, failed, "clew: there is no directory " + filepath.Join(dir, "none") + ", want that of a store; give it with --dir or CLEW_STORE\n"},
		{[]string{"ls", "--dir", "memory:"}, failed, "clew: the store memory: cannot be read from here, want a directory or esdb://…; give it with --dir\n"},
		{[]string{"verify", "--file", filepath.Join(dir, "none")}, failed, "clew: opening the export: open "},
	} {
		code, stdout, stderr := tool(t, c.args...)
		assert.Equal(t, c.code, code, c.args)
		assert.Empty(t, stdout, c.args)
		assert.Contains(t, stderr, c.want, c.args)
		assert.Equal(t, c.code, strings.Count(stderr, "\n"), c.args) // one line, and one more for wrong use
	}
	assert.NoDirExists(t, filepath.Join(dir, "none"))
	empty := t.TempDir()
	code, _, stderr := tool(t, "ls", "--dir", empty)
	assert.Equal(t, failed, code)
	assert.Contains(t, stderr, "holds no store")
	left, err := os.ReadDir(empty)
	require.NoError(t, err)
	assert.Empty(t, left)
}

// broken is a pipe whose reader has gone.
type broken struct{}

func (broken) Write([]byte) (int, error) {
	return 0, &os.PathError{Op: "write", Path: "|1", Err: syscall.EPIPE}
}

func TestAReaderMayLeaveEarly(t *testing.T) {
	dir := world(t)
	var stderr bytes.Buffer
	assert.Equal(t, succeeded, run(t.Context(), []string{"show", "order-1", "--dir", dir}, broken{}, &stderr))
	assert.Empty(t, stderr.String())
}

func TestHelpNamesEveryCommand(t *testing.T) {
	all := read(t)
	assert.Equal(t, all, read(t, "help"))
	for _, c := range root().Commands() {
		assert.Contains(t, all, "  "+c.Name()+" ")
		assert.Contains(t, read(t, "help", c.Name()), "Examples:\n  clew "+c.Name(), c.Name())
		for _, sub := range c.Commands() {
			text := read(t, "help", c.Name(), sub.Name())
			assert.Contains(t, text, "Examples:\n  "+sub.CommandPath(), sub.CommandPath())
			about, _, _ := strings.Cut(text, "Usage:")
			for line := range strings.Lines(about) {
				assert.LessOrEqual(t, len([]rune(line)), 121, "%s: %s", sub.CommandPath(), line)
			}
		}
	}
	assert.Contains(t, read(t, "version"), "clew ")
}

func TestTheDirectoryComesFromTheEnvironment(t *testing.T) {
	dir := world(t)
	t.Setenv("CLEW_STORE", dir)
	assert.Contains(t, read(t, "ls"), "order-1")
	t.Setenv("CLEW_NAMESPACE", "other")
	assert.NotContains(t, read(t, "ls"), "order-1")
}

var (
	approve = workflow.NewSignal[string]("approve")
	charge  = activity.Define("charge", func(context.Context, int) (string, error) { return "", errors.New("network down") },
		activity.Retry{Initial: time.Hour, Max: activity.NoCap})
	wait = activity.Define("wait", activity.NoResult(func(ctx context.Context, _ activity.None) error {
		_ = activity.Heartbeat(ctx, "far")
		<-ctx.Done()
		return ctx.Err()
	}), activity.HeartbeatWithin(time.Hour))
	leave = activity.Define("leave", func(ctx context.Context, _ activity.None) (string, error) {
		return "", activity.Pending
	})
	slow = workflow.Define("slow", workflow.NoResult(func(ctx workflow.Context, _ workflow.None) error {
		left := workflow.Begin(ctx, leave, activity.None{})
		if _, err := workflow.Do(ctx, wait, activity.None{}); err != nil {
			return err
		}
		_, err := left.Get(ctx)
		return err
	}))
	buy = workflow.Define("buy", func(ctx workflow.Context, cents int) (string, error) {
		if _, err := approve.Receive(ctx); err != nil {
			return "", err
		}
		return workflow.Do(ctx, charge, cents)
	})
)

// work opens a store with a runtime that works until the test ends, or until stop.
func work(t *testing.T, dir string) (rt *runtime.Runtime, stop func()) {
	t.Helper()
	rt, err := runtime.Open(t.Context(), runtime.Config{Store: dir, Drain: 50 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)}, buy, charge, slow, wait, leave)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- rt.Run(ctx) }()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			assert.NoError(t, <-ran)
			assert.NoError(t, rt.Close())
		}
	}
	t.Cleanup(stop)
	return rt, stop
}

func TestAStoreInUseIsReadThroughItsProcess(t *testing.T) {
	for name, dir := range map[string]string{
		"short": filepath.Join(t.TempDir(), "store"),
		"long":  filepath.Join(t.TempDir(), strings.Repeat("long", 40), "store"),
	} {
		t.Run(name, func(t *testing.T) {
			rt, stop := work(t, dir)
			_, err := runtime.Start(t.Context(), rt, "slow", slow, workflow.None{})
			require.NoError(t, err)
			require.Eventually(t, func() bool {
				why := read(t, "why", "slow", "--dir", dir)
				return strings.Contains(why, "It goes on outside since") && strings.Contains(why, "It is being made since") && strings.Contains(why, "Its last sign of life")
			}, 10*time.Second, 10*time.Millisecond)
			require.NoError(t, rt.Terminate(t.Context(), "slow", runtime.Reason("enough")))
			why := read(t, "why", "slow", "--dir", dir)
			assert.Contains(t, why, "was terminated by client")
			assert.Contains(t, why, "The reason given: enough")
			assert.Contains(t, why, "- attempt 1 of activity wait")
			for _, id := range []string{"b1", "b2"} {
				_, err := runtime.Start(t.Context(), rt, id, buy, 4200)
				require.NoError(t, err)
			}
			require.NoError(t, rt.Signal(t.Context(), "b1", approve.With("ann")))
			require.Eventually(t, func() bool { return strings.Contains(read(t, "show", "b1", "--dir", dir), "network down") }, 10*time.Second, 10*time.Millisecond)
			info, err := os.Stat(filepath.Join(dir, "clew.sock"))
			require.NoError(t, err)
			assert.Equal(t, os.ModeSocket|0o600, info.Mode())

			served := map[string]string{}
			commands := [][]string{{"ls", "--json"}, {"show", "b1"}, {"export", "--all"}, {"verify"}, {"verify", "b2"}}
			for _, args := range commands {
				served[strings.Join(args, " ")] = read(t, append(args, "--dir", dir)...)
			}
			why = read(t, "why", "b1", "--dir", dir)
			assert.Contains(t, why, "attempt 2 of activity charge (step 1)")
			assert.Contains(t, why, "1 attempt before did not complete, the last failed: network down")
			assert.NotContains(t, why, "No process has the store open")
			assert.Contains(t, read(t, "why", "b2", "--dir", dir), "a signal")
			assert.Equal(t, "no executions\n", read(t, "ls", "--namespace", "other", "--dir", dir))
			code, _, stderr := tool(t, "show", "b1", "--namespace", "other", "--dir", dir)
			assert.Equal(t, failed, code)
			assert.Equal(t, "clew: no such execution: b1; see \"clew ls\"\n", stderr)

			stop()
			assert.NoFileExists(t, filepath.Join(dir, "clew.sock"))
			for _, args := range commands {
				assert.Equal(t, served[strings.Join(args, " ")], read(t, append(args, "--dir", dir)...), args)
			}
			assert.Contains(t, read(t, "why", "b1", "--dir", dir), "No process has the store open")
		})
	}
}

func TestAnotherProcessIsAskedWhenTheFirstHasEnded(t *testing.T) {
	all := order().entries
	e := &executions{source: entriesThen{all[:7], fmt.Errorf("%w: gone", socket.ErrInterrupted)}, close: func() error { return nil }}
	e.reopen = func() (*executions, error) {
		return &executions{source: entriesThen{all, nil}, served: true}, nil
	}
	var got []history.Entry
	for entry, err := range e.History(t.Context(), history.ID{}) {
		require.NoError(t, err)
		got = append(got, entry)
	}
	assert.Equal(t, all, got)

	dir := world(t)
	var several sync.WaitGroup
	for range 4 {
		several.Go(func() {
			var out, errs bytes.Buffer
			assert.Equal(t, succeeded, run(t.Context(), []string{"verify", "--dir", dir}, &out, &errs), errs.String())
			assert.Equal(t, "52 entries of 3 executions are good\n", out.String())
		})
	}
	several.Wait()
}

// entriesThen is a history that cannot be read to its end.
type entriesThen struct {
	entries []history.Entry
	err     error
}

func (entriesThen) FindPage(context.Context, query.Query) (query.Page, error) {
	return query.Page{}, nil
}

func (entriesThen) Verify(context.Context, socket.Verification) (r audit.Report, err error) {
	return r, nil
}

func (entriesThen) Acts(context.Context, string, json.RawMessage) (json.RawMessage, error) {
	return nil, nil
}

func (entriesThen) Export(context.Context, io.Writer, socket.Act) error { return nil }

func (entriesThen) Erase(context.Context, socket.Act) (json.RawMessage, error) { return nil, nil }

func (entriesThen) Anchor(context.Context) ([]byte, error) { return nil, nil }

func (entriesThen) Describe(context.Context, history.ID) (d runtime.Description, err error) {
	return d, nil
}

func (x entriesThen) History(context.Context, history.ID, string) iter.Seq2[history.Entry, error] {
	return func(yield func(history.Entry, error) bool) {
		for _, e := range x.entries {
			if !yield(e, nil) {
				return
			}
		}
		if x.err != nil {
			yield(history.Entry{}, x.err)
		}
	}
}

func TestAStoreInUseByWhoDoesNotAnswerIsAnError(t *testing.T) {
	patience = 100 * time.Millisecond
	t.Cleanup(func() { patience = 5 * time.Second })
	dir := t.TempDir()
	log, err := pebble.Open(dir, pebble.Options{Ballast: -1})
	require.NoError(t, err)
	defer log.Close()
	code, _, stderr := tool(t, "ls", "--dir", dir)
	assert.Equal(t, failed, code)
	assert.Contains(t, stderr, "is in use by another process, which does not answer on its socket")
}

func TestDurations(t *testing.T) {
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"1h30m": 90 * time.Minute, "14d": 14 * day, "1d12h": 36 * time.Hour, "PT1H30M": 90 * time.Minute, "P1DT2H": 26 * time.Hour, "P2W": 14 * day, "1.5h": 90 * time.Minute, "250ms": 250 * time.Millisecond,
	} {
		got, err := parseDuration(text)
		assert.NoError(t, err)
		assert.Equal(t, want, got, text)
	}
	for text, want := range map[string]string{
		"": "character 1 want a number", "1": "character 2 want a unit", "1h30": "character 5 want a unit", "-1h": "character 1 want a number", "P1H": "character 3 want a unit", "PT": "character 3 want a number",
		"P1Y": "character 3 want a unit", "1h 2m": "character 3 want a number", "999999999d": "want less than 146 years",
	} {
		_, err := parseDuration(text)
		assert.ErrorContains(t, err, want, text)
	}
	for d, want := range map[time.Duration]string{
		0: "0s", 412 * time.Microsecond: "412µs", 1234567 * time.Microsecond: "1.23s", 62 * time.Second: "1m2s", 10 * time.Minute: "10m", 48 * time.Hour: "2d", 90 * time.Minute: "1h30m", 30*day + 5*time.Hour: "30d5h", -time.Second: "-1s",
	} {
		assert.Equal(t, want, span(d))
	}
}

func TestTextFromOutsideIsHarmless(t *testing.T) {
	assert.Equal(t, `a\x1b[31mü\u202e\u009b\xff`, plain("a\x1b[31mü\u202e\u009b\xff"))
	assert.Equal(t, `{"a":"\u009b\u202eü"}`, printable([]byte("{\"a\":\"\u009b\u202eü\"}")))
	assert.Equal(t, 80, len([]rune(abridged(strings.Repeat("ü", 1000)))))
	assert.Equal(t, "a\\x1b\n\tb", plainLines("a\x1b\n\tb"))
}

// Group is that of nobody: entriesThen knows entries only.
func (entriesThen) Feed(context.Context, string, uint64, bool) iter.Seq2[query.Changed, error] {
	return func(func(query.Changed, error) bool) {}
}

func (entriesThen) Measure(context.Context, query.Query, string, ...string) (query.Measures, error) {
	return query.Measures{}, errors.New("nobody counts here")
}

func (entriesThen) Group(context.Context, query.Query, ...string) (query.Groups, error) {
	return query.Groups{}, errors.New("nobody counts here")
}

// Operate is that of nobody, too.
func (entriesThen) Operate(context.Context, socket.Act) (string, error) {
	return "", errors.New("nobody acts here")
}
