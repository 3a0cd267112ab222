package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/runtime"
)

// toldSettings are sentences that say what somebody has chosen and who, a line for each. What is not recorded is summed up.
func toldSettings(all []history.Setting) (lines []string) {
	var said []string
	values := map[string][]string{}
	unknown := 0
	for _, s := range all {
		if s.From == history.NotRecorded {
			unknown++
			continue
		}
		who := s.String()
		if values[who] == nil {
			said = append(said, who)
		}
		values[who] = append(values[who], s.Field+" "+s.Value)
	}
	for _, who := range said {
		lines = append(lines, fmt.Sprintf("%s%s: %s.", strings.ToUpper(who[:1]), plain(who[1:]), plain(strings.Join(values[who], ", "))))
	}
	if unknown > 0 {
		lines = append(lines, fmt.Sprintf("Where %s of its policy come from is not recorded.", count(unknown, "field", "fields")))
	}
	return lines
}

// policy says where what an activity is under comes from.
func (x *explanation) policy(a *history.Activity, hand runtime.PendingActivity) {
	settings := hand.Policy
	if hand.Step == 0 {
		settings = history.Chosen(a.Settings())
	}
	for _, line := range toldSettings(settings) {
		x.say("  %s", line)
	}
}

// A sourced is an activity of which the policy is to be shown, gathered from the entries of a history.
type sourced struct {
	step   history.Step
	run    *history.State
	latest *history.Activity // of the last run that has the step
}

func (s *sourced) see(e history.Entry) {
	if s.step == 0 {
		return
	}
	if _, begins := e.Event.(*history.Started); begins || s.run == nil {
		s.run = &history.State{}
	}
	s.run.Evolve(e)
	if a := s.run.Activities[s.step]; a != nil {
		s.latest = a
	}
}

// print prints each field of the policy, what it says and where that comes from, with who laid a rule down.
func (s *sourced) print(ctx context.Context, w io.Writer, e *executions) error {
	if s.latest == nil {
		return nil
	}
	sets := map[uint64]history.Entry{}
	if _, err := policiesOf(ctx, e, func(entry history.Entry, _ *history.PolicySet) error { sets[entry.Seq] = entry; return nil }); err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nPOLICY\tVALUE\tFROM")
	for _, s := range s.latest.Settings() {
		if entry, ok := sets[s.Version]; ok {
			s.By, s.At, s.Reason = entry.By, entry.At, entry.Event.(*history.PolicySet).Reason
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", s.Field, plain(s.Value), oneLine(plain(strings.TrimPrefix(s.String(), "by "))))
	}
	return t.Flush()
}
