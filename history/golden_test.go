package history

import (
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the golden files; what was released must not change")

var when = time.Date(2026, 1, 2, 3, 4, 5, 600_000_000, time.UTC)

func text(s string) Payload { return JSON([]byte(strconv.Quote(s))) }

// full holds every kind of event with all fields set.
func full() []Event {
	try := Try{Step: 3, Serial: 1767323045600000, Attempt: 2, Started: when}
	closing := Closing{Unread: []uint64{4, 7}, Abandoned: 2, Children: 1}
	from := func(asked, definition Fields) Sources {
		return Sources{
			Recorded: true, Asked: asked, Definition: definition, Rules: []Part{{OfNamespace, 3, false, BackoffField}, {OfActivity, 7, true, PriorityField | WeightField}},
		}
	}
	policy := &Policy{
		ScheduleToStart: time.Minute, StartToClose: 90 * time.Second, ScheduleToClose: 36 * time.Hour, Heartbeat: 1500 * time.Millisecond,
		Retry:      Retry{MaxAttempts: 5, Backoff: Linear, Initial: 2 * time.Second, Factor: 1.5, Max: 10 * time.Minute, Jitter: 0.1},
		NeverRetry: []string{"declined", "fraud"}, OnTimeout: ThenAlert, OnCancel: WaitCancelled,
		Admission: Admission{Limits: []string{"bank"}, Key: "customer-7", Priority: 1, Weight: 4, WhenFull: Refused}, Version: 7, From: from(HeartbeatField|MaxAttemptsField, JitterField|QueueField),
	}
	rule := Rule{
		All: Limit{AtOnce: 3, None: true, Rate: 100, Per: 10 * time.Second}, Key: Limit{AtOnce: 2, None: true, Rate: 5, Per: time.Second},
		ScheduleToStart: time.Minute, StartToClose: 90 * time.Second, ScheduleToClose: 36 * time.Hour, Heartbeat: 1500 * time.Millisecond,
		Retry:     Retry{MaxAttempts: 5, Backoff: Linear, Initial: 2 * time.Second, Factor: 1.5, Max: -1, Jitter: 0.1},
		OnTimeout: ThenAlert, Priority: 2, Weight: 4, Force: true, Halt: true, RunTimeout: 1, ExecutionTimeout: 1,
	}
	return []Event{
		&Started{
			ID: ID{"shop", "order-1"}, Run: "r2", Chain: "r1", Number: 2, Type: "order", Version: 3, Input: text("I-1"), Seed: 1<<64 - 1,
			Origin: Origin{Kind: "schedule", ID: "daily"}, BeginAt: when, RunDeadline: when.Add(time.Hour), Deadline: when.Add(24 * time.Hour),
			CorrelationID: "c-9", Memo: JSON([]byte(`{"m":1}`)), Attributes: JSON([]byte(`{"a":2}`)),
			Headers: JSON([]byte(`{"trace":"t-1"}`)), Parent: Parent{ID: "sweep-7", Run: "r8", Chain: "r5", Step: 4, OnClose: TerminateChild},
			Root: "sweep-1", Depth: 2, Pinned: true, Route: "label beta", RunTimeout: time.Hour, From: from(RunTimeoutField, ExecutionTimeoutField), HadChildren: true, Budget: Budget{100, 1 << 20, 50}, Carried: []Range{{3, 5}, {9, 9}},
			Updates: []CarriedUpdate{{"u-1", 7}, {"u-2", 8}}, Reason: "the bank is back", OnFailure: OnFailure{"mourn", true},
			Key: "customer-7", Queued: true, Replaces: Replaced{"order-0", "r0"},
			Adopts: &Adoption{
				Run: "r6", From: 40, Cut: 48, Left: []uint64{46}, Again: []Range{{50, 50}, {52, 53}}, Resume: true,
				Past: []Past{{"r5", 5, 1 << 60, when, when.Add(time.Hour), 2}, {"r6", 6, 7, when.Add(time.Minute), when.Add(time.Hour), 4}},
			},
		},
		&Begun{RunDeadline: when.Add(time.Hour)},
		&CancelRequested{Reason: "no longer wanted"},
		&Completed{Result: text("R-1"), Closing: closing},
		&Failed{Failure: text("E-1"), Closing: closing},
		&Cancelled{Failure: text("E-1"), Closing: closing},
		&Terminated{Reason: "by hand", Closing: closing},
		&TimedOut{Limit: "run", Step: 3, Closing: closing},
		&Continued{Closing: closing},
		&ActivityScheduled{Step: 3, Name: "charge", Queue: "gpu", Input: text("I-1"), Policy: policy, Local: true, Watch: true},
		&AttemptStarted{Try: try, Node: "n-1", Pending: true, Checkpoint: text("half")},
		&Heartbeat{Try: try, Beat: when.Add(time.Second), Checkpoint: text("half")},
		&ActivityProgressed{Heartbeat{Try: try, Beat: when.Add(time.Second), Checkpoint: text("half")}},
		&AttemptFailed{Try: try, Limit: HeartbeatLimit, Failure: text("E-1"), Checkpoint: text("half"), RetryAt: when.Add(time.Minute)},
		&AttemptLost{Try: try},
		&AttemptOverdue{Try: try, Limit: StartToClose},
		&ActivityCompleted{Try: try, Result: text("R-1"), Reason: "by hand"},
		&ActivityFailed{Try: try, Failure: text("E-1"), Checkpoint: text("half"), Final: "attempts", Reason: "by hand"},
		&ActivityTimedOut{Try: try, Limit: ScheduleToClose, Failure: text("E-1"), Checkpoint: text("half")},
		&ActivityCancelRequested{Step: 3},
		&ActivityCancelled{Try: try, Failure: text("E-1"), Checkpoint: text("half")},
		&TimerStarted{Step: 3, After: 90 * time.Second, Due: when.Add(90 * time.Second)},
		&TimerFired{Step: 3},
		&TimerCancelled{Step: 3},
		&Signaled{Name: "paid", Value: text("12 €, <b>\"& more\"</b>")},
		&Kept{Gate: true, Name: "v2", Call: 3, Value: text("new")},
		&AttributesSet{Attributes: JSON([]byte(`{"a":3,"b":null}`))},
		&Published{View: JSON([]byte(`{"phase":"shipping"}`))},
		&ChildAsked{
			Step: 3, ID: "order-1~1.3", Type: "parcel", Version: 2, Input: text("I-1"), OnParentClose: AbandonChild, OnCancel: WaitCancelled,
			RunTimeout: time.Minute, ExecutionTimeout: time.Hour, CorrelationID: "c-9", Memo: JSON([]byte(`{"m":1}`)),
			Attributes: JSON([]byte(`{"a":2}`)), Headers: JSON([]byte(`{"trace":"t-1"}`)), Once: true, LimitKey: "ann", WhenFull: ReplaceOldest,
		},
		&ChildStarted{Step: 3, Chain: "r9"},
		&ChildRefused{Step: 3, Reason: RefusedRunning, Message: "it is running"},
		&ChildCancelRequested{Step: 3},
		&ChildCancelDelivered{Step: 3},
		&ChildClosed{Step: 3, Run: "r9", Status: StatusFailed, Result: text("R-1"), Failure: text("E-1"), Reason: "by hand"},
		&SendAsked{Step: 3, ID: "order-2", Cancel: true, Name: "paid", Value: text("12")},
		&Sent{Step: 3, Refused: RefusedNotFound},
		&UpdateAccepted{Update: "u-1", Name: "change-plan", Input: text("I-1"), Reason: "asked for"},
		&UpdateCompleted{Update: "u-1", Result: text("R-1")},
		&UpdateFailed{Update: "u-1", Failure: text("E-1")},
		&Stalled{Reason: "no code for workflow \"order\"\n\tat all", Detail: JSON([]byte(`{"stack":"…"}`))},
		&Resumed{},
		&Told{},
		&NodeAnnounced{
			Name: "worker-1", Joined: Place{Commit: 7, Prepare: 5}, Applied: Place{Commit: 1 << 40, Prepare: 1}, Leaving: true, Types: []string{"order", "order@3"},
			Activities: []string{"charge"}, Queues: []string{"gpu"}, Policies: 3, Build: "v1.2.3",
		},
		&NodeLeft{},
		&NodeBuried{By: "n-2"},
		&KeyMade{Key: "c2VjcmV0"},
		&Paused{Reason: "the bank is down", TimersOn: true, LimitsHeld: true},
		&Unpaused{Reason: "it is back", Held: 90 * time.Minute, RunDeadline: when.Add(time.Hour), Deadline: when.Add(2 * time.Hour)},
		&PolicySet{Subject: Subject{OfActivity, "charge"}, Before: rule, After: rule, Reason: "the bank asked"},
		&ParentChanged{Run: "r9"},
		&TriedAgain{Reason: "it is mended"},
		&Moved{Version: 3, Reason: "it is mended"},
		&AttributesChanged{Attributes: JSON([]byte(`{"env":"uat"}`)), Reason: "for the test"},
		&MemoChanged{Memo: JSON([]byte(`{"box":"b7"}`)), Reason: "moved"},
		&ActivityChanged{Step: 3, Input: text("I-2"), Reset: true, Reason: "to another address"},
		&FindAsked{Step: 3, Query: JSON([]byte(`{"type":"order"}`)), Count: true},
		&FindAnswered{Step: 3, Found: 2, Position: 71, Rows: JSON([]byte(`[{"id":"order-1"}]`)), Refused: RefusedTooMany, Message: "more than 100000"},
		&Redacted{ID: ID{"shop", "order-1"}, From: 3, To: 9, Only: []uint64{3, 9}, Field: "input", Hash: Hash{1, 2}, Files: []string{"sum"}, Reason: "asked for"},
		&Deleted{ID: ID{"shop", "order-1"}, From: 1, To: 9, Hash: Hash{1, 2}, Runs: 2, Type: "order", Status: "completed", Files: []string{"sum"}, Reason: "asked for", Rule: "orders"},
		&Erased{Acts: []uint64{4, 5}},
		&Postponed{Deadline: when.Add(time.Hour)},
		&RetentionSet{
			Before: Retention{Rules: []RetentionRule{{Name: "orders", Type: "order", Status: StatusFailed | StatusCompleted, Age: 48 * time.Hour, Export: true}}, Every: time.Hour, Rate: 5},
			After:  Retention{Rules: []RetentionRule{{Name: "all", Type: "order", Status: StatusFailed, Age: 24 * time.Hour}}, Every: 2 * time.Hour, Rate: 6}, Reason: "less is kept",
		},
		&Held{ID: ID{"shop", "order-1"}, Name: "case-7", Reason: "the court"},
		&Released{ID: ID{"shop", "order-1"}, Name: "case-7", Reason: "it is over"},
		&Imported{ID: ID{"shop", "order-1"}, From: ID{"old", "order-2"}, To: 9, Hash: Hash{1, 2}, Redacted: 3, Reason: "moved", Undone: "in use"},
		&PolicyApplied{Step: 3, Before: policy, After: policy, Version: 9, RetryAt: when.Add(time.Minute), Reason: "the bank asked"},
		&QuotasSet{Quotas: []Quota{{Key: "ann", Rate: true, Node: "n1", Held: 2, Spent: 1}, {Node: "n2", Wants: 1, Since: 7}}},
		&Disclosed{ID: ID{"shop", "order-1"}, How: "export", Keys: true, Reason: "the court"},
	}
}

// empty holds every kind of event with no field set.
func empty() (all []Event) {
	for _, e := range full() {
		all = append(all, newEvent(e.Kind()))
	}
	return all
}

// sealed makes entries of events, in one chain.
func sealed(events ...Event) (all []Entry) {
	var prev Hash
	for i, event := range events {
		e := Entry{Seq: uint64(i) + 1, At: when.Add(time.Duration(i) * time.Second), Event: event}
		if i%3 == 1 {
			e.By, e.Build, e.Told, e.Request = Operator+":ann", "v1.2.3", e.Seq-1, "0198-req"
		}
		if event.Kind() == "activity-changed" {
			e.Adopted = &Adopted{Seq: 3, Was: when, Size: 312}
		}
		if signal, is := event.(*Signaled); is && signal.Name != "" {
			e.Unread = 2
		}
		Seal(prev, &e)
		prev = e.Hash
		all = append(all, e)
	}
	return all
}

// TestWireFormIsFrozen: what was ever written must be read for ever.
func TestWireFormIsFrozen(t *testing.T) {
	zeroes := func(p Policy) *Policy { // what is zero and not standard is written
		p.Retry.Backoff, p.OnTimeout, p.OnCancel = Fixed, ThenReturn, LeaveRunning
		return &p
	}
	extra := []Event{
		&ActivityScheduled{Step: 1, Name: "assumed", Policy: zeroes(Policy{StartToClose: time.Hour, Assumed: true})},
		&ActivityScheduled{Step: 1, Name: "unbounded", Policy: zeroes(Policy{ScheduleToClose: 24 * time.Hour, Heartbeat: time.Minute})},
		&Started{Run: "r1", Chain: "r1", Number: 1, Type: "order"},
		&Kept{Name: "nothing", Value: JSON([]byte("null"))},
	}
	for name, events := range map[string][]Event{"full": full(), "empty": empty(), "more": extra, "encoded": encoded()} {
		entries := sealed(events...)
		file := filepath.Join("testdata", name+".jsonl")
		if *update {
			require.NoError(t, os.WriteFile(file, Marshal(entries), 0o644))
		}
		golden, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Equal(t, string(golden), string(Marshal(entries)))

		read, err := Unmarshal(golden)
		require.NoError(t, err)
		require.Len(t, read, len(entries))
		var chain Chain
		for i, e := range read {
			assert.Equal(t, events[i], e.Event, e.Event.Kind())
			assert.Equal(t, entries[i], e)
			assert.Equal(t, entries[i].wire, AppendEntry(nil, e))
			assert.NoError(t, chain.Check(e))
			again := e
			Seal(entries[max(i, 1)-1].Hash.or(i > 0), &again)
			assert.Equal(t, string(e.wire), string(again.wire), "sealed again")
		}
	}
}

// TestEarlierFormsAreRead: what earlier states of the code wrote is read and written again to the byte.
func TestEarlierFormsAreRead(t *testing.T) {
	for _, name := range []string{"before-children.jsonl", "encoded-before-children.jsonl", "before-adoption.jsonl", "encoded-before-adoption.jsonl", "before-slots.jsonl", "encoded-before-slots.jsonl", "before-limits-held.jsonl", "encoded-before-limits-held.jsonl", "before-depth.jsonl", "encoded-before-depth.jsonl", "before-sources.jsonl"} {
		golden, err := os.ReadFile(filepath.Join("testdata", name))
		require.NoError(t, err)
		read, err := Unmarshal(golden)
		require.NoError(t, err)
		require.NotEmpty(t, read, name)
		var chain Chain
		var prev Hash
		for _, e := range read {
			assert.NoError(t, chain.Check(e))
			again := e
			Seal(prev, &again)
			assert.Equal(t, string(e.wire), string(again.wire))
			prev = e.Hash
		}
	}
}

func (h Hash) or(some bool) Hash {
	if some {
		return h
	}
	return Hash{}
}

// TestNoKindIsForgotten holds the lists of this test against the source.
func TestNoKindIsForgotten(t *testing.T) {
	var kinds, roles []string
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			switch {
			case !ok:
			case f.Name.Name == "Kind" && f.Recv != nil:
				lit := f.Body.List[0].(*ast.ReturnStmt).Results[0].(*ast.BasicLit)
				kind, _ := strconv.Unquote(lit.Value)
				roles = append(roles, kind)
			case f.Name.Name == "newEvent":
				ast.Inspect(f, func(n ast.Node) bool {
					if c, ok := n.(*ast.CaseClause); ok {
						for _, x := range c.List {
							kind, _ := strconv.Unquote(x.(*ast.BasicLit).Value)
							kinds = append(kinds, kind)
						}
					}
					return true
				})
			}
		}
	}
	var have []string
	for _, e := range full() {
		have = append(have, e.Kind())
		assert.Contains(t, []Role{Input, Decision, Note}, e.Role())
		assert.IsType(t, e, newEvent(e.Kind()), "kinds.go makes another type of %s", e.Kind())
	}
	assert.ElementsMatch(t, roles, have, "types with a Kind method, and the golden test")
	assert.ElementsMatch(t, kinds, have, "kinds.go, and the golden test")
	assert.Nil(t, newEvent("no such kind"))
}

// TestFullEventsAreFull: a field that was forgotten in full would not be frozen.
func TestFullEventsAreFull(t *testing.T) {
	for _, e := range full() {
		var walk func(path string, v reflect.Value)
		walk = func(path string, v reflect.Value) {
			switch {
			case v.Kind() == reflect.Pointer:
				walk(path, v.Elem())
			case v.Type() == reflect.TypeFor[time.Time](), v.Type() == reflect.TypeFor[Payload](), v.Kind() != reflect.Struct:
				assert.False(t, v.IsZero() && !strings.HasSuffix(path, ".Assumed"), "%s is not set", path)
			default:
				for i := range v.NumField() {
					walk(path+"."+v.Type().Field(i).Name, v.Field(i))
				}
			}
		}
		walk(e.Kind(), reflect.ValueOf(e))
	}
}

func TestUnknownFieldsAreKept(t *testing.T) {
	e := sealed(&Signaled{Name: "paid", Value: text("12")})[0]
	line := strings.Replace(string(e.wire), `"kind":`, `"mood":{"a":[1,"}",{}]},"kind":`, 1)
	line = strings.Replace(line, `"name":`, `"colour":"red","shade":"`+text("dark").Sum.String()+`","name":`, 1)
	line = strings.Replace(line, `"payloads":{`, `"payloads":{"shade":"dark",`, 1)
	got, err := UnmarshalEntry([]byte(line))
	require.NoError(t, err)
	assert.Equal(t, e.Event, got.Event)
	assert.Equal(t, line, string(AppendEntry(nil, got)))
	assert.Equal(t, len(line), got.Size())
}

func TestUnknownKindIsNamedAndItsHeaderRead(t *testing.T) {
	e := sealed(&Told{}, &Signaled{Name: "paid", Value: text("12")})[1]
	line := strings.Replace(string(e.wire), `"kind":"signaled"`, `"kind":"beamed"`, 1)
	got, err := UnmarshalEntry([]byte(line))
	require.ErrorIs(t, err, ErrUnknownKind)
	assert.ErrorContains(t, err, "beamed")
	want := e
	want.Event, want.wire = nil, []byte(line)
	assert.Equal(t, want, got)
	assert.Equal(t, line, string(AppendEntry(nil, got)))
}

func TestUnreadableEntries(t *testing.T) {
	good := string(sealed(&Signaled{Name: "paid", Value: text("12")})[0].wire)
	_, err := UnmarshalEntry([]byte(good))
	require.NoError(t, err)
	replace := func(old, new string) string {
		require.Contains(t, good, old)
		return strings.Replace(good, old, new, 1)
	}
	for name, line := range map[string]string{
		"empty": "", "blank": "  ", "null": "null", "a list": "[]", "a number": "1", "no fields": "{}",
		"cut off": good[:len(good)-2], "more behind": good + "{}", "a zero byte behind": good + "\x00rest", "no seq": replace(`"seq":1,`, ``),
		"no time": replace(`"at":"2026-01-02T03:04:05.6Z",`, ``), "a year too far": replace("2026-01-02T03:04:05.6Z", "9999-12-31T23:59:59-01:00"),
		"a year too early": replace("2026-01-02T03:04:05.6Z", "0000-12-31T23:59:59Z"), "a negative seq": replace(`"seq":1`, `"seq":-1`),
		"a seq too large": replace(`"seq":1`, `"seq":18446744073709551616`), "a fraction": replace(`"seq":1`, `"seq":1.5`),
		"no payload": replace(`"payloads":{"value":"12"},`, ``), "another payload": replace(`{"value":"12"}`, `{"valve":"12"}`),
		"a sum too short": replace(`"value":"`, `"value":"A`), "no sum": replace(text("12").Sum.String(), Sum{}.String()),
		"a payload twice":           replace(`"name":`, `"value":"`+text("12").Sum.String()+`","name":`),
		"a header behind the event": replace(`"payloads"`, `"told":7,"payloads"`), "an event twice": replace(`"payloads"`, `"event":{},"payloads"`),
		"an escaped header behind the event": replace(`"payloads"`, `"\u0061t":"2027-01-01T00:00:00Z","payloads"`),
		"nested too deeply":                  replace(`"kind"`, `"deep":`+strings.Repeat("[", 100)+strings.Repeat("]", 100)+`,"kind"`),
	} {
		_, err := UnmarshalEntry([]byte(line))
		assert.ErrorIs(t, err, ErrUnreadable, name)
		_, err = Unmarshal([]byte(good + "\n\n" + line + "\n"))
		assert.True(t, err != nil || strings.TrimSpace(line) == "", name)
	}
}

// TestRedactedPayloadsKeepTheChain: the bytes can be taken away.
func TestRedactedPayloadsKeepTheChain(t *testing.T) {
	entries := sealed(full()...)
	var chain Chain
	redacted := 0
	for _, e := range entries {
		line := string(e.wire)
		if before, rest, ok := strings.Cut(line, `"payloads":{`); ok {
			w := writer{b: []byte("{")}
			e.Event.put(&w)
			payloads, after, _ := strings.Cut(rest, `},"hash"`)
			for _, n := range w.payloads {
				payloads = strings.Replace(payloads, strconv.Quote(n.name)+":"+string(n.payload.Data), strconv.Quote(n.name)+":null", 1)
				redacted++
			}
			line = before + `"payloads":{` + payloads + `},"hash"` + after
		}
		got, err := UnmarshalEntry([]byte(line))
		require.NoError(t, err, line)
		require.NoError(t, chain.Check(got))
		require.Equal(t, line, string(AppendEntry(nil, got)))
		w := writer{b: []byte("{")}
		got.Event.put(&w)
		for _, n := range w.payloads {
			require.True(t, n.payload.Redacted() && !n.payload.Absent() && n.payload.Intact(), n.name)
			require.Error(t, n.payload.Decode(new(string)))
		}
	}
	assert.Greater(t, redacted, 20)
}

// TestTamperingIsFound changes histories in random ways. To run a case again, set its seed here.
func TestTamperingIsFound(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	original := sealed(full()...)
	found, harmless := 0, 0
	for found < 1_500 {
		require.Less(t, harmless, 20_000)
		lines := strings.Split(strings.TrimSpace(string(Marshal(original))), "\n")
		i := dice.IntN(len(lines))
		how := ""
		switch dice.IntN(8) {
		case 0:
			how = "a byte was changed"
			b := []byte(lines[i])
			b[dice.IntN(len(b))] ^= byte(1 + dice.IntN(255))
			lines[i] = string(b)
		case 1:
			how = "bytes were removed"
			from := dice.IntN(len(lines[i]))
			lines[i] = lines[i][:from] + lines[i][min(from+1+dice.IntN(20), len(lines[i])):]
		case 2:
			how = "a field was inserted"
			at := dice.IntN(len(lines[i]))
			field := []string{`"told":9,`, `"at":"2030-01-01T00:00:00Z",`, `"by":"worker",`, `"step":9,`, `"x":1,`, `,"seq":9`, `"event":{},`, `,"payloads":{}`, `,"kind":"told"`}
			lines[i] = lines[i][:at] + field[dice.IntN(len(field))] + lines[i][at:]
		case 3:
			how = "an entry was removed"
			i = 1 + dice.IntN(len(lines)-2) // what is missing in front was retained away, what is missing behind is seen by the head
			lines = slices.Delete(lines, i, i+1)
		case 4:
			how = "an entry was repeated"
			lines = slices.Insert(lines, i, lines[dice.IntN(len(lines))])
		case 5:
			how = "entries changed places"
			j := dice.IntN(len(lines))
			lines[i], lines[j] = lines[j], lines[i]
		case 6:
			how = "an event was replaced by that of another entry, with its hash"
			other := lines[dice.IntN(len(lines))]
			head, _, _ := strings.Cut(lines[i], `,"kind"`)
			_, tail, _ := strings.Cut(other, `,"kind"`)
			lines[i] = head + `,"kind"` + tail
		case 7:
			how = "a payload was replaced"
			lines[i] = strings.Replace(lines[i], `"half"`, `"whole"`, 1)
		}
		err := checked(lines)
		switch {
		case err == nil && same(t, original, lines):
			harmless++
		case err == nil:
			t.Fatalf("%s in entry %d, and nothing was found:\n%s", how, i+1, lines[i])
		default:
			require.Regexp(t, `entry \d+|line \d+`, err.Error(), how)
			found++
		}
	}
	t.Logf("%d found, %d changed nothing that means anything", found, harmless)
}

// checked reads lines and holds them against the chain.
func checked(lines []string) error {
	var chain Chain
	for i, line := range lines {
		e, err := UnmarshalEntry([]byte(line))
		if err == nil {
			err = chain.Check(e)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	return nil
}

// same reports whether lines say what the original says, but for payloads that were taken away.
func same(t *testing.T, original []Entry, lines []string) bool {
	if len(lines) != len(original) {
		return false
	}
	for i, line := range lines {
		e, err := UnmarshalEntry([]byte(line))
		require.NoError(t, err)
		e.wire = original[i].wire
		if reflect.DeepEqual(e, original[i]) {
			continue
		}
		w := writer{b: []byte("{")}
		e.Event.put(&w)
		v := writer{b: []byte("{")}
		original[i].Event.put(&v)
		e.Event = original[i].Event
		if string(w.b) != string(v.b) || !reflect.DeepEqual(e, original[i]) {
			return false
		}
		for j, n := range w.payloads {
			if !n.payload.Redacted() && string(n.payload.Data) != string(v.payloads[j].payload.Data) {
				return false
			}
		}
	}
	return true
}

// TestForgedChainsAreFound: even with hashes that fit, times do not go back and numbers have no gaps.
func TestForgedChainsAreFound(t *testing.T) {
	forge := func(change func(i int, e *Entry)) error {
		var prev Hash
		var chain Chain
		for i, event := range full() {
			e := Entry{Seq: uint64(i) + 1, At: when, Event: event}
			change(i, &e)
			Seal(prev, &e)
			prev = e.Hash
			if err := chain.Check(e); err != nil {
				return err
			}
		}
		return nil
	}
	require.NoError(t, forge(func(int, *Entry) {}))
	err := forge(func(i int, e *Entry) {
		if i == 5 {
			e.At = when.Add(-time.Nanosecond)
		}
	})
	require.ErrorIs(t, err, ErrBroken)
	assert.ErrorContains(t, err, "entry 6")
	assert.ErrorContains(t, err, "before that of its predecessor")
	err = forge(func(i int, e *Entry) {
		if i >= 5 {
			e.Seq++
		}
	})
	require.ErrorIs(t, err, ErrBroken)
	assert.ErrorContains(t, err, "entry 7")
}

// FuzzUnmarshalEntry: bytes are an entry, which is then written as it was read, or an error of the package's.
func FuzzUnmarshalEntry(f *testing.F) {
	for _, events := range [][]Event{full(), empty(), encoded()} {
		for _, e := range sealed(events...) {
			f.Add(e.wire)
		}
	}
	f.Add([]byte(`{"seq":1,"at":"2026-01-02T03:04:05Z","kind":"activity-scheduled","event":{}}`))
	f.Add([]byte(`{"seq":1,"at":"2026-01-02T03:04:05Z","kind":"completed","event":{"unread":[1,2,3]},"hash":"` + Hash{1}.String() + `"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		e, err := UnmarshalEntry(data)
		runtime.ReadMemStats(&after)
		if got, most := after.TotalAlloc-before.TotalAlloc, uint64(32*len(data)+256<<10); got > most {
			t.Fatalf("%d bytes were allocated for %d", got, len(data))
		}
		var chain Chain
		switch {
		case errors.Is(err, ErrUnknownKind):
			_ = chain.Check(e)
			return
		case err != nil:
			require.ErrorIs(t, err, ErrUnreadable)
			return
		}
		require.Equal(t, data, AppendEntry(nil, e))
		_ = chain.Check(e)
		for _, p := range Payloads(e.Event) {
			_, _ = p.Value()
		}
		again := e
		Seal(Hash{}, &again)
		read, err := UnmarshalEntry(again.wire)
		require.NoError(t, err, "%s\n%s", data, again.wire)
		require.Equal(t, e.Event, read.Event)
		e.Hash, e.wire, read.Hash, read.wire = Hash{}, nil, Hash{}, nil
		require.Equal(t, e, read)
		s := &State{Activities: map[Step]*Activity{}, Timers: map[Step]time.Time{}}
		s.Evolve(e)
		_ = s.Waiting()
	})
}
