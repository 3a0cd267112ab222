package sla

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/clewflow/clew/workflow"
)

// Desk is where the people on duty sit: what they are told is written to Out.
type Desk struct {
	Out    io.Writer
	Owners map[string]string // by the beginning of ids

	mu sync.Mutex
}

// Definitions are what a runtime needs to look after runs.
func (d *Desk) Definitions() []workflow.Definition {
	return []workflow.Definition{Check, FollowUp, Nightly, Alert.Bind(d.Alert), Ask.Bind(d.Ask), Publish.Bind(d.Publish)}
}

// Alert writes one line, however many runs it is about.
func (d *Desk) Alert(_ context.Context, a Alarm) (none workflow.None, err error) {
	var all []string
	for _, of := range []struct {
		what string
		ids  []string
	}{{"late", a.Late}, {"failed", a.Failed}} {
		if len(of.ids) > 0 {
			all = append(all, fmt.Sprintf("%d %s (%s)", len(of.ids), of.what, strings.Join(of.ids, ", ")))
		}
	}
	if a.Missing != "" {
		all = append(all, "no run of "+a.Missing)
	}
	return none, d.say("ALERT: %s\n", strings.Join(all, "; "))
}

// Ask writes to the owner.
func (d *Desk) Ask(_ context.Context, q Question) (string, error) {
	prefix, _, _ := strings.Cut(q.ID, "-")
	owner := d.Owners[prefix]
	if owner == "" {
		owner = "nobody"
	}
	return owner, d.say("to %s: %s waits for %s\n", owner, q.ID, q.Waiting)
}

// Publish writes the report as a table.
func (d *Desk) Publish(_ context.Context, n Night) (none workflow.None, err error) {
	var b strings.Builder
	fmt.Fprintf(&b, "%d runs\n", n.Runs)
	for _, l := range n.Lines {
		fmt.Fprintf(&b, "%-8s %-10s %d, %s at most\n", l.Type, l.Status, l.Runs, l.Longest)
	}
	return none, d.say("%s", b.String())
}

func (d *Desk) say(format string, args ...any) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, err := fmt.Fprintf(d.Out, format, args...)
	return err
}
