package system

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/clewflow/clew/workflow"
)

// DebounceID is the workflow id of what waits for the starts of a key.
func DebounceID(key string) string { return Prefix + "debounce." + key }

// MostInputs is how many starts one run collects at the most: it begins at once with so many.
const MostInputs = 1000

const (
	mostCollected = 1 << 20 // bytes that one run collects, likewise
	standardWaits = 10      // windows that a run is put off at the most
)

// Debounce is how long starts that come close together are waited for, and what becomes of their inputs.
type Debounce struct {
	Window  time.Duration `json:"window"`            // the run begins so long after the last start
	Most    time.Duration `json:"most,omitempty"`    // but so long after the first at the latest; 0: ten windows
	Collect bool          `json:"collect,omitempty"` // the input of the run is a list of all inputs; else it is the last
}

// Put is one start. What it says of the run holds for all that it becomes one with, unless another comes later.
type Put struct {
	Debounce
	Workflow string          `json:"workflow"`
	Input    json.RawMessage `json:"input"`
	Encoding string          `json:"encoding,omitempty"` // of Input, which is then a string of base64; empty: JSON
	Run      Wanted          `json:"run,omitzero"`
}

// Wanted is what is asked of a run, as options of a start.
type Wanted struct {
	Version          int                        `json:"version,omitempty"`
	RunTimeout       time.Duration              `json:"run_timeout,omitempty"`
	ExecutionTimeout time.Duration              `json:"execution_timeout,omitempty"`
	CorrelationID    string                     `json:"correlation_id,omitempty"`
	Memo             map[string]any             `json:"memo,omitempty"`
	Attributes       map[string]json.RawMessage `json:"attributes,omitempty"`
	Headers          map[string]string          `json:"headers,omitempty"`
	LimitKey         string                     `json:"limit_key,omitempty"`
	WhenFull         workflow.Full              `json:"when_full,omitempty"`
}

// SetChild makes the run a child that asks for this.
func (r Wanted) SetChild(s *workflow.Settings) {
	s.Version, s.RunTimeout, s.ExecutionTimeout, s.CorrelationID = r.Version, r.RunTimeout, r.ExecutionTimeout, r.CorrelationID
	s.Memo, s.Attributes, s.Headers, s.LimitKey, s.WhenFull = r.Memo, r.Attributes, r.Headers, r.LimitKey, r.WhenFull
}

// Coming is the run that starts have become so far.
type Coming struct {
	ID     string    `json:"id"`     // workflow id that it will have
	Starts int       `json:"starts"` // that it is made of
	Begins time.Time `json:"begins"` // unless another start comes
}

// Burst is what waits to become a run.
type Burst struct {
	Runs   int               `json:"runs"`             // that have begun before
	Starts int               `json:"starts,omitempty"` // 0: nothing waits
	First  time.Time         `json:"first,omitzero"`
	Last   time.Time         `json:"last,omitzero"`
	Put    Put               `json:"put,omitzero"` // the last
	Inputs []json.RawMessage `json:"inputs,omitempty"`
	Failed string            `json:"failed,omitempty"` // why a run before could not be begun; the last of them
}

// What is asked of the workflow that waits for the starts of a key.
var (
	PutStart = workflow.NewUpdate[Put, Coming](Prefix + "debounce.put")        // a start; the answer says that it is taken
	Begun    = workflow.NewUpdate[string, struct{}](Prefix + "debounce.begun") // when the run of an id has begun
)

// Debounces begins one run for all the starts of a key that come close together, as an execution of its own that outlives it. It ends when
// none waits, and fails if one could not be begun.
var Debounces = workflow.Define(Prefix+"debounce", debounce)

func debounce(ctx workflow.Context, b Burst) (Burst, error) {
	beginning, failed := "", map[string]error{}
	PutStart.Handle(ctx, func(ctx workflow.Context, p Put) (Coming, error) {
		b.take(p, workflow.Now(ctx))
		return b.coming(ctx), nil
	}, b.fits)
	Begun.Handle(ctx, func(ctx workflow.Context, id string) (struct{}, error) {
		waits := func() bool { return id == beginning || b.Starts > 0 && id == b.coming(ctx).ID }
		err := workflow.Await(ctx, func() bool { return !waits() })
		if err == nil {
			err = failed[id]
		}
		return struct{}{}, err
	})
	for {
		over := func() bool { return b.Starts == 0 && b.Runs > 0 && workflow.AllHandlersFinished(ctx) }
		if err := workflow.Await(ctx, func() bool { return b.Starts > 0 || over() }); err != nil || over() {
			if err == nil && b.Failed != "" {
				err = errors.New(b.Failed)
			}
			return b, err
		}
		if err := b.wait(ctx); err != nil {
			return b, err
		}
		beginning = b.coming(ctx).ID
		gone := b.leave()
		if err := gone.begin(ctx, beginning); err != nil {
			if ctx.Err() != nil {
				return b, ctx.Err()
			}
			err = fmt.Errorf("%s was not begun: %w", beginning, err)
			failed[beginning], b.Failed = err, err.Error()
		}
		beginning = ""
	}
}

// leave takes what waits, and nothing does.
func (b *Burst) leave() Burst {
	gone := *b
	*b = Burst{Runs: b.Runs + 1, Failed: b.Failed}
	return gone
}

// begin begins the run and returns when there is one.
func (b *Burst) begin(ctx workflow.Context, id string) error {
	asked := []workflow.ChildOption{b.Put.Run, workflow.ID(id), workflow.OnParentClose(workflow.AbandonChild)}
	switch {
	case b.Put.Collect:
		return workflow.BeginChild(ctx, workflow.Declare[[]json.RawMessage, json.RawMessage](b.Put.Workflow), b.Inputs, asked...).Started(ctx)
	case b.Put.Encoding != "":
		in := encoded{b.Put.Encoding, b.Put.Input}
		return workflow.BeginChild(ctx, workflow.Declare[encoded, json.RawMessage](b.Put.Workflow), in, asked...).Started(ctx)
	default:
		return workflow.BeginChild(ctx, workflow.Declare[json.RawMessage, json.RawMessage](b.Put.Workflow), b.Put.Input, asked...).Started(ctx)
	}
}

// encoded is a value that has another encoding than JSON, as it was recorded.
type encoded struct {
	encoding string
	text     json.RawMessage
}

// EncodePayload makes it what it was.
func (e encoded) EncodePayload() (string, []byte, error) {
	var value []byte
	err := json.Unmarshal(e.text, &value)
	return e.encoding, value, err
}

// fits refuses a start that cannot become one with those that wait.
func (b *Burst) fits(p Put) error {
	switch {
	case p.Window <= 0 || p.Most != 0 && p.Most < p.Window:
		return fmt.Errorf("a window of %s and %s at the most: want more than 0, and no less at the most", p.Window, p.Most)
	case b.Starts > 0 && p.Workflow != b.Put.Workflow:
		return fmt.Errorf("starts of %s wait with this key, and this is one of %s: want another key", b.Put.Workflow, p.Workflow)
	case b.Starts > 0 && p.Collect != b.Put.Collect:
		return fmt.Errorf("starts of which %s wait with this key, and this is another: want all alike", collected(b.Put.Collect))
	}
	return nil
}

func collected(all bool) string {
	if all {
		return "all inputs are collected"
	}
	return "the last input counts"
}

func (b *Burst) take(p Put, now time.Time) {
	if b.Starts == 0 {
		b.First = now
	}
	b.Starts++
	b.Last, b.Put = now, p
	if p.Collect {
		b.Inputs = append(b.Inputs, p.Input)
		b.Put.Input = nil
	}
}

// begins is when the run begins if no other start comes.
func (b *Burst) begins() time.Time {
	last, most := b.Last.Add(b.Put.Window), b.Put.Most
	if most == 0 {
		most = standardWaits * b.Put.Window
	}
	if latest := b.First.Add(most); latest.Before(last) {
		return latest
	}
	return last
}

// full reports whether the run is to begin at once.
func (b *Burst) full() bool {
	size := 0
	for _, in := range b.Inputs {
		size += len(in)
	}
	return b.Put.Collect && (b.Starts >= MostInputs || size >= mostCollected)
}

// coming is the run that is to begin. Its id ends in what is random of the chain: the front of that is a time.
func (b *Burst) coming(ctx workflow.Context) Coming {
	key, chain := strings.TrimPrefix(workflow.Info(ctx).ID, DebounceID("")), workflow.Info(ctx).Chain
	return Coming{ID: fmt.Sprintf("%s~%s.%d", key, chain[max(0, len(chain)-12):], b.Runs+1), Starts: b.Starts, Begins: b.begins()}
}

// wait waits until no start has come for a window.
func (b *Burst) wait(ctx workflow.Context) error {
	for {
		until := b.begins()
		if b.full() || !until.After(workflow.Now(ctx)) {
			return nil
		}
		_, err := workflow.AwaitWithin(ctx, until.Sub(workflow.Now(ctx)), func() bool { return b.full() || b.begins().Before(until) || workflow.ShouldContinueAsNew(ctx) })
		if err != nil {
			return err
		}
		if workflow.ShouldContinueAsNew(ctx) {
			return workflow.ContinueAsNew(ctx, *b)
		}
	}
}
