// Package examine lets the command-line tool look at the code of an application.
//
// Code cannot be sent, so histories are. The tool starts the application with [Variable] in its environment, which names a
// socket in a folder that nobody else may enter, and waits until it connects ([Start]). Where the application would open its
// runtime it finds that it is looked at ([Asked]), and instead serves what it has ([Serve]): it runs its code along the
// histories that it is sent and answers with a report ([Session.Check]), or says how one run stands ([Session.Stand]).
//
// The rule: the variable makes a process read and nothing else. One that finds it opens no store, whatever comes of the
// conversation, and talks to nobody but the user that it runs as.
//
// The conversation is lines of JSON. The application says hello; the tool says what it wants, then sends histories as
// package check writes them, and closes its side; the application tells how far it is, and answers.
package examine

import (
	"os"
	"time"

	"github.com/clewflow/clew/check"
	"github.com/clewflow/clew/replay"
)

// Variable is the environment variable that names the socket.
const Variable = "CLEW_EXAMINE"

// protocol is the version of the conversation.
const protocol = 1

// Asked reports whether this process was started to be looked at.
func Asked() bool { return os.Getenv(Variable) != "" }

// Hello is what an application says of itself.
type Hello struct {
	Protocol int    `json:"protocol"`
	Build    string `json:"build"`
	Refusal  string `json:"refusal,omitempty"` // why it cannot be looked at
}

// Place is where histories are from, for what is large.
type Place struct {
	Dir      string   `json:"dir,omitempty"`      // of the store; empty: there is none
	Archives []string `json:"archives,omitempty"` // files, by their absolute paths
}

// request is what the tool wants.
type request struct {
	Place
	Check *checkRequest `json:"check,omitempty"`
	Stand *StandRequest `json:"stand,omitempty"`
}

type checkRequest struct {
	Level replay.Level `json:"level"`
}

// StandRequest asks how a run stands. There is one history to go with it.
type StandRequest struct {
	Run       uint64            `json:"run,omitempty"`   // its number; 0: the newest
	Until     uint64            `json:"until,omitempty"` // Seq of the last entry that the code is shown; 0: all
	Level     replay.Level      `json:"level"`
	Questions []replay.Question `json:"questions,omitempty"`
	Patience  time.Duration     `json:"patience,omitempty"` // how long the code may take; 0: for ever
}

// answer is what the application says after its hello. All but progress is the last.
type answer struct {
	Progress *check.Progress `json:"progress,omitempty"`
	Report   *check.Report   `json:"report,omitempty"`
	Stand    *replay.Stand   `json:"stand,omitempty"`
	Error    string          `json:"error,omitempty"`
}
