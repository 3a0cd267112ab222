package history

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// after folds events that follow the start of a run.
func after(events ...Event) *State {
	return Fold(sealed(append([]Event{&Started{Run: "r1", Chain: "r1", Number: 1, Type: "order"}}, events...)...)...)
}

func object(s string) Payload { return JSON([]byte(s)) }

func TestAChildIsKeptUntilNothingIsLeftToBeDone(t *testing.T) {
	asked := &ChildAsked{Step: 1, ID: "c1", Type: "parcel", OnParentClose: AbandonChild, OnCancel: TryCancel}
	waited := &ChildAsked{Step: 1, ID: "c1", Type: "parcel", OnCancel: WaitCancelled}
	started, wish, told, closed := &ChildStarted{Step: 1, Chain: "k1"}, &ChildCancelRequested{Step: 1}, &ChildCancelDelivered{Step: 1}, &ChildClosed{Step: 1, Status: StatusCompleted}
	for what, c := range map[string]struct {
		events []Event
		why    string // what is waited for; empty: nothing
	}{
		"asked":                       {[]Event{asked}, "the start of child c1 (parcel)"},
		"started":                     {[]Event{asked, started}, "the end of child c1 (parcel)"},
		"refused":                     {[]Event{asked, &ChildRefused{Step: 1}}, ""},
		"closed":                      {[]Event{asked, started, closed}, ""},
		"closed and not started":      {[]Event{asked, closed}, ""},
		"given up":                    {[]Event{asked, started, wish}, "child c1 (parcel) being asked to end"},
		"given up and not started":    {[]Event{asked, wish}, "the start of child c1 (parcel)"},
		"asked to end":                {[]Event{asked, started, wish, told}, ""},
		"its end is waited for":       {[]Event{waited, started, wish}, "child c1 (parcel) being asked to end"},
		"its end is still waited for": {[]Event{waited, started, wish, told}, "the end of child c1 (parcel)"},
		"and it ends":                 {[]Event{waited, started, wish, told, closed}, ""},
		"another child's news":        {[]Event{asked, &ChildStarted{Step: 2}, &ChildClosed{Step: 2}, &ChildCancelRequested{Step: 2}, &ChildCancelDelivered{Step: 2}}, "the start of child c1 (parcel)"},
	} {
		t.Run(what, func(t *testing.T) {
			s := after(c.events...)
			assert.Equal(t, c.why != "", len(s.Children) == 1)
			assert.Equal(t, len(s.Children), s.Unsettled())
			assert.True(t, s.Run.HadChildren, "this is not forgotten")
			assert.EqualValues(t, 1, s.Run.Steps)
			assert.Zero(t, s.Wake(), "a child wakes nobody")
			if c.why == "" {
				return
			}
			var why []string
			for _, r := range s.Waiting() {
				if r.Step == 1 {
					why = append(why, r.String())
					assert.Equal(t, when.Add(time.Second), r.Since)
				}
			}
			assert.Equal(t, []string{c.why}, why)
		})
	}
	c := after(asked, started).Children[1]
	assert.Equal(t, &Child{Step: 1, Run: "r1", ID: "c1", Type: "parcel", Seq: 2, Asked: when.Add(time.Second), OnParentClose: AbandonChild, OnCancel: TryCancel, Chain: "k1"}, c)
	assert.False(t, c.Settled())
	assert.True(t, after(asked, wish).Children[1].Settled())
	assert.False(t, after(waited, wish).Children[1].Settled())
}

func TestWhatIsToBeSentIsKeptUntilItIs(t *testing.T) {
	s := after(&SendAsked{Step: 1, ID: "w2", Name: "paid", Value: text("12")}, &SendAsked{Step: 2, ID: "w3", Cancel: true})
	assert.Equal(t, map[Step]*Send{
		1: {Step: 1, Run: "r1", ID: "w2", Name: "paid", Seq: 2, Asked: when.Add(time.Second)}, 2: {Step: 2, Run: "r1", ID: "w3", Cancel: true, Seq: 3, Asked: when.Add(2 * time.Second)},
	}, s.Sends)
	assert.Equal(t, 2, s.Unsettled())
	reasons := s.Waiting()
	assert.Equal(t, "execution w2 being sent signal paid", reasons[len(reasons)-2].Why)
	assert.Equal(t, "execution w3 being sent the wish that it end", reasons[len(reasons)-1].Why)
	s = after(&SendAsked{Step: 1, ID: "w2"}, &SendAsked{Step: 2, ID: "w3"}, &Sent{Step: 1, Refused: RefusedNotFound}, &Sent{Step: 3})
	assert.Len(t, s.Sends, 1)
	assert.Contains(t, s.Sends, Step(2))
}

func TestWhatIsAskedOfTheIndexIsKeptUntilItIsAnswered(t *testing.T) {
	s := after(&FindAsked{Step: 1, Query: object(`{"type":"order"}`)}, &FindAsked{Step: 2, Count: true})
	assert.Equal(t, map[Step]*Find{
		1: {Step: 1, Seq: 2, Asked: when.Add(time.Second)}, 2: {Step: 2, Count: true, Seq: 3, Asked: when.Add(2 * time.Second)},
	}, s.Finds)
	assert.Equal(t, 2, s.Unsettled(), "somebody has to act, so it is taken up again")
	reasons := s.Waiting()
	assert.Equal(t, "the index answering a lookup", reasons[len(reasons)-2].Why)
	assert.Equal(t, "the index answering a count", reasons[len(reasons)-1].Why)
	s = after(&FindAsked{Step: 1}, &FindAsked{Step: 2}, &FindAnswered{Step: 1, Refused: RefusedTooLong}, &FindAnswered{Step: 3})
	assert.Len(t, s.Finds, 1)
	assert.Contains(t, s.Finds, Step(2))
}

func TestUpdatesAreKeptUntilTheyAreAnswered(t *testing.T) {
	accepted := func(id string) Event { return &UpdateAccepted{Update: id, Name: "plan"} }
	s := after(accepted("u1"), accepted("u2"), accepted("u3"), &UpdateCompleted{Update: "u2"}, &UpdateFailed{Update: "u3"})
	assert.Equal(t, map[string]*Update{"u1": {ID: "u1", Name: "plan", Seq: 2, Accepted: when.Add(time.Second)}}, s.Updates)
	for id, want := range map[string]uint64{"u1": 0, "u2": 5, "u3": 6, "u4": 0} {
		seq, ok := s.Answered(id)
		assert.Equal(t, want, seq, id)
		assert.Equal(t, want > 0, ok, id)
	}
	reasons := s.Waiting()
	assert.Equal(t, "the code's answer to update u1", reasons[len(reasons)-1].Why)
	assert.Zero(t, s.Unsettled(), "the code is to act, and nobody else")
}

func TestUpdatesAreWaitedForInTheOrderInWhichTheyWereAccepted(t *testing.T) {
	var events []Event
	for i := range 20 {
		events = append(events, &UpdateAccepted{Update: fmt.Sprint("u", 20-i)})
	}
	var why []string
	for _, r := range after(events...).Waiting()[1:] {
		why = append(why, r.Why)
	}
	for i := range 20 {
		assert.Equal(t, fmt.Sprint("the code's answer to update u", 20-i), why[i])
	}
}

func TestTheNextRunHasWhatItCarries(t *testing.T) {
	run := []Event{
		&Started{Run: "r1", Chain: "r1", Number: 1, Type: "order", Attributes: object(`{"a":1}`)},
		&Signaled{Name: "paid"}, &Signaled{Name: "paid"}, &UpdateAccepted{Update: "u1", Name: "plan"}, &UpdateAccepted{Update: "u2"},
		&UpdateCompleted{Update: "u2"}, &ChildAsked{Step: 1, ID: "c1"}, &SendAsked{Step: 2, ID: "w2"}, &FindAsked{Step: 3}, &Published{View: text("half")}, &Kept{Gate: true, Name: "v2"},
	}
	next := &Started{
		Run: "r2", Chain: "r1", Number: 2, Type: "order", HadChildren: true, Carried: []Range{{2, 3}, {7, 7}}, Updates: []CarriedUpdate{{"u1", 4}},
		Attributes: object(`{"b":2}`), Budget: Budget{Entries: 9}, Pinned: true, Route: "label", RunTimeout: time.Hour, Headers: object(`{"t":"1"}`), Root: "w0",
		Parent: Parent{ID: "w1", Chain: "p1"},
	}
	closed := Fold(sealed(append(run, &Continued{Closing{Children: 1}})...)...)
	assert.Equal(t, StatusContinued, closed.Status)
	assert.False(t, closed.Open())
	assert.Empty(t, closed.Children)
	assert.Empty(t, closed.Sends)
	assert.Empty(t, closed.Finds)
	assert.Empty(t, closed.Updates)
	assert.Nil(t, closed.Waiting())
	_, known := closed.Answered("u2")
	assert.True(t, known, "a closed run still knows what it answered")
	assert.Equal(t, text("half"), closed.View, "and still shows what it showed")
	assert.Equal(t, Attributes{"a": []byte("1")}, closed.Attributes)

	s := Fold(sealed(append(run, &Continued{}, next)...)...)
	assert.Equal(t, StatusRunning, s.Status)
	assert.Equal(t, 3, s.Run.Signals, "so many may be unread")
	assert.Equal(t, map[string]*Update{"u1": {ID: "u1", Seq: 4, Accepted: s.At}}, s.Updates)
	assert.Empty(t, s.Children)
	assert.Empty(t, s.Sends)
	assert.Empty(t, s.Finds)
	assert.Equal(t, Attributes{"b": []byte("2")}, s.Attributes, "those of a run stand in its beginning")
	assert.True(t, s.View.Absent(), "a view is of its run")
	assert.Equal(t, 1, s.Entries())
	_, known = s.Answered("u2")
	assert.False(t, known)
	assert.Equal(t, []any{true, "r1", Budget{Entries: 9}, true, "label", time.Hour, "w0", Parent{ID: "w1", Chain: "p1"}, 0},
		[]any{s.Run.HadChildren, s.Run.Chain, s.Run.Budget, s.Run.Pinned, s.Run.Route, s.Run.RunTimeout, s.Run.Root, s.Run.Parent, s.Run.Gates})
	s.Evolve(then([]Entry{{Seq: s.Seq, At: s.At, Hash: s.Hash}}, &UpdateCompleted{Update: "u1"})[1])
	assert.Empty(t, s.Updates)
}

func TestAttributesMerge(t *testing.T) {
	for _, c := range []struct{ had, changes, want string }{
		{``, ``, ``}, {``, `{}`, ``}, {``, `{"a":1}`, `{"a":1}`}, {`{"a":1}`, `{"a":2,"b":"x"}`, `{"a":2,"b":"x"}`}, {`{"a":1,"b":2}`, `{"a":null}`, `{"b":2}`},
		{`{"a":1}`, `{"a":null}`, ``}, {`{"a":1}`, `{"b":null}`, `{"a":1}`}, {`{"a":1}`, ``, `{"a":1}`}, {`{"a":1}`, `[1]`, `{"a":1}`}, {`{"a":1}`, `nonsense`, `{"a":1}`},
		{``, `{"a": null ,"b":{"time":"x"}}`, `{"b":{"time":"x"}}`},
	} {
		had := Attributes(nil).With(object(c.had))
		before := had.Payload()
		got := had.With(object(c.changes))
		assert.Equal(t, c.want, string(got.Payload().Data), "%s on %s", c.changes, c.had)
		assert.Equal(t, before, had.Payload(), "they are not changed in place")
		assert.Equal(t, c.want == "", got.Payload().Absent())
		assert.Equal(t, c.want == "", got == nil)
	}
}

func TestAttributesAreFoldedInTheirOrder(t *testing.T) {
	s := Fold(sealed(&Started{Run: "r1", Attributes: object(`{"a":1,"b":1}`)}, &AttributesSet{Attributes: object(`{"a":2,"c":3}`)},
		&AttributesSet{Attributes: object(`{"b":null,"a":4}`)}, &Published{View: text("one")}, &Published{View: text("two")})...)
	assert.Equal(t, `{"a":4,"c":3}`, string(s.Attributes.Payload().Data))
	assert.Equal(t, text("two"), s.View)
}

func TestProgressIsASignOfLifeThatTheCodeIsToldOf(t *testing.T) {
	p := StandardPolicy
	p.Heartbeat = time.Minute
	try := Try{Step: 1, Serial: 7, Attempt: 1, Started: when}
	beat := Heartbeat{Try: try, Beat: when.Add(9 * time.Second), Checkpoint: text("half")}
	scheduled := &ActivityScheduled{Step: 1, Name: "charge", Policy: &p, Watch: true}
	s := after(scheduled, &AttemptStarted{Try: try}, &ActivityProgressed{beat})
	quiet := after(scheduled, &AttemptStarted{Try: try}, &beat)
	assert.Equal(t, quiet.Activities, s.Activities)
	assert.True(t, s.Activities[1].Watch)
	assert.Equal(t, when.Add(69*time.Second), s.Wake())
	assert.EqualValues(t, 4, s.Input)
	assert.EqualValues(t, 1, quiet.Input)
	assert.True(t, after(&ActivityScheduled{Step: 1, Policy: &p, Local: true}).Activities[1].Local)
}

// TestRangesHoldWhatWasGathered: to run it again, set its seed here.
func TestRangesHoldWhatWasGathered(t *testing.T) {
	assert.Nil(t, Ranges(nil))
	assert.Equal(t, []Range{{2, 4}, {6, 6}, {9, 10}}, Ranges([]uint64{2, 3, 4, 6, 9, 10}))
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	for range 500 {
		var seqs, back []uint64
		for seq := uint64(1); seq < 50; seq++ {
			if dice.IntN(3) > 0 {
				seqs = append(seqs, seq)
			}
		}
		ranges := Ranges(seqs)
		for i, r := range ranges {
			require.True(t, r.From <= r.To && (i == 0 || r.From > ranges[i-1].To+1), "%v", ranges)
			for seq := r.From; seq <= r.To; seq++ {
				back = append(back, seq)
			}
		}
		require.Equal(t, seqs, back)
		e := Entry{Seq: 1, At: when, Event: &Started{Run: "r1", Carried: ranges}}
		Seal(Hash{}, &e)
		read, err := Unmarshal(Marshal([]Entry{e}))
		require.NoError(t, err)
		require.Equal(t, ranges, read[0].Event.(*Started).Carried)
	}
}

func TestRangesThatCannotBeAreNotRead(t *testing.T) {
	line := func(carried string) []byte {
		e := Entry{Seq: 1, At: when, Event: &Started{Run: "r1", Carried: []Range{{3, 5}}}}
		Seal(Hash{}, &e)
		return []byte(strings.Replace(string(Marshal([]Entry{e})), `[3,5]`, carried, 1))
	}
	for carried, want := range map[string]string{
		"[3]": "want pairs of numbers", "[5,3]": "5 to 3 is no range", "[0,3]": "0 to 3 is no range", "[1,99999999]": "1 to 99999999 is no range",
	} {
		_, err := Unmarshal(line(carried))
		assert.ErrorContains(t, err, want)
	}
}

func TestStatusesOfChildrenAreSingle(t *testing.T) {
	e := Entry{Seq: 1, At: when, Event: &ChildClosed{Step: 1, Status: StatusFailed}}
	Seal(Hash{}, &e)
	for _, bad := range []string{"closed", "lost", ""} {
		_, err := Unmarshal([]byte(strings.Replace(string(Marshal([]Entry{e})), `"status":"failed"`, `"status":"`+bad+`"`, 1)))
		assert.ErrorContains(t, err, "no status is called")
	}
}
