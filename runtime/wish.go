package runtime

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/internal/socket"
	"github.com/clewflow/clew/vault"
)

// EraseWish is what is to be taken away, for tools that are told so.
type EraseWish struct {
	Do        string          `json:"do"` // "redact", "delete", "retain", "set-retention", "sweep" or "import"
	Payloads  Payloads        `json:"payloads,omitzero"`
	Rules     []RetentionRule `json:"rules,omitempty"`
	Dry       bool            `json:"dry,omitempty"`
	As        time.Time       `json:"as,omitzero"`         // of "retain": the time as of which rules are asked; zero: now
	Only      []string        `json:"only,omitempty"`      // of "retain": these executions; default: all
	Retention *Retention      `json:"retention,omitempty"` // of "set-retention"
	File      string          `json:"file,omitempty"`      // of "import": a path on the machine of the process that has the store open
	Keys      []string        `json:"keys,omitempty"`      // of "import": the texts of the master keys of the archive
}

// Erased is what was taken away for an [EraseWish].
type Erased struct {
	Erasure
	Expired []Expired `json:",omitempty"` // of "retain"
	As      time.Time `json:",omitzero"`  // of "retain"
	Version uint64    `json:",omitempty"` // of the policies, of "set-retention"
	Imports []Import  `json:",omitempty"` // of "import"
}

// Erase does what a wish says: it is [Runtime.Redact], [Runtime.Delete], [Runtime.Retain], [Runtime.SetRetention],
// [Runtime.Sweep] or [Runtime.ImportFile]. Errors: ErrInvalid for another wish, else
// theirs.
func (r *Runtime) Erase(ctx context.Context, id string, wish EraseWish, opts ...CallOption) (done Erased, err error) {
	switch wish.Do {
	case "redact":
		done.Erasure, err = r.Redact(ctx, id, wish.Payloads, opts...)
	case "delete":
		done.Erasure, err = r.Delete(ctx, id, opts...)
	case "retain":
		if wish.As.IsZero() {
			wish.As = r.now()
		}
		done.As = wish.As
		done.Expired, err = r.retainAs(ctx, wish.Rules, wish.As, wish.Only, wish.Dry, opts)
	case "set-retention":
		if wish.Retention == nil {
			wish.Retention = &Retention{}
		}
		done.Version, err = r.SetRetention(ctx, *wish.Retention, opts...)
	case "sweep":
		_, err = r.Sweep(ctx, id, wish.Dry, RequestID(callSettingsOf(opts).request), IfRunning(Refuse))
	case "import":
		for _, text := range wish.Keys {
			master, err := vault.ParseMaster([]byte(text))
			if err != nil {
				return done, &commands.Invalid{Field: "a key of the archive", Value: "no master key", Want: "32 bytes in base64 or hex"}
			}
			opts = append(opts, ArchiveKeys(master))
		}
		done.Imports, err = r.ImportFile(ctx, wish.File, opts...)
	default:
		err = &commands.Invalid{Field: "what is to be taken away", Value: wish.Do, Want: "redact, delete, retain, set-retention, sweep or import"}
	}
	return done, err
}

func (s reading) Erase(ctx context.Context, act socket.Act) (json.RawMessage, error) {
	if err := s.r.ownNamespace(act.ID.Namespace); err != nil {
		return nil, err
	}
	var wish EraseWish
	if err := json.Unmarshal(act.Operation, &wish); err != nil {
		return nil, &commands.Invalid{Field: "what is to be taken away", Value: err.Error(), Want: "redact, delete or retain, as JSON"}
	}
	done, err := s.r.Erase(ctx, act.ID.Workflow, wish, Reason(act.Reason), Operator(act.By), RequestID(act.Request))
	if err != nil {
		return nil, err
	}
	return json.Marshal(done)
}

// ownNamespace refuses any other than that of this process.
func (r *Runtime) ownNamespace(namespace string) error {
	if namespace == r.config.Namespace {
		return nil
	}
	return &commands.Invalid{Field: "the namespace", Value: namespace, Want: fmt.Sprintf("%q, in which the process works that has the store open", r.config.Namespace)}
}
