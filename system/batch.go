// Package system holds the workflows that clew ships, written with clew.
//
// [Batches] does one operation to each of the executions that a query finds. [Keeper] has what is kept no longer removed, time and again,
// by [Sweeps]. [Debounces] makes one start of several. The package says what is done in which order; the activities
// that look and operate are bound by package runtime, which registers all of it by itself.
package system

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/workflow"
)

// Prefix begins the names of all workflows and activities of this package.
const Prefix = "clew."

// Batch is what is to be done to which executions.
type Batch struct {
	Query     string          `json:"query,omitempty"` // which runs, in the query language
	IDs       []string        `json:"ids,omitempty"`   // or these executions
	Operation json.RawMessage `json:"operation"`       // a runtime.Operation
	Reason    string          `json:"reason,omitempty"`
	By        string          `json:"by,omitempty"`      // the operator
	Rate      float64         `json:"rate,omitempty"`    // operations a second at the most; 0: 100
	Most      int             `json:"most,omitempty"`    // executions; a query that finds more is refused; 0: 1,000
	DryRun    bool            `json:"dry_run,omitempty"` // only count, and tell the first

	Position *Position `json:"position,omitempty"` // set by the batch for the run that continues it
}

// Position is how far a batch has come.
type Position struct {
	Report
	After string    `json:"after,omitempty"` // the page that comes next
	Next  int       `json:"next,omitempty"`  // of IDs
	As    time.Time `json:"as"`              // runs that began later are left out, and what is relative to now is relative to it
	At    uint64    `json:"at,omitempty"`    // place in the log as of which the query is answered

	Targets []Target `json:"-"` // all that there are, if they were found at once
}

// Report is what came of a batch, also of one that goes on.
type Report struct {
	Found   int               `json:"found"`            // executions, when it began
	Older   int               `json:"older,omitempty"`  // runs that were found too and left alone, because their executions had gone on with another
	Done    int               `json:"done"`             // operations that were done, now or by an attempt before
	Refused int               `json:"refused"`          // that were not, because the execution does not allow it
	Why     map[string]int    `json:"why,omitempty"`    // how often each kind of refusal came
	First   map[string]string `json:"first,omitempty"`  // of the executions that refused the first 100, and why
	Sample  []string          `json:"sample,omitempty"` // of a dry run: the first that were found
	DryRun  bool              `json:"dry_run,omitempty"`
}

// Target is an execution that is to be operated on, and the run that was found of it.
type Target struct {
	ID  string `json:"id"`
	Run string `json:"run,omitempty"` // empty: whichever there is
}

// Look asks for one page of executions.
type Look struct {
	Query string    `json:"query"`
	As    time.Time `json:"as"` // runs that began, or ended, later are left out
	After string    `json:"after,omitempty"`
	At    uint64    `json:"at,omitempty"`    // place in the log as of which is asked; 0: now
	Count bool      `json:"count,omitempty"` // how many there are, and as of where
}

// Page is what was found.
type Page struct {
	Count   int      `json:"count,omitempty"`
	Older   int      `json:"older,omitempty"` // of runs; see [Report]
	At      uint64   `json:"at,omitempty"`    // place in the log as of which it was counted
	Whole   bool     `json:"whole,omitempty"` // the count came with all targets
	Targets []Target `json:"targets,omitempty"`
	Next    string   `json:"next,omitempty"` // empty: that was the last
}

// Some are executions that are operated on one after the other.
type Some struct {
	Batch     string          `json:"batch"` // id and run of the chain, which make requests what they are
	Targets   []Target        `json:"targets"`
	Operation json.RawMessage `json:"operation"`
	Reason    string          `json:"reason,omitempty"`
	By        string          `json:"by,omitempty"`
	Rate      float64         `json:"rate"`
}

// Outcome is what came of one operation.
type Outcome struct {
	ID   string `json:"id"`
	Run  string `json:"run,omitempty"`  // that it began
	Kind string `json:"kind,omitempty"` // of refusal, for counting; empty: it was done
	Why  string `json:"why,omitempty"`  // it was refused
}

// The activities of batches.
var (
	Find    = activity.Declare[Look, Page](Prefix+"batch.find", activity.StartToClose(2*time.Minute), activity.Retry{Max: time.Minute})
	Operate = activity.Declare[Some, []Outcome](Prefix+"batch.operate", activity.StartToClose(time.Hour), activity.HeartbeatWithin(time.Minute), activity.Retry{Max: time.Minute})
)

// Batches does an operation to each of the executions that a query finds, in the order in which they began, the newest first. It can be
// paused, cancelled and asked how far it has come like any workflow; after a crash it goes on. Each operation is a request of its own, so
// none is done twice.
var Batches = workflow.Define(Prefix+"batch", batch)

// Standard settings of a batch.
const (
	StandardRate = 100
	StandardMost = 1000

	samples = 20
	reasons = 100 // executions that are named with why they refused
	chunk   = 100 // operations of one activity
	pages   = 10  // of one run, so that its history stays short
)

func batch(ctx workflow.Context, b Batch) (Report, error) {
	if err := b.check(); err != nil {
		return Report{}, err
	}
	p := b.Position
	if p == nil {
		p = &Position{As: workflow.Now(ctx)}
		if err := b.begin(ctx, p); err != nil || b.DryRun {
			return p.Report, err
		}
	}
	for n := 0; ; n++ {
		workflow.Publish(ctx, p.Report)
		page, err := b.page(ctx, p)
		if err != nil {
			return p.Report, err
		}
		for len(page.Targets) > 0 {
			some := page.Targets[:min(b.chunk(), len(page.Targets))]
			page.Targets = page.Targets[len(some):]
			info := workflow.Info(ctx)
			outcomes, err := workflow.Do(ctx, Operate, Some{
				Batch: info.ID + ":" + info.Chain, Targets: some, Operation: b.Operation, Reason: b.Reason, By: b.By, Rate: b.rate(),
			})
			if err != nil {
				return p.Report, err
			}
			p.take(outcomes)
			workflow.Publish(ctx, p.Report)
		}
		if page.Next == "" {
			return p.Report, nil
		}
		if p.After = page.Next; n+1 >= pages {
			b.Position = p
			return p.Report, workflow.ContinueAsNew(ctx, b)
		}
	}
}

func (b *Batch) check() error {
	switch {
	case (b.Query == "") == (len(b.IDs) == 0):
		return errors.New("clew: a batch wants a query or ids, and not both; \"*\" is every run")
	case b.Rate < 0 || b.Most < 0:
		return fmt.Errorf("clew: a batch wants a rate and a number of executions above 0, not %g and %d", b.Rate, b.Most)
	case !json.Valid(b.Operation):
		return errors.New("clew: a batch wants an operation")
	}
	return nil
}

func (b *Batch) rate() float64 {
	if b.Rate == 0 {
		return StandardRate
	}
	return b.Rate
}

// chunk is so many operations that an activity takes a minute at the most.
func (b *Batch) chunk() int { return max(1, min(chunk, int(60*b.rate()))) }

// begin counts what is to be done.
func (b *Batch) begin(ctx workflow.Context, p *Position) error {
	p.DryRun = b.DryRun
	if p.Found = len(b.IDs); b.Query != "" {
		page, err := workflow.Do(ctx, Find, Look{Query: b.Query, As: p.As, Count: true})
		if err != nil {
			return err
		}
		p.Found, p.Older, p.At = page.Count, page.Older, page.At
		if page.Whole {
			p.Targets = append([]Target{}, page.Targets...)
		}
	}
	if b.DryRun {
		page, err := b.page(ctx, p)
		for i, t := range page.Targets {
			if i < samples {
				p.Sample = append(p.Sample, t.ID)
			}
		}
		return err
	}
	if most := b.most(); p.Found > most {
		return fmt.Errorf("clew: the batch finds %d executions, and is to change %d at the most: say that it may change more (Most, --most), or narrow the query; nothing was done", p.Found, most)
	}
	return nil
}

func (b *Batch) most() int {
	if b.Most == 0 {
		return StandardMost
	}
	return b.Most
}

// page is what is next.
func (b *Batch) page(ctx workflow.Context, p *Position) (Page, error) {
	if p.Targets != nil {
		return Page{Targets: p.Targets}, nil
	}
	if b.Query != "" {
		return workflow.Do(ctx, Find, Look{Query: b.Query, As: p.As, At: p.At, After: p.After})
	}
	var page Page
	for p.Next < len(b.IDs) && len(page.Targets) < 1000 {
		page.Targets = append(page.Targets, Target{ID: b.IDs[p.Next]})
		p.Next++
	}
	if p.Next < len(b.IDs) {
		page.Next = "ids"
	}
	return page, nil
}

func (p *Position) take(outcomes []Outcome) {
	for _, o := range outcomes {
		if o.Kind == "" {
			p.Done++
			continue
		}
		p.Refused++
		if p.Why == nil {
			p.Why, p.First = map[string]int{}, map[string]string{}
		}
		p.Why[o.Kind]++
		if len(p.First) < reasons {
			p.First[o.ID] = o.Why
		}
	}
}

// Definitions are the workflows of this package.
func Definitions() []workflow.Definition {
	return []workflow.Definition{Batches, Keeper, Sweeps, Debounces}
}
