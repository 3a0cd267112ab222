package commands

import (
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
)

var update = flag.Bool("update", false, "rewrite what follows in the transcripts")

// TestTranscripts plays the transcripts in testdata. One reads:
//
//	# What it shows, in a sentence.
//	given  events of the past
//	when   a command
//	then   the events that follow, nothing, or refused and why
//	wake   when the state is next to be woken, if that matters here
//	status of the run, if that matters here
//
// More whens and thens may come after; each sees what followed before. A line may begin with a time, counted from the
// beginning; else the time is that of the line before.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	seen := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var out []string
		for _, scene := range strings.Split(strings.TrimSpace(string(text)), "\n\n") {
			name := strings.TrimPrefix(strings.SplitN(scene, "\n", 2)[0], "# ")
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txt")+"/"+name, func(t *testing.T) {
				got := play(t, scene, seen)
				if !*update {
					assert.Equal(t, scene, got)
				}
				out = append(out, got)
			})
		}
		if *update {
			require.NoError(t, os.WriteFile(file, []byte(strings.Join(out, "\n\n")+"\n"), 0o644))
		}
	}
	for name := range vocabulary {
		assert.True(t, seen[name], "no transcript gives the command %q", name)
	}
}

var base = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// vocabulary holds every command by the name that transcripts give it.
var vocabulary = map[string]Command{
	"start": Start{}, "request-cancel": RequestCancel{}, "terminate": Terminate{}, "complete": Complete{}, "fail": Fail{},
	"schedule-activity": ScheduleActivity{}, "cancel-activity": CancelActivity{}, "begin-attempt": BeginAttempt{},
	"leave-pending": LeavePending{}, "beat": Beat{}, "complete-activity": CompleteActivity{}, "fail-activity": FailActivity{}, "refuse-activity": RefuseActivity{},
	"lose-attempt": LoseAttempt{}, "hand-over": HandOver{}, "settle-cancelled": SettleCancelled{}, "start-timer": StartTimer{}, "cancel-timer": CancelTimer{},
	"signal": Signal{}, "keep": Keep{}, "stall": Stall{}, "resume": Resume{}, "pause": Pause{}, "unpause": Unpause{}, "tell": Tell{}, "wake": Wake{},
	"ask-child": AskChild{}, "note-child-started": NoteChildStarted{}, "refuse-child": RefuseChild{}, "cancel-child": CancelChild{},
	"note-child-cancelled": NoteChildCancelled{}, "close-child": CloseChild{}, "follow-parent": FollowParent{},
	"send": Send{}, "note-sent": NoteSent{}, "update": Update{}, "complete-update": CompleteUpdate{}, "fail-update": FailUpdate{},
	"find": Find{}, "answer-find": AnswerFind{}, "set-attributes": SetAttributes{}, "publish": Publish{}, "continue-as-new": ContinueAsNew{}, "restart": Restart{}, "anew": Anew{}, "admit": Admit{}, "move": Move{}, "try-again": TryAgain{},
	"change-attributes": ChangeAttributes{}, "change-memo": ChangeMemo{}, "change-activity": ChangeActivity{}, "give-outcome": GiveOutcome{}, "apply-policies": ApplyPolicies{},
}

// TestNoCommandIsForgotten: every type that is a command has a name in transcripts, and so at least one scene.
func TestNoCommandIsForgotten(t *testing.T) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	var types, named []string
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil && f.Name.Name == "decide" {
				types = append(types, f.Recv.List[0].Type.(*ast.Ident).Name)
			}
		}
	}
	for name, c := range vocabulary {
		assert.Equal(t, name, commandName(c))
		named = append(named, reflect.TypeOf(c).Name())
	}
	assert.ElementsMatch(t, types, named)
}

var happenings = func() map[string]reflect.Type {
	all := map[string]reflect.Type{}
	for _, e := range []history.Event{
		&history.Started{}, &history.Begun{}, &history.CancelRequested{}, &history.Completed{}, &history.Failed{}, &history.Cancelled{},
		&history.Terminated{}, &history.TimedOut{}, &history.ActivityScheduled{}, &history.AttemptStarted{}, &history.Heartbeat{},
		&history.AttemptFailed{}, &history.AttemptLost{}, &history.AttemptOverdue{}, &history.ActivityCompleted{}, &history.ActivityFailed{},
		&history.ActivityTimedOut{}, &history.ActivityCancelRequested{}, &history.ActivityCancelled{}, &history.TimerStarted{},
		&history.TimerFired{}, &history.TimerCancelled{}, &history.Signaled{}, &history.Kept{}, &history.Stalled{}, &history.Resumed{},
		&history.Told{}, &history.Continued{}, &history.ActivityProgressed{}, &history.ChildAsked{}, &history.ChildStarted{},
		&history.ChildRefused{}, &history.ChildCancelRequested{}, &history.ChildCancelDelivered{}, &history.ChildClosed{},
		&history.SendAsked{}, &history.Sent{}, &history.UpdateAccepted{}, &history.UpdateCompleted{}, &history.UpdateFailed{},
		&history.AttributesSet{}, &history.Published{}, &history.FindAsked{}, &history.FindAnswered{}, &history.AttributesChanged{}, &history.MemoChanged{}, &history.ParentChanged{}, &history.ActivityChanged{}, &history.Moved{}, &history.TriedAgain{}, &history.Postponed{}, &history.PolicyApplied{}, &history.Paused{}, &history.Unpaused{},
	} {
		all[e.Kind()] = reflect.TypeOf(e).Elem()
	}
	return all
}()

// play plays a scene and writes it down again with what followed.
func play(t *testing.T, scene string, seen map[string]bool) string {
	s, now := new(history.State), base
	var out, then []string
	section := ""
	for _, line := range strings.Split(scene, "\n") {
		if strings.HasPrefix(line, "#") {
			out = append(out, line)
			continue
		}
		word, rest := strings.TrimSpace(line[:min(7, len(line))]), strings.TrimSpace(line[min(7, len(line)):])
		if word != "" {
			section = word
		}
		switch {
		case section == "given":
			e := parse(t, rest, &now)
			s.Evolve(entry(s, now, e.(history.Event)))
			out = append(out, line)
		case section == "when":
			c := parse(t, rest, &now).(Command)
			seen[commandName(c)] = true
			before := fmt.Sprintf("%+v", *s)
			events, err := Decide(s, c, now)
			assert.Equal(t, before, fmt.Sprintf("%+v", *s), "deciding changed the state")
			then = nil
			switch {
			case err != nil:
				assert.Empty(t, events)
				then = []string{"refused " + err.Error()}
			case len(events) == 0:
				then = []string{"nothing"}
			}
			for _, e := range events {
				s.Evolve(entry(s, now, e))
				then = append(then, describe(e))
			}
			out = append(out, line)
		case section == "then" && word != "":
			for i, l := range then {
				out = append(out, fmt.Sprintf("%-7s%s", []string{"then", ""}[min(i, 1)], l))
			}
		case section == "then":
		case section == "wake":
			wake := "never"
			if w := s.Wake(); !w.IsZero() {
				wake = moment(w)
			}
			out = append(out, fmt.Sprintf("%-7s%s", "wake", wake))
		case section == "status":
			out = append(out, fmt.Sprintf("%-7s%s", "status", s.Status))
		default:
			t.Fatalf("what is %q?", line)
		}
	}
	return strings.Join(out, "\n")
}

func entry(s *history.State, now time.Time, event history.Event) history.Entry {
	if now.Before(s.At) {
		now = s.At
	}
	e := history.Entry{Seq: s.Seq + 1, At: now, Event: event}
	if stalled, ok := event.(*history.Stalled); ok && stalled.Reason != "" {
		e.Build = "b1"
	}
	history.Seal(s.Hash, &e)
	return e
}

func commandName(c Command) string { return kebab(reflect.TypeOf(c).Name()) }

// parse reads an event or a command: its name, at most two bare words (the step, then the name) and fields.
func parse(t *testing.T, line string, now *time.Time) any {
	words := split(line)
	if at, ok := offset(words[0]); ok {
		*now = at
		words = words[1:]
	}
	name := words[0]
	if e, ok := happenings[name]; ok {
		v := reflect.New(e)
		return prepare(t, v, words[1:], *now).Interface()
	}
	require.Contains(t, vocabulary, name, "unknown word in %q", line)
	v := reflect.New(reflect.TypeOf(vocabulary[name]))
	attempts := slices.Index(words, "|")
	if attempts < 0 {
		attempts = len(words)
	}
	c := prepare(t, v, words[1:attempts], *now).Elem()
	for _, part := range strings.Split(strings.Join(words[attempts:], " "), "|") {
		if part = strings.TrimSpace(part); part != "" {
			a := reflect.New(reflect.TypeFor[Attempt]())
			overdue := c.FieldByName("Overdue")
			if !overdue.IsValid() {
				overdue = c.FieldByName("Attempts") // of HandOver
			}
			overdue.Set(reflect.Append(overdue, prepare(t, a, split(part), *now).Elem()))
		}
	}
	return c.Interface()
}

// prepare fills in what is not said, then what is.
func prepare(t *testing.T, v reflect.Value, words []string, now time.Time) reflect.Value {
	switch e := v.Interface().(type) {
	case *history.Started:
		e.Run, e.Chain, e.Number = "r1", "r1", 1
	case *history.ActivityScheduled:
		p := history.StandardPolicy
		e.Policy = &p
	case *ScheduleActivity:
		p := history.StandardPolicy
		e.Policy = &p
	case *history.AttemptStarted:
		e.Started = now
	case *history.Heartbeat:
		e.Beat = now
	case *history.ActivityProgressed:
		e.Beat = now
	case *Anew:
		e.Of, e.OfSeq = &history.Started{Run: "r1", Type: "order", Input: history.JSON([]byte(`"I-1"`))}, 1
	case *FailActivity:
		e.Dice = 0.5
	case *Wake:
		e.Dice = 0.5
	case *ApplyPolicies:
		e.Dice = 0.5
		return lay(t, v, e, words)
	case *Attempt:
		e.Run = "r1"
	}
	all := fields(v.Elem(), "")
	if a, ok := all["run"]; ok && a.String() == "" {
		a.SetString("r1")
	}
	bare := []string{"step", "type", "name", "reason"}
	for _, w := range words {
		key, value, ok := strings.Cut(w, "=")
		if !ok && all[key].IsValid() && all[key].Kind() == reflect.Bool {
			all[key].SetBool(true)
			continue
		}
		for !ok && len(bare) > 0 {
			key, value, bare = bare[0], w, bare[1:]
			ok = all[key].IsValid()
		}
		require.True(t, ok && all[key].IsValid(), "%s has no %q", v.Type(), w)
		assign(t, all[key], value)
		if key == "start-to-close" {
			all["assumed"].SetBool(false)
		}
	}
	if e, ok := v.Interface().(*history.TimerStarted); ok && e.Due.IsZero() {
		e.Due = now.Add(e.After)
	}
	return v
}

// lay reads of what rules are to be applied, and their words: activity charge "max-attempts=5 force" of version 9.
func lay(t *testing.T, v reflect.Value, c *ApplyPolicies, words []string) reflect.Value {
	c.Subject = history.Subject{Of: words[0], Name: words[1]}
	if words[0] == history.OfNamespace {
		c.Subject.Name = ""
	}
	rule, err := ParseRule(strings.Fields(strings.Trim(words[2], `"`))...)
	require.NoError(t, err)
	c.Policies = &history.Policies{Version: 9, Rules: map[history.Subject]history.Standing{c.Subject: {Rule: rule, Version: 9}}}
	return v
}

// differ writes what one policy says and another does not.
func differ(a, b *history.Policy) string {
	var words []string
	before, after := fields(reflect.ValueOf(a).Elem(), ""), fields(reflect.ValueOf(b).Elem(), "")
	for _, key := range slices.Sorted(maps.Keys(after)) {
		if x, y := before[key], after[key]; !reflect.DeepEqual(x.Interface(), y.Interface()) {
			words = append(words, fmt.Sprintf("%s=%s→%s", key, told(x), told(y)))
		}
	}
	return strings.Join(words, " ")
}

func told(f reflect.Value) string {
	if f.Kind() == reflect.Bool {
		return fmt.Sprint(f.Bool())
	}
	return text(f)
}

// fields are the fields of a struct by name, those of structs within it beside its own.
func fields(v reflect.Value, prefix string) map[string]reflect.Value {
	all := map[string]reflect.Value{}
	for _, f := range reflect.VisibleFields(v.Type()) {
		if len(f.Index) > 1 {
			continue
		}
		name, x := prefix+kebab(f.Name), v.FieldByIndex(f.Index)
		switch {
		case x.Type() == reflect.TypeFor[*history.Policy]() && x.IsNil():
		case x.Type() == reflect.TypeFor[*history.Policy]():
			maps.Copy(all, fields(x.Elem(), ""))
		case x.Type() == reflect.TypeFor[history.Origin]():
			maps.Copy(all, fields(x, "origin-"))
		case x.Type() == reflect.TypeFor[history.Parent]():
			maps.Copy(all, fields(x, "parent-"))
		case x.Type() == reflect.TypeFor[history.OnFailure]():
			maps.Copy(all, fields(x, "on-failure-"))
		case x.Type() == reflect.TypeFor[Slot]():
			maps.Copy(all, fields(x, "slot-"))
		case x.Type() == reflect.TypeFor[history.Replaced]():
			maps.Copy(all, fields(x, name+"-"))
		case x.Type() == reflect.TypeFor[history.Budget]():
			maps.Copy(all, fields(x, "budget-"))
		case x.Type() == reflect.TypeFor[history.Outcome]():
			maps.Copy(all, fields(x, "outcome-"))
		case f.Anonymous, x.Type() == reflect.TypeFor[history.Retry](), x.Type() == reflect.TypeFor[history.Admission]():
			maps.Copy(all, fields(x, ""))
		case x.Type() != reflect.TypeFor[[]Attempt]():
			all[name] = x
		default:
			all["overdue"] = x
		}
	}
	return all
}

func kebab(s string) string {
	var b strings.Builder
	runes := []rune(s)
	for i, r := range runes {
		if unicode.IsUpper(r) && i > 0 && unicode.IsLower(runes[i-1]) {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// split parts a line into words; quotes hold words together.
func split(line string) []string {
	quoted := false
	return strings.FieldsFunc(line, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return r == ' ' && !quoted
	})
}

func offset(s string) (time.Time, bool) {
	d, err := time.ParseDuration(s)
	return base.Add(d), err == nil && (s[0] == '+' || s[0] == '-')
}

func moment(t time.Time) string {
	s := short(t.Sub(base))
	if s[0] != '-' {
		s = "+" + s
	}
	return s
}

func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

var ifRunning, ifClosed = []string{"refuse", "use-existing", "terminate-existing"}, []string{"allow", "allow-if-not-completed", "reject"}

func assign(t *testing.T, f reflect.Value, value string) {
	if unquoted, err := strconv.Unquote(value); err == nil {
		value = unquoted
	}
	fine := func(err error) { require.NoError(t, err, "value %q", value) }
	switch x := f.Addr().Interface().(type) {
	case *time.Time:
		at, ok := offset(value)
		require.True(t, ok, "%q is no time", value)
		*x = at
	case *time.Duration:
		d, err := time.ParseDuration(value)
		fine(err)
		*x = d
	case *history.Payload:
		data, err := json.Marshal(value)
		fine(err)
		if strings.HasPrefix(value, "{") {
			data = []byte(value)
		}
		*x = history.JSON(data)
	case *[]string:
		*x = strings.Split(value, ",")
	case *[]uint64:
		for v := range strings.SplitSeq(value, ",") {
			n, err := strconv.ParseUint(v, 10, 64)
			fine(err)
			*x = append(*x, n)
		}
	case *[]history.Range:
		for r := range strings.SplitSeq(value, ",") {
			var from, to uint64
			_, err := fmt.Sscanf(r, "%d-%d", &from, &to)
			fine(err)
			*x = append(*x, history.Range{From: from, To: to})
		}
	case *[]history.CarriedUpdate:
		for u := range strings.SplitSeq(value, ",") {
			id, at, _ := strings.Cut(u, "@")
			seq, err := strconv.ParseUint(at, 10, 64)
			fine(err)
			*x = append(*x, history.CarriedUpdate{Update: id, Seq: seq})
		}
	case *history.Sources:
		for _, word := range strings.Split(strings.TrimPrefix(value, "call "), ",") {
			for f := history.ScheduleToStartField; f.String() != ""; f <<= 1 {
				if f.String() == word {
					x.Asked |= f
				}
			}
		}
		require.Equal(t, value, x.String())
	case *history.Status:
		status, ok := history.ParseStatus(value)
		require.True(t, ok, "no status is called %q", value)
		*x = status
	case *IfRunning:
		*x = IfRunning(slices.Index(ifRunning, value))
		require.GreaterOrEqual(t, int(*x), 0)
	case *IfClosed:
		*x = IfClosed(slices.Index(ifClosed, value))
		require.GreaterOrEqual(t, int(*x), 0)
	default:
		switch f.Kind() {
		case reflect.String:
			f.SetString(value)
		case reflect.Uint64:
			n, err := strconv.ParseUint(value, 10, 64)
			fine(err)
			f.SetUint(n)
		case reflect.Int:
			n, err := strconv.Atoi(value)
			fine(err)
			f.SetInt(int64(n))
		case reflect.Float64:
			n, err := strconv.ParseFloat(value, 64)
			fine(err)
			f.SetFloat(n)
		default:
			t.Fatalf("what is a %s?", f.Type())
		}
	}
}

// describe writes an event as transcripts do: its kind, step and name, and the fields that are not zero or standard.
func describe(e history.Event) string {
	words := []string{e.Kind()}
	if applied, ok := e.(*history.PolicyApplied); ok {
		words = append(words, fmt.Sprint(applied.Step), differ(applied.Before, applied.After))
		if !applied.RetryAt.IsZero() {
			words = append(words, "retry-at="+moment(applied.RetryAt))
		}
		return strings.Join(words, " ")
	}
	v := reflect.ValueOf(e).Elem()
	all := fields(v, "")
	standard := map[string]reflect.Value{}
	if _, ok := e.(*history.ActivityScheduled); ok {
		standard = fields(reflect.ValueOf(&history.StandardPolicy).Elem(), "")
	}
	for _, bare := range []string{"step", "type", "name"} {
		if f, ok := all[bare]; ok && !f.IsZero() {
			words = append(words, text(f))
			delete(all, bare)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		f := all[key]
		switch s, ok := standard[key]; {
		case ok && reflect.DeepEqual(f.Interface(), s.Interface()), !ok && f.IsZero():
		case f.Kind() == reflect.Bool && !f.Bool(): // what it stands beside says so
		case f.Kind() == reflect.Bool:
			words = append(words, key)
		default:
			words = append(words, key+"="+text(f))
		}
	}
	return strings.Join(words, " ")
}

func text(f reflect.Value) string {
	var s string
	switch x := f.Interface().(type) {
	case time.Time:
		s = moment(x)
	case time.Duration:
		s = short(x)
	case history.Payload:
		if json.Unmarshal(x.Data, &s) != nil {
			return string(x.Data) // an object
		}
	case []string:
		s = strings.Join(x, ",")
	case []uint64:
		s = strings.ReplaceAll(strings.Trim(fmt.Sprint(x), "[]"), " ", ",")
	case []history.Range:
		parts := make([]string, len(x))
		for i, r := range x {
			parts[i] = fmt.Sprint(r.From, "-", r.To)
		}
		s = strings.Join(parts, ",")
	case []history.CarriedUpdate:
		parts := make([]string, len(x))
		for i, u := range x {
			parts[i] = fmt.Sprint(u.Update, "@", u.Seq)
		}
		s = strings.Join(parts, ",")
	default:
		s = fmt.Sprint(x)
	}
	if s == "" || strings.ContainsAny(s, ` "`) {
		s = strconv.Quote(s)
	}
	return s
}
