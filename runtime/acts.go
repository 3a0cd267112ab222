package runtime

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/socket"
	"github.com/clewflow/clew/lookup"
)

// ActsQuery asks for what operators did.
type ActsQuery struct {
	By    string    // who; empty: anybody
	ID    string    // the execution to which it was done; empty: any, and the namespace itself
	Since time.Time // zero: from the beginning
	Until time.Time // before; zero: up to now
	Limit int       // how many at the most; 0: all
}

// Act is something that an operator did: to an execution, or to the namespace, such as its policies.
type Act struct {
	At    time.Time
	By    string        // who
	ID    history.ID    // of the execution; the workflow is empty where it is the namespace
	Kind  string        // of the event
	Entry history.Entry // that says what, why and, of a policy, what was before
}

const actsPage = 200

// Acts yields what operators did in the namespace, the newest first: to executions, to policies and retention, and to the record itself. It is
// found by the index, and told from the entries in the log. What was done to an execution goes with its history when it is deleted; that
// it was deleted, and held before, stays. Errors: ErrUnavailable, those of the index.
func (r *Runtime) Acts(ctx context.Context, q ActsQuery) iter.Seq2[Act, error] {
	return func(yield func(Act, error) bool) {
		want := lookup.Acts{Namespace: r.config.Namespace, Operator: q.By, ID: q.ID, Since: q.Since, Until: q.Until, Limit: actsPage}
		for n := 0; ; {
			page, err := r.actsPage(ctx, want)
			for i := 0; err == nil && i < len(page); i++ {
				var a Act
				var ok bool
				if a, ok, err = r.act(ctx, page[i]); err != nil {
					break
				} else if ok && !yield(a, nil) {
					return
				}
				if n++; n == q.Limit {
					return
				}
			}
			if err != nil {
				yield(Act{}, err)
				return
			}
			if len(page) < actsPage {
				return
			}
			want.Before = page[len(page)-1].Position
		}
	}
}

// actsPage asks the index, which has reached what was recorded before the call.
func (r *Runtime) actsPage(ctx context.Context, q lookup.Acts) ([]lookup.Act, error) {
	if q.Before == 0 {
		head, err := r.log.Head(ctx)
		if err != nil {
			return nil, fmt.Errorf("runtime: looking for what operators did: %w", err)
		}
		if err := r.index.Reached(ctx, head); err != nil {
			return nil, err
		}
	}
	return r.index.Acts(ctx, q)
}

// act reads the entry of an act; ok is false if it is gone meanwhile.
func (r *Runtime) act(ctx context.Context, a lookup.Act) (act Act, ok bool, err error) {
	for record, err := range r.log.Read(ctx, a.Stream, a.Seq) {
		if err != nil {
			return act, false, fmt.Errorf("runtime: reading what an operator did: %w", err)
		}
		return Act{At: a.At, By: a.Operator, ID: a.ID, Kind: a.Kind, Entry: record.Entry}, record.Entry.Seq == a.Seq && record.Entry.Event.Kind() == a.Kind, nil
	}
	return act, false, nil
}

// MarshalJSON has the entry as it is recorded.
func (a Act) MarshalJSON() ([]byte, error) {
	return json.Marshal(actJSON{a.At, a.By, a.ID.Namespace, a.ID.Workflow, a.Kind, history.AppendEntry(nil, a.Entry)})
}

// UnmarshalJSON reads what [Act.MarshalJSON] wrote.
func (a *Act) UnmarshalJSON(text []byte) error {
	var j actJSON
	err := json.Unmarshal(text, &j)
	if err == nil {
		a.Entry, err = history.UnmarshalEntry(j.Entry)
	}
	a.At, a.By, a.ID, a.Kind = j.At, j.By, history.ID{Namespace: j.Namespace, Workflow: j.ID}, j.Kind
	return err
}

type actJSON struct {
	At        time.Time       `json:"at"`
	By        string          `json:"by"`
	Namespace string          `json:"namespace"`
	ID        string          `json:"id,omitempty"`
	Kind      string          `json:"kind"`
	Entry     json.RawMessage `json:"entry"`
}

// Acts is what tools ask; the question and the answer are an [ActsQuery] and Acts as JSON.
func (s reading) Acts(ctx context.Context, namespace string, question json.RawMessage) (json.RawMessage, error) {
	return s.r.ActsJSON(ctx, namespace, question)
}

// ActsJSON is [Runtime.Acts] for tools, which are given all of them at once.
func (r *Runtime) ActsJSON(ctx context.Context, namespace string, question []byte) (json.RawMessage, error) {
	if err := r.ownNamespace(namespace); err != nil {
		return nil, err
	}
	var q ActsQuery
	if err := json.Unmarshal(question, &q); err != nil {
		return nil, fmt.Errorf("runtime: a question for acts: %w", err)
	}
	all := []Act{}
	for a, err := range r.Acts(ctx, q) {
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return json.Marshal(all)
}

var _ socket.Executions[Description] = reading{}
