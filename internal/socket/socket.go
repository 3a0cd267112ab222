// Package socket lets other processes read and operate the executions of a store that this one has open.
//
// One process at a time has the directory of an embedded store open. It serves [Handler] on a unix socket in that
// directory, see [Listen]; others find it with [Dial]. What is served and the [Client] are both [Executions], so whoever
// reads need not know whether there is a process between. What an operator does is named by a request id, so that it can be
// repeated when its answer was lost.
//
// The socket is the file [Name] of the directory, and may be used by its owner alone. The paths of sockets are short, 108
// bytes or less, so for a long directory the socket is in a folder of its own among the temporary files, and Name is a
// symbolic link to it. Whoever has won the lock of the store replaces what a dead process left.
package socket

import (
	"context"
	"encoding/json"
	"io"
	"iter"

	"github.com/clewflow/clew/audit"
	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
)

// Executions is what can be read. D is what describes an execution; it travels as JSON.
type Executions[D any] interface {
	// FindPage returns one page of the runs that a query asks for.
	FindPage(ctx context.Context, q query.Query) (query.Page, error)
	// Group counts them by fields.
	Group(ctx context.Context, q query.Query, by ...string) (query.Groups, error)
	// Measure says what the numbers of a field come to.
	Measure(ctx context.Context, q query.Query, of string, by ...string) (query.Measures, error)
	// Describe says how an execution stands.
	Describe(ctx context.Context, id history.ID) (D, error)
	// History yields the entries of an execution, over all its runs, to an operator of that name. An error ends it; one that there is no execution is
	// [commands.ErrNotFound].
	History(ctx context.Context, id history.ID, by string) iter.Seq2[history.Entry, error]
	// Feed yields the rows of the runs of a namespace that have changed behind a position; it ends there where the log ended when it was asked,
	// or never.
	Feed(ctx context.Context, namespace string, after uint64, goOn bool) iter.Seq2[query.Changed, error]
	// Operate does what an operator wants of an execution, and returns when that is durable.
	// If that begins a run, its id is returned.
	Operate(ctx context.Context, act Act) (run string, err error)
	// Erase takes away what an act says, and returns what was, as JSON, when that is durable.
	Erase(ctx context.Context, act Act) (json.RawMessage, error)
	// Export writes an archive of what an act says, a runtime.ExportWish. What was written before an error is none.
	Export(ctx context.Context, w io.Writer, act Act) error
	// Acts returns what operators did in a namespace, as JSON: what a runtime.ActsQuery asks for.
	Acts(ctx context.Context, namespace string, question json.RawMessage) (json.RawMessage, error)
	// Verify verifies what the store holds; the anchor may be empty.
	Verify(ctx context.Context, q Verification) (audit.Report, error)
	// Anchor is where all histories end, as [audit.Write] writes it.
	Anchor(ctx context.Context) ([]byte, error)
}

// Verification is what is to be verified.
type Verification struct {
	Namespace string     // empty: all of them
	Only      history.ID // zero: all
	Anchor    []byte     // as it is written; empty: there is none
}

// Act is what an operator wants of an execution.
type Act struct {
	ID        history.ID
	Operation json.RawMessage         `json:",omitempty"` // a runtime.Operation
	Policies  []commands.PolicyChange `json:",omitempty"` // or changes of the namespace's policies; then the workflow id is empty
	Pending   bool                    `json:",omitempty"` // the policies hold for what is scheduled too
	Reason    string                  `json:",omitempty"`
	By        string                  // the operator's name
	Request   string                  // names this act: repeated with the same, it changes nothing more
}

// The paths of what is served.
const (
	findPath     = "/v1/find"
	groupPath    = "/v1/group"
	measurePath  = "/v1/measure"
	describePath = "/v1/describe"
	historyPath  = "/v1/history"
	feedPath     = "/v1/feed"
	operatePath  = "/v1/operate"
	erasePath    = "/v1/erase"
	exportPath   = "/v1/export"
	actsPath     = "/v1/acts"
	verifyPath   = "/v1/verify"
	anchorPath   = "/v1/anchor"
)
