package activity

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/clewflow/clew/history"
)

// What is in the chain of an activity's error.
var (
	ErrTimeout   = errors.New("timed out")
	ErrCancelled = errors.New("cancelled")
	ErrPanicked  = errors.New("panicked")
)

// Pending is not an error: it is what an activity returns that is to be completed from outside, after it has handed out its [Token].
//
//lint:ignore ST1012 it is returned like io.EOF, and reads as what the activity is
var Pending = errors.New("activity: pending")

var errZero = errors.New("clew: a zero activity.Type has no name; make it with activity.Define or activity.Declare")

// Error is what a workflow gets of an activity that did not complete. Its Cause is the last failure: errors.Is and
// errors.As find registered errors in it, and ErrTimeout, ErrCancelled or ErrPanicked if it was that.
type Error struct {
	Activity string
	Attempts int
	Limit    string // the time-out: "start-to-close", …; empty: none
	Code     string // of the first registered error in the chain
	Message  string
	Cause    error
}

func (e *Error) Error() string {
	s := "activity " + e.Activity
	if e.Attempts > 1 {
		s += fmt.Sprintf(" after %d attempts", e.Attempts)
	}
	return s + ": " + e.Message
}

func (e *Error) Unwrap() error { return e.Cause }

// coded is a sentinel that is known by its code on both sides of the log.
type coded struct{ code, message string }

func (e *coded) Error() string { return e.message }

func (e *coded) Is(target error) bool {
	t, ok := target.(*coded)
	return ok && t.code == e.code
}

// NewError makes a sentinel. errors.Is compares codes, so it is found on both sides of the log. The same code twice means
// the same error.
func NewError(code, message string) error { return &coded{code, message} }

var registry struct {
	sync.RWMutex
	codes map[reflect.Type]string
	types map[string]reflect.Type
}

// RegisterError lets errors of type E travel through the log as JSON, to be found by errors.As on the other side:
//
//	var _ = activity.RegisterError[*Declined]("declined")
//
// It panics if the code or the type is taken, like gob.Register.
func RegisterError[E error](code string) struct{} {
	t := reflect.TypeFor[E]()
	registry.Lock()
	defer registry.Unlock()
	if registry.codes == nil {
		registry.codes, registry.types = map[reflect.Type]string{}, map[string]reflect.Type{}
	}
	if other, taken := registry.types[code]; taken {
		panic(fmt.Sprintf("activity: error code %q is registered for %v and cannot be for %v", code, other, t))
	}
	if other, taken := registry.codes[t]; taken {
		panic(fmt.Sprintf("activity: %v is registered as %q and cannot be as %q", t, other, code))
	}
	registry.types[code], registry.codes[t] = t, code
	return struct{}{}
}

func codeOf(err error) string {
	switch e := err.(type) {
	case *coded:
		return e.code
	case *recalled:
		return e.failure.Code
	}
	registry.RLock()
	defer registry.RUnlock()
	return registry.codes[reflect.TypeOf(err)]
}

// nonRetryable and retryAfter wrap an error to say what is to follow.
type (
	nonRetryable struct{ error }
	retryAfter   struct {
		error
		delay time.Duration
	}
)

func (e nonRetryable) Unwrap() error { return e.error }
func (e retryAfter) Unwrap() error   { return e.error }

// NonRetryable says that there is to be no further attempt. It is found anywhere in a chain.
func NonRetryable(err error) error {
	if err == nil {
		return nil
	}
	return nonRetryable{err}
}

// RetryAfter says when the next attempt is to be made, instead of what the policy says, this time.
func RetryAfter(d time.Duration, err error) error {
	if err == nil {
		return nil
	}
	return retryAfter{err, d}
}

// Verdict is what an attempt's error says about further attempts.
type Verdict struct {
	Final      bool
	RetryAfter time.Duration
	Codes      []string // of all registered errors in the chain
}

// Judge reads the verdict from an error. It is for runtimes.
func Judge(err error) (v Verdict) {
	var after retryAfter
	if errors.As(err, &after) {
		v.RetryAfter = max(after.delay, 1)
	}
	var final nonRetryable
	v.Final = errors.As(err, &final)
	walk(err, func(e error) {
		if code := codeOf(e); code != "" {
			v.Codes = append(v.Codes, code)
		}
	})
	return v
}

func walk(err error, visit func(error)) {
	if err == nil {
		return
	}
	visit(err)
	for _, cause := range causesOf(err) {
		walk(cause, visit)
	}
}

func causesOf(err error) []error {
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		return e.Unwrap()
	case interface{ Unwrap() error }:
		if cause := e.Unwrap(); cause != nil {
			return []error{cause}
		}
	}
	return nil
}

// Record makes of an error what is kept in a history: the whole chain, with the codes and fields of registered errors.
func Record(err error) history.Failure {
	switch err {
	case ErrTimeout:
		return history.Failure{Message: err.Error(), Limit: "?"}
	case ErrCancelled:
		return history.Failure{Message: err.Error(), Cancelled: true}
	case ErrPanicked:
		return history.Failure{Message: err.Error(), Panicked: true}
	}
	if e, ok := err.(*rejoined); ok {
		f := Record(e.error)
		f.Causes = recordAll(e.causes)
		return f
	}
	f := history.Failure{Message: err.Error(), Code: codeOf(err)}
	switch e := err.(type) {
	case *Error:
		f.Activity, f.Attempts, f.Limit = e.Activity, e.Attempts, e.Limit
	case *PanicError:
		f.Panicked, f.Stack = true, e.Stack
	case *recalled: // as it came, for those who know its type
		f.Fields, f.Final = e.failure.Fields, e.failure.Final
	case nonRetryable:
		f.Final = true
	case *coded:
	default:
		if f.Code != "" {
			if fields, err := json.Marshal(err); err == nil {
				f.Fields = fields
			}
		}
	}
	f.Causes = recordAll(causesOf(err))
	return f
}

func recordAll(errs []error) (all []history.Failure) {
	for _, err := range errs {
		all = append(all, Record(err))
	}
	return all
}

// Recall makes an error of what is kept in a history. Registered errors have their types again.
func Recall(f history.Failure) error {
	var causes []error
	for _, c := range f.Causes {
		causes = append(causes, Recall(c))
	}
	switch {
	case f.Limit == "?" && f.Message == ErrTimeout.Error():
		return ErrTimeout
	case f.Cancelled && f.Message == ErrCancelled.Error():
		return ErrCancelled
	case f.Panicked && f.Stack == "" && f.Message == ErrPanicked.Error():
		return ErrPanicked
	case f.Panicked:
		return &PanicError{Message: strings.TrimPrefix(f.Message, panicked), Stack: f.Stack}
	case f.Activity != "":
		e := &Error{Activity: f.Activity, Attempts: f.Attempts, Limit: f.Limit, Cause: errors.Join(causes...)}
		if len(causes) == 1 {
			e.Cause = causes[0]
		}
		e.Code, e.Message = firstCode(e.Cause), messageOf(e.Cause)
		if e.Limit != "" {
			e.Message = e.Limit + " " + e.Message
		}
		return e
	}
	if typed := recallTyped(f); typed != nil {
		if len(causes) > 0 && len(causesOf(typed)) == 0 {
			return &rejoined{typed, causes}
		}
		return typed
	}
	if f.Code != "" && len(causes) == 0 {
		return &coded{f.Code, f.Message}
	}
	if len(causes) == 1 && causes[0].Error() == f.Message && !f.Final {
		return causes[0]
	}
	return &recalled{f, causes}
}

func messageOf(err error) string {
	if err == nil {
		return "failed"
	}
	return err.Error()
}

func firstCode(err error) (code string) {
	walk(err, func(e error) {
		if code == "" {
			code = codeOf(e)
		}
	})
	return code
}

func recallTyped(f history.Failure) error {
	if f.Code == "" || f.Fields == nil {
		return nil
	}
	registry.RLock()
	t := registry.types[f.Code]
	registry.RUnlock()
	if t == nil {
		return nil
	}
	v := reflect.New(t)
	if json.Unmarshal(f.Fields, v.Interface()) != nil {
		return nil
	}
	err, _ := v.Elem().Interface().(error)
	return err
}

// rejoined is an error of a registered type with the causes that its JSON does not hold.
type rejoined struct {
	error
	causes []error
}

func (e *rejoined) Unwrap() []error { return append([]error{e.error}, e.causes...) }

// recalled is an error of a type that nobody registered.
type recalled struct {
	failure history.Failure
	causes  []error
}

func (e *recalled) Error() string   { return e.failure.Message }
func (e *recalled) Unwrap() []error { return e.causes }

func (e *recalled) Is(target error) bool {
	t, ok := target.(*coded)
	return ok && t.code == e.failure.Code
}

// PanicError is an attempt that panicked. It is an [ErrPanicked].
type PanicError struct {
	Message string
	Stack   string // where
}

const panicked = "panicked: "

func (e *PanicError) Error() string        { return panicked + e.Message }
func (e *PanicError) Is(target error) bool { return target == ErrPanicked }
