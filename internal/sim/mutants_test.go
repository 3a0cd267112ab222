package sim_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A mutant is a bug that somebody could make. The simulator is worth what it finds of them.
type mutant struct {
	name     string
	file     string // from the root of the module
	old, new string // what is replaced, which is there once, and by what
}

// mutants are all of them, by what they break.
var mutants = []mutant{
	// Appends.
	{"answer-before-append", "runtime/execution.go",
		"\t\t\terr = w.append(m)\n",
		"\t\t\tearly := *m\n\t\t\tearly.pending = append([]history.Entry{}, m.pending...)\n\t\t\tgo func() { _ = w.append(&early) }()\n"},
	{"act-before-append", "runtime/execution.go",
		"\t\t\terr = w.append(m)\n",
		"\t\t\tfor i := range m.pending {\n\t\t\t\tw.x.dispatch(m, &m.pending[i])\n\t\t\t}\n\t\t\terr = w.append(m)\n"},
	{"conflict-taken-for-success", "runtime/execution.go",
		"\t\t\terr = w.append(m)\n",
		"\t\t\tif err = w.append(m); errors.Is(err, store.ErrConflict) {\n\t\t\t\terr = nil\n\t\t\t}\n"},
	{"store-forgets-expected-seq", "store/memory/disk.go",
		"entries[0].Seq != next {", "entries[0].Seq > next {"},
	{"unknown-taken-for-stored", "runtime/append.go",
		"\t\tunknown = unknown || errors.Is(err, store.ErrUnknownOutcome)\n",
		"\t\tif errors.Is(err, store.ErrUnknownOutcome) {\n\t\t\treturn nil\n\t\t}\n"},
	{"unknown-taken-for-failure", "runtime/append.go",
		"\t\tunknown = unknown || errors.Is(err, store.ErrUnknownOutcome)\n",
		"\t\tif errors.Is(err, store.ErrUnknownOutcome) {\n\t\t\treturn store.ErrTooLarge\n\t\t}\n"},
	{"unavailable-after-unknown", "runtime/append.go",
		"!errors.Is(err, store.ErrUnknownOutcome) && !errors.Is(err, store.ErrUnavailable) {",
		"!errors.Is(err, store.ErrUnknownOutcome) {"},
	{"times-go-back", "runtime/turn.go",
		"if at.Before(m.state.At) {", "if at.Before(m.state.At) && m.state.Seq == 0 {"},
	{"told-too-early", "runtime/turn.go",
		"\tif len(asks) == 0 {\n\t\te.Told = e.Seq\n", "\tif len(asks) >= 0 {\n\t\te.Told = e.Seq\n"},
	{"not-told-again", "runtime/turn.go",
		"\tif w.works() && !w.isHalted(m.state) {\n\t\tif err := w.catchUp(m)", "\tif w.works() && m.state == nil {\n\t\tif err := w.catchUp(m)"},

	// Requests.
	{"request-done-again", "runtime/turn.go",
		"\tif again {\n\t\tc.answer.nothing = true\n", "\tif again && c.by == history.Clock {\n\t\tc.answer.nothing = true\n"},
	{"requests-of-run-before-forgotten", "runtime/request.go",
		"again || !c.named ||", "again || true ||"},

	// What a rule halts.
	{"halted-is-told", "runtime/owner.go",
		"w.halted = w.x.rt.halted(m.state.Run.Type)", "w.halted = false && before"},
	{"halted-is-begun", "dispatch/halt.go",
		"\tq.halted = halted\n", ""},
	{"lifted-is-left", "runtime/halt.go",
		"\t\ttell(r.laws.lifted)\n", ""},

	// What a pause holds.
	{"held-limits-do-not-move", "history/pause.go",
		"\t\ta.Held += a.share(e.Held, at.At)\n", "\t\t_ = a\n"},
	{"held-limit-passes", "history/activity.go",
		"if !p.HoldsLimits() {\n\t\tearlier(a.Deadline()", "if true {\n\t\tearlier(a.Deadline()"},

	// Wakes.
	{"wake-not-set", "runtime/execution.go",
		"\tr.wakes.Wake(x.id, wake, r.now())\n", ""},
	{"wake-late", "runtime/execution.go",
		"\tr.wakes.Wake(x.id, wake, r.now())\n",
		"\tif !wake.IsZero() {\n\t\twake = wake.Add(10 * time.Minute)\n\t}\n\tr.wakes.Wake(x.id, wake, r.now())\n"},
	{"wakes-not-rebuilt", "runtime/hydrate.go",
		"\t\tr.wakes.WakeBy(tail.ID, tail.Wake, r.now())\n", ""},
	{"far-wake-never-looked-for", "timers/wakes.go",
		"\t\tw.Drop(id)\n\t\tw.leave(due)\n", "\t\tw.Drop(id)\n"},
	{"tail-of-old-wake", "runtime/append.go",
		"Wake: s.Wake(), Due:", "Due:"},
	{"cancelled-timer-fires", "history/timer.go",
		"func (e *TimerCancelled) evolve(s *State, at *Entry)      { s.dropTimer(e.Step) }",
		"func (e *TimerCancelled) evolve(s *State, at *Entry)      {}"},
	{"timer-fires-early", "commands/wake.go",
		"ok && !due.After(now) {", "ok && !due.After(now.Add(time.Second)) {"},

	// Attempts.
	{"beat-does-not-save", "commands/wake.go",
		"limit == history.HeartbeatLimit && t.Beat.Add(a.Policy.Heartbeat).After(now):", "limit == \"\":"},
	{"back-off-zero", "commands/activity.go",
		"\treturn now.Add(delay), \"\"\n", "\treturn now, \"\"\n"},
	{"stale-outcome-accepted", "commands/activity.go",
		"\tcase t.Serial < a.Serial, t.Serial < t.Newest, t.Serial == a.Serial && a.Started.IsZero():\n",
		"\tcase a.Policy == nil:\n"},
	{"second-outcome-accepted", "history/activity.go",
		"func (e *ActivityCompleted) evolve(s *State, at *Entry) { s.settle(e.Step) }",
		"func (e *ActivityCompleted) evolve(s *State, at *Entry) {}"},
	{"token-of-any-attempt", "runtime/token.go",
		"Step: t.Step, Serial: t.Serial}", "Step: t.Step, Serial: 1 << 62}"},
	{"attempts-not-counted", "commands/activity.go",
		"most > 0 && a.Attempt >= most {", "most > 0 && a.Attempt > most {"},
	{"lost-attempt-made-again", "commands/activity.go",
		"\tcase most > 0 && a.Attempt >= most:\n", "\tcase most < 0:\n"},
	{"checkpoint-forgotten", "history/activity.go",
		"\t\ta.Beat = e.Beat\n\t\ta.keep(e.Checkpoint)\n", "\t\ta.Beat = e.Beat\n"},

	// What is to be done.
	{"offer-lost-by-restart", "runtime/activity.go",
		"\t\t\tr.queue.OfferNew(x.attempt(s, a, history.Payload{}), a.RetryAt, now)\n", "\t\t\t_ = now\n"},
	{"retry-not-offered", "runtime/consequence.go",
		"\t\tx.offer(m, v.Step, now)\n\tcase *history.AttemptLost:\n", "\tcase *history.AttemptLost:\n"},
	{"settled-attempt-goes-on", "runtime/consequence.go",
		"\t\tx.settle(v.Step, fmt.Errorf(\"%w: %s\", activity.ErrTimeout, v.Limit))\n", ""},
	{"place-in-hand-not-given-back", "dispatch/hand.go",
		"\tq.free++\n", "\tif !h.work.abandoned {\n\t\tq.free++\n\t}\n"},
	{"slot-not-given-back", "dispatch/limit.go", "\t\tb.inUse--\n", ""},
	{"limit-off-by-one", "dispatch/limit.go", "case l.AtOnce > 0 && b.inUse >= b.most.AtOnce:\n\t\treturn false", "case l.AtOnce > 0 && b.inUse > b.most.AtOnce:\n\t\treturn false"},
	{"run-slot-not-given-back", "dispatch/slot.go", "\t\tk.n, k.of.n = k.n-1, k.of.n-1\n", ""},
	{"run-limit-off-by-one", "dispatch/slot.go", "l.AtOnce == 0 || n < l.AtOnce", "l.AtOnce == 0 || n <= l.AtOnce"},
	{"open-runs-not-counted", "dispatch/slot.go", "\t\tstate := begun\n\t\tif r.Queued {", "\t\tstate := waits\n\t\tif true {"},
	{"continued-run-takes-another-slot", "dispatch/slot.go", "\t\tr.run, r.chain = run.ID, run.Chain\n\t\tif now == waits {", "\t\ts.remove(r)\n\t\tr = nil\n\t\tif false {"},
	{"retries-under-no-limit", "dispatch/lane.go", "\t\tif !w.Local {\n\t\t\tl.buckets", "\t\tif !w.Local && w.Number <= 1 {\n\t\t\tl.buckets"},
	{"who-waits-for-a-limit-is-forgotten", "dispatch/limit.go", "\t\tb.refs--\n\t\tq.stir(b)\n", "\t\tb.refs--\n"},
	{"retry-time-ignored", "dispatch/dispatch.go",
		"\tif at.After(now) {\n", "\tif at.After(now.Add(time.Hour)) {\n"},

	// Runs that continue.
	{"unread-signals-dropped", "commands/execution.go",
		"next.Carried, next.Updates = history.Ranges(c.Unread), c.Updates", "next.Updates = c.Updates"},
	{"updates-dropped", "commands/execution.go",
		"next.Carried, next.Updates = history.Ranges(c.Unread), c.Updates", "next.Carried = history.Ranges(c.Unread)"},
	{"carried-not-told", "runtime/memory.go",
		"\tconfig.Carried, m.carried = m.carried, nil\n", "\tm.carried = nil\n"},
	{"unread-not-recorded", "runtime/turn.go",
		"\t\te.Unread = m.machine.UnreadCount()\n", ""},
	{"depth-not-handed-on", "commands/execution.go",
		"Root: r.Root, Depth: r.Depth,", "Root: r.Root,"},
	{"late-cancel-dropped", "runtime/turn.go",
		"\treturn w.record(m, late, history.Code, \"\")\n", "\treturn nil\n"},

	// Others.
	{"parent-not-told", "runtime/child.go",
		"\tif p := s.Run.Parent; p.ID != \"\" {\n\t\tparent", "\tif p := s.Run.Parent; p.ID != \"\" && p.ID == s.Run.ID {\n\t\tparent"},
	{"child-not-started-again", "runtime/activity.go",
		"\tx.childrenAgain(s, durable)\n", ""},
	{"sends-not-made-again", "runtime/activity.go",
		"\tx.sendsAgain(s, durable)\n", ""},
	{"lookups-not-made-again", "runtime/activity.go",
		"\tx.findsAgain(s, durable)\n", ""},
	{"lookup-does-not-wait-for-the-index", "runtime/find.go",
		"\treturn r.fresh(ctx, q)\n", "\tq.Stale = true\n\treturn r.fresh(ctx, q)\n"},
	{"lookup-finds-itself", "query/window.go",
		"\treturn Where(q, None(Runs.Run.Is(run)))\n", "\treturn q\n"},
	{"lookup-sees-what-came-later", "query/window.go",
		"\tif q.Until.IsZero() || q.Until.After(end) {\n", "\tif q.Until.After(end) {\n"},
	{"children-do-not-follow", "runtime/child.go",
		"\tif s.Run.HadChildren {\n", "\tif s.Run.HadChildren && s.Run.ID == \"\" {\n"},
	{"child-does-not-look-at-parent", "runtime/activity.go",
		"s.Run.Parent.OnClose != history.AbandonChild {\n\t\tr.follow(id)\n", "s.Run.Parent.OnClose != history.AbandonChild {\n"},
	{"orphan-not-found-at-start", "runtime/child.go",
		"\tcase over(told) && err == nil: // the parent has ended meanwhile\n\t\tr.follow(child)\n", "\tcase over(told) && err == nil:\n"},
	{"cancel-of-child-not-delivered", "runtime/child.go",
		"c != nil && c.Chain != \"\" {\n\t\t\tx.cancelChild(s.Run, c)", "c != nil && c.Chain == \"\" {\n\t\t\tx.cancelChild(s.Run, c)"},
	{"end-of-old-child-not-looked-for", "runtime/child.go",
		"\tcase told == nil && err == nil && a.nothing: // it was started before, and may have ended before anybody knew whom to tell\n\t\treturn r.lookAt(ctx, id, run, child, a.chain, asked.Step)\n", ""},
	{"broken-not-tried-again", "runtime/hydrate.go",
		"\tr.broken.Store(id, at)\n", ""},

	// The index.
	{"index-applies-twice", "lookup/apply.go",
		"!records[0].Position.After(position) {", "position.After(records[0].Position) {"},
	{"index-skips-one", "lookup/run.go",
		"g.end(g.read(ctx, log, position))", "g.end(g.read(ctx, log, store.At(position.Commit+1)))"},
	{"index-keeps-continued-run-open", "lookup/fold.go",
		"\t\tr.close(query.Continued, event.Closing, at)\n", "\t\tr.told = r.Seq\n"},
	{"index-forgets-status", "lookup/apply.go",
		"if r.Status != r.was {", "if r.Status != r.was && r.open() {"},

	// Replay.
	{"gate-by-place", "replay/driver.go",
		"gate && (!m.live || m.remaining > m.counted) {", "gate && !m.live {"},
	{"gate-always-new", "replay/driver.go",
		"gate && (!m.live || m.remaining > m.counted) {", "gate && m.now.IsZero() {"},
	{"value-made-again", "replay/driver.go",
		"\tif kept, ok := m.kept[key]; ok {\n", "\tif kept, ok := m.kept[key]; ok && gate {\n"},

	// Several nodes.
	{"lease-not-kept", "runtime/node.go",
		"!n.leaving && now.Sub(n.acked) < n.lease*3/4 && now.Sub(n.echoed) < n.lease\n", "!n.leaving && now.After(n.acked.Add(-time.Hour))\n"},
	{"nobody-is-buried", "runtime/node.go",
		"\t\tif fit {\n\t\t\tn.bury(ctx)\n\t\t}\n", ""},
	{"buried-goes-on", "runtime/node.go",
		"errors.Is(err, store.ErrConflict) {\n\t\t\t\treturn errBuried\n", "errors.Is(err, store.ErrConflict) {\n\t\t\t\tn.r.logger.Debug(\"buried\")\n"},
	{"what-was-missed-is-not-looked-for", "runtime/node.go",
		"\t\t\tn.again()\n", "\t\t\tn.r.logger.Debug(\"missed\")\n"},
	{"foreign-input-not-attended", "runtime/ear.go",
		"\tcase tail != nil && r.owns(id, tail.Type, tail.Version):\n", "\tcase tail != nil && tail.Seq == 0:\n"},
	{"not-taken-up", "runtime/share.go",
		"\t\t\tn.takeUpOne(within, group, tail)\n", ""},
	{"wake-of-taken-up-not-set", "runtime/share.go",
		"\tn.r.wakes.WakeBy(tail.ID, tail.Wake, n.r.now())\n\tif n.r.toDo", "\tif n.r.toDo"},
	{"says-before-letting-go", "runtime/share.go",
		"\t\tif !n.letGo(ctx) {\n\t\t\treturn\n\t\t}\n\t\tn.mu.Lock()\n\t\tif to.After", "\t\tif ctx.Err() != nil {\n\t\t\treturn\n\t\t}\n\t\tn.mu.Lock()\n\t\tif to.After"},
	{"who-does-not-own-answers", "runtime/owner.go",
		"{ return w.owns && w.x.rt.working.Load() }", "{ return w.x.rt.working.Load() }"},
	{"not-refreshed", "runtime/refresh.go",
		"\tif r.node == nil || m.state == nil || m.guessed {\n", "\tif r != nil {\n"},

	// Runs that go on from others.
	{"messages-behind-the-cut-forgotten", "commands/adopt.go",
		"\t\tcase *history.Signaled, *history.UpdateAccepted:\n\t\t\ttold = true\n", ""},
	{"outcomes-adopted-twice", "commands/adopt.go",
		"told = open[o.step] && !o.failed && o.step != without", "told = !o.failed && o.step != without"},
	{"past-told-with-other-numbers", "replay/adopt.go",
		"\tp := m.adopts.Told(nth)\n", "\tp := m.adopts.Told(nth + 1<<20)\n"},
	{"adopted-attempts-go-on", "history/adopt.go",
		"if e.Adopted == nil || e.Event.Role() != Note {", "if e.Adopted == nil || e.Seq > 0 {"},
}

// Equivalent are changes that look like bugs and are none, because something else stands in for what they take away: they are not
// tried. Who takes that away too makes mutants of them.
//
//   - passed in commands/wake.go counts the heartbeat limit from the start of the attempt: [commands.Wake] looks at the last sign of
//     life again before it says that the limit has passed, and records that instead.
//   - Update in commands/update.go does not ask whether the update is open: the id of an update is that of its request, which is known
//     before anything is decided.
//   - OfferNew in dispatch/dispatch.go keeps an earlier attempt: in one process whoever records that an attempt is over offers the next in
//     the same breath, so what is taken up again knows no later one. With several processes it will be a mutant.
//   - handed in runtime/claim.go does not yield what is not in hand: who finds that it does not own an execution has yielded it already.
//   - appendPiece in runtime/append.go takes an unknown outcome for a conflict: everything is decided again behind what was stored, and
//     of two appends at one place only one is; requests are known again by their ids.

// TestEveryMutantHasItsPlace: what a mutant changes is still there, and there once. That each is found takes longer, see
// TestMutants.
func TestEveryMutantHasItsPlace(t *testing.T) {
	names := map[string]bool{}
	for _, m := range every() {
		if names[m.name] {
			t.Errorf("there are two mutants called %s", m.name)
		}
		names[m.name] = true
		if _, err := m.mutate(); err != "" {
			t.Errorf("%s: %s", m.name, err)
		}
	}
}

// mutate is the file with the bug in it, or what is in the way.
func (m mutant) mutate() (text, err string) {
	b, failed := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(m.file)))
	if failed != nil {
		return "", failed.Error()
	}
	switch n := strings.Count(string(b), m.old); {
	case n == 0:
		return "", m.file + " no longer has the text that is to be changed: " + m.old
	case n > 1:
		return "", m.file + " has the text that is to be changed more than once: " + m.old
	}
	return strings.Replace(string(b), m.old, m.new, 1), ""
}
