package system

import (
	"errors"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/workflow"
)

// KeeperID is the workflow id of the keeper of a namespace.
const KeeperID = Prefix + "retention"

// Standard settings of retention.
const (
	StandardEvery         = 24 * time.Hour
	StandardRetentionRate = 20

	sweepPages = 20 // of one run of a sweep, so that its history stays short
)

// Keep is where the keeper of a namespace stands.
type Keep struct {
	Begun time.Time `json:"begun,omitzero"` // when all was looked at last; zero: never
	Last  *Swept    `json:"last,omitempty"` // what came of that
	Wrong string    `json:"wrong,omitempty"`
}

// Kept is what the keeper publishes.
type Kept struct {
	Keep
	Next time.Time `json:"next,omitzero"` // when all is looked at next; zero: now
}

// Plan is the retention that is in force, as far as workflows have to know it. The rules themselves are read by who applies them.
type Plan struct {
	Version uint64        `json:"version"` // of the policies that it came with; 0: everything is kept for ever
	Every   time.Duration `json:"every,omitempty"`
	Rate    int           `json:"rate,omitempty"`
}

// Sweep is that all executions of a namespace are looked at once, and that what is kept no longer is removed.
type Sweep struct {
	DryRun bool           `json:"dry_run,omitempty"` // only count
	At     *SweepPosition `json:"at,omitempty"`      // set by the sweep for the run that continues it
}

// SweepPosition is how far a sweep has come.
type SweepPosition struct {
	Plan  Plan      `json:"plan"`
	As    time.Time `json:"as"` // by which ages are reckoned
	After string    `json:"after,omitempty"`
	Swept Swept     `json:"swept"`
}

// Removal asks for one page of a sweep.
type Removal struct {
	Sweep  string    `json:"sweep"` // id and run of the chain, which make requests what they are
	Plan   Plan      `json:"plan"`
	As     time.Time `json:"as"`
	After  string    `json:"after,omitempty"`
	DryRun bool      `json:"dry_run,omitempty"`
}

// Removed is what came of a page.
type Removed struct {
	Swept
	Next    string `json:"next,omitempty"`    // empty: that was the last page
	Changed bool   `json:"changed,omitempty"` // the rules have changed since, and nothing was done
}

// Swept is what was removed so far, or would be by a dry run.
type Swept struct {
	Version uint64 `json:"version"`          // of the policies whose rules say so
	Looked  int    `json:"looked"`           // runs that have ended and were looked at
	Whole   int    `json:"whole"`            // executions of which nothing is left
	Cut     int    `json:"cut,omitempty"`    // that lost older runs
	Runs    int    `json:"runs"`             // that are gone
	Entries int    `json:"entries"`          // likewise
	Bytes   int64  `json:"bytes"`            // of those entries
	Files   int    `json:"files,omitempty"`  // beside the log, that are gone
	Freed   int64  `json:"freed,omitempty"`  // bytes of the disk, where the log can say
	Held    int    `json:"held,omitempty"`   // executions that are kept by a hold
	Needed  int    `json:"needed,omitempty"` // that are kept because others still need them
	// Unexported executions are kept because a rule wants them exported before, and that failed.
	Unexported int            `json:"unexported,omitempty"`
	ByRule     map[string]int `json:"by_rule,omitempty"` // executions by the names of the rules
	Sample     []string       `json:"sample,omitempty"`  // the first of them
	DryRun     bool           `json:"dry_run,omitempty"`
}

// Add adds what came of another page.
func (s *Swept) Add(o Swept) {
	s.Version = o.Version
	s.Looked += o.Looked
	s.Whole += o.Whole
	s.Cut += o.Cut
	s.Runs += o.Runs
	s.Entries += o.Entries
	s.Bytes += o.Bytes
	s.Files += o.Files
	s.Freed += o.Freed
	s.Held += o.Held
	s.Needed += o.Needed
	s.Unexported += o.Unexported
	for rule, n := range o.ByRule {
		if s.ByRule == nil {
			s.ByRule = map[string]int{}
		}
		s.ByRule[rule] += n
	}
	s.Sample = append(s.Sample, o.Sample[:min(len(o.Sample), samples-min(len(s.Sample), samples))]...)
}

// The activities of retention.
var (
	PlanRetention = activity.Declare[struct{}, Plan](Prefix+"retention.plan", activity.StartToClose(time.Minute), activity.Retry{Max: time.Minute})
	Remove        = activity.Declare[Removal, Removed](Prefix+"retention.remove", activity.StartToClose(4*time.Hour), activity.HeartbeatWithin(time.Minute), activity.Retry{Max: time.Minute})
)

// RetentionChanged tells the keeper that the rules have changed.
var RetentionChanged = workflow.NewSignal[uint64](Prefix + "retention.changed")

// Keeper has all executions of a namespace looked at, again and again, as often as the retention in force says. It ends when everything
// is to be kept for ever; whoever lays other rules down begins it again.
var Keeper = workflow.Define(Prefix+"retention", keeper)

// Sweeps removes what is kept no longer, once. It can be paused, cancelled and asked how far it has come like any workflow, and after a
// crash it goes on.
var Sweeps = workflow.Define(Prefix+"retention.sweep", sweep)

func keeper(ctx workflow.Context, k Keep) (Keep, error) {
	for _, told := RetentionChanged.TryReceive(ctx); told; { // the plan, which comes after it, has what it is about
		_, told = RetentionChanged.TryReceive(ctx)
	}
	plan, err := workflow.Do(ctx, PlanRetention, struct{}{})
	if err != nil || plan.Version == 0 {
		return k, err
	}
	if next := k.Begun.Add(plan.Every); !k.Begun.IsZero() && next.After(workflow.Now(ctx)) {
		workflow.Publish(ctx, Kept{k, next})
		_, changed, err := RetentionChanged.ReceiveWithin(ctx, next.Sub(workflow.Now(ctx)))
		switch {
		case err != nil:
			return k, err
		case changed:
			return k, workflow.ContinueAsNew(ctx, k)
		}
	}
	k.Begun, k.Wrong = workflow.Now(ctx), ""
	workflow.Publish(ctx, Kept{Keep: k})
	swept, err := workflow.Child(ctx, Sweeps, Sweep{})
	switch {
	case ctx.Err() != nil:
		return k, ctx.Err()
	case err != nil:
		k.Wrong = err.Error()
	default:
		k.Last = &swept
	}
	return k, workflow.ContinueAsNew(ctx, k)
}

func sweep(ctx workflow.Context, s Sweep) (Swept, error) {
	p := s.At
	if p == nil {
		p = &SweepPosition{As: workflow.Now(ctx)}
		if err := p.plan(ctx); err != nil {
			return p.Swept, err
		}
	}
	p.Swept.DryRun = s.DryRun
	info := workflow.Info(ctx)
	for n := 0; p.Plan.Version > 0; n++ {
		workflow.Publish(ctx, p.Swept)
		if n >= sweepPages {
			s.At = p
			return p.Swept, workflow.ContinueAsNew(ctx, s)
		}
		page, err := workflow.Do(ctx, Remove, Removal{Sweep: info.ID + ":" + info.Chain, Plan: p.Plan, As: p.As, After: p.After, DryRun: s.DryRun})
		if err != nil {
			return p.Swept, err
		}
		if p.Swept.Add(page.Swept); page.Changed {
			if s.DryRun {
				return p.Swept, errors.New("clew: the rules have changed meanwhile; begin the dry run again")
			}
			if err := p.plan(ctx); err != nil {
				return p.Swept, err
			}
			continue
		}
		if p.After = page.Next; page.Next == "" {
			break
		}
	}
	workflow.Publish(ctx, p.Swept)
	return p.Swept, nil
}

// plan begins with the rules that are in force now.
func (p *SweepPosition) plan(ctx workflow.Context) (err error) {
	p.After = ""
	p.Plan, err = workflow.Do(ctx, PlanRetention, struct{}{})
	p.Swept.Version = p.Plan.Version
	return err
}
