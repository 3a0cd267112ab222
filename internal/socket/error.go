package socket

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"github.com/clewflow/clew/audit"
	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
	"github.com/clewflow/clew/store"
)

// ErrInterrupted says that the process which was asked ends, or has ended. Ask whoever has the store open now.
var ErrInterrupted = errors.New("socket: the process that has the store open does not answer any more; ask again")

// ErrStillRunning says that something was asked that needs an end, of an execution that is open.
var ErrStillRunning = errors.New("clew: still running")

// ErrHeld says that something was asked that a hold forbids.
var ErrHeld = errors.New("clew: held")

// codes are the errors that are known on both sides.
var codes = []struct {
	code     string
	sentinel error
}{
	{"not-found", commands.ErrNotFound},
	{"not-running", commands.ErrNotRunning},
	{"invalid-query", query.ErrInvalid},
	{"too-long", query.ErrTooLong},
	{"invalid", commands.ErrInvalid},
	{"still-running", ErrStillRunning},
	{"held", ErrHeld},
	{"no-anchor", audit.ErrAnchor},
	{"corrupt", store.ErrCorrupt},
	{"unknown-kind", history.ErrUnknownKind},
	{"unavailable", store.ErrUnavailable},
	{"closed", store.ErrClosed},
	{"closed", context.Canceled},
	{"closed", ErrInterrupted},
}

// failure is an error of the other side.
type failure struct {
	Code    string `json:"code,omitempty"`
	Message string `json:"message"`
}

func failureOf(err error) failure {
	for _, c := range codes {
		if errors.Is(err, c.sentinel) {
			return failure{c.code, err.Error()}
		}
	}
	return failure{Message: err.Error()}
}

func (f *failure) Error() string { return f.Message }

// Is finds the errors of codes.
func (f *failure) Is(target error) bool {
	for _, c := range codes {
		if c.code == f.Code && c.sentinel == target {
			return true
		}
	}
	return false
}

// header writes f as the value of a header, which holds no line breaks.
func (f failure) header() string {
	text, _ := json.Marshal(f) // two texts always encode
	return url.PathEscape(string(text))
}

func failureIn(header string) error {
	var f failure
	text, err := url.PathUnescape(header)
	if err == nil {
		err = json.Unmarshal([]byte(text), &f)
	}
	if err != nil {
		return fmt.Errorf("socket: reading an error of the other side: %w", err)
	}
	return &f
}
