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
	"iter"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
)

// Executions is what can be read. D is what describes an execution; it travels as JSON.
type Executions[D any] interface {
	// FindPage returns one page of the runs that a query asks for.
	FindPage(ctx context.Context, q query.Query) (query.Page, error)
	// Group counts them by fields.
	Group(ctx context.Context, q query.Query, by ...string) (query.Groups, error)
	// Describe says how an execution stands.
	Describe(ctx context.Context, id history.ID) (D, error)
	// History yields the entries of an execution, over all its runs. An error ends it; one that there is no execution is
	// [commands.ErrNotFound].
	History(ctx context.Context, id history.ID) iter.Seq2[history.Entry, error]
	// Operate does what an operator wants of an execution, and returns when that is durable.
	Operate(ctx context.Context, act Act) error
}

// Act is what an operator wants of an execution.
type Act struct {
	ID       history.ID
	What     string // "pause", "unpause", "cancel" or "terminate"
	Reason   string `json:",omitempty"`
	By       string // the operator's name
	Request  string // names this act: repeated with the same, it changes nothing more
	TimersOn bool   `json:",omitempty"` // of a pause
}

// The paths of what is served.
const (
	findPath     = "/v1/find"
	groupPath    = "/v1/group"
	describePath = "/v1/describe"
	historyPath  = "/v1/history"
	operatePath  = "/v1/operate"
)
