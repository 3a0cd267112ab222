// Package tools is called by workflows and by others.
package tools

import (
	"context"
	"time"

	"github.com/clewflow/clew/workflow"
)

func F() time.Time { return g() } // want F:`g → time.Now`

func g() time.Time { return time.Now() } // want g:`time.Now`

type Clock struct{ Offset time.Duration }

func (c Clock) Now() time.Time { return F().Add(c.Offset) } // want Now:`F → g → time.Now`

func Generic[T any](v T) T { // want Generic:`time.Sleep`
	time.Sleep(1)
	return v
}

// Today is the clock, until a test sets another.
var Today = time.Now // want Today:`time.Now`

func Pure(n int) int { return n + 1 }

func Allowed() time.Time {
	//clew:allow only to say how long the process is up
	return time.Now()
}

func Twice() { // want Twice:`time.Sleep`
	time.Sleep(1)
	_ = time.Now() //clew:allow is found although something else is wrong first
	_ = F()        //clew:allow the same for what is called
}

// Fetch is meant for activities.
func Fetch(ctx context.Context) (int, error) { // want Fetch:`time.Sleep`
	time.Sleep(1)
	return 0, nil
}

// Paused is workflow code, and reported here.
func Paused(ctx workflow.Context) {
	time.Sleep(1) // want `^time.Sleep `
}

func Even(n int) bool { return n == 0 || Odd(n-1) } // want Even:`Odd → time.Sleep`

func Odd(n int) bool { // want Odd:`time.Sleep`
	time.Sleep(1)
	return n != 0 && Even(n-1)
}
