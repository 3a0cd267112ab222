// Package clock reads the clock, in all ways.
package clock

import (
	"context"
	wall "time"

	"github.com/clewflow/clew/workflow"
)

var Define = workflow.Define("clock", func(ctx workflow.Context, in int) (int, error) {
	_ = wall.Now()             // want `^time.Now reads the clock, which says something else when the run is remembered; use workflow.Now$`
	_ = wall.Since(deadline)   // want `^time.Since .*; use workflow.Now$`
	_ = wall.Until(deadline)   // want `^time.Until .*; use workflow.Now$`
	wall.Sleep(wall.Second)    // want `^time.Sleep .*; use workflow.Sleep$`
	<-wall.After(wall.Second)  // want `^time.After .*; use workflow.NewTimer or` `receiving from a channel`
	_ = wall.Tick(wall.Second) // want `^time.Tick `
	_ = wall.NewTimer(1)       // want `^time.NewTimer `
	_ = wall.NewTicker(1)      // want `^time.NewTicker `
	wall.AfterFunc(1, func() { // want `^time.AfterFunc `
		_ = wall.Now() // want `^time.Now `
	})
	now := wall.Now // want `^time.Now `
	_ = now()
	return 0, nil
})

var deadline = wall.Date(2026, 1, 2, 3, 4, 5, 6, wall.UTC)

// Fine is what clocks are read with, and what is only arithmetic.
func Fine(ctx workflow.Context, in int) (int, error) {
	now := workflow.Now(ctx)
	_ = now.Sub(deadline) + wall.Duration(in)*wall.Hour
	_, _ = wall.ParseDuration("1h")
	return now.Year(), workflow.Sleep(ctx, wall.Second)
}

// Scopes of contexts are of the run.
func Scopes(ctx workflow.Context) {
	c := context.Background()                 // want `^context.Background makes a context .*; pass on the workflow.Context`
	c = context.TODO()                        // want `^context.TODO `
	c, cancel := context.WithCancel(c)        // want `^context.WithCancel `
	c, stop := context.WithTimeout(c, 1)      // want `^context.WithTimeout `
	_ = context.WithValue(c, struct{}{}, "v") // want `^context.WithValue `
	cancel()
	stop()
	inner, end := workflow.WithCancel(ctx)
	defer end()
	_ = inner.Err() == context.Canceled
}

type service struct{ started wall.Time }

// Methods are workflow code as well, and so is what they do in the end.
func (s *service) run(ctx workflow.Context, in int) (wall.Time, error) {
	defer func() {
		_ = wall.Since(s.started) // want `^time.Since `
	}()
	return wall.Now(), nil // want `^time.Now `
}

var bound = workflow.Declare[int, wall.Time]("bound").Bind((&service{}).run)

// Elsewhere the clock is free.
func elsewhere() wall.Time { return wall.Now() } // want elsewhere:`time.Now`

func main() { // want main:`time.Sleep`
	wall.Sleep(1)
	_ = workflow.Define("inner", func(ctx workflow.Context, in int) (wall.Time, error) {
		return wall.Now(), nil // want `^time.Now `
	})
	go elsewhere()
}
