// Package clew is a durable workflow runtime for Go. A workflow is an ordinary Go function that may run for years.
// Everything that happens to it is an entry in an append-only history, and the function is run again along that history
// whenever it has to be remembered: after a crash, a deployment, or a long sleep. In the myth the clew is the ball of
// thread by which one finds the way back. Here the thread is the log.
//
// One log. One runner for each execution, and whoever appends names the place. Everyone else reads the log.
//
// # The house
//
// Imports go down only. What is on the left says what follows from what and does no I/O; what is on the right keeps it.
// They meet in history below and in runtime above.
//
//	5 tools     cmd/clew   examples/*                            join everything
//	4 on top    workflowtest                                     the real runtime in tests
//	3 shell     runtime                                          goroutines, the clock, the logger, the one loop
//	            ─────────────────────────────────────────────────────────────────────────────────
//	2 engine    replay              │ views  dispatch  timers  lookup │ drivers  store/memory  store/pebble
//	            ─────────────────────────────────────────────────────────────────────────────────
//	1 language  workflow  activity  │ port   store
//	            commands  query     │
//	            ─────────────────────────────────────────────────────────────────────────────────
//	0 ground    history                internal/coro
//
// # The words
//
// One word for a thing, and one thing for a word.
//
//   - execution: one workflow id and all that happens under it; one stream in the log.
//   - run: one life of an execution, from a Started entry to a closing entry. Runs follow each other in the stream.
//   - history: the entries of an execution, in order.
//   - entry: an event in its place, with its number in the stream (Seq), its time, who brought it about, and its hash.
//   - event: what happened, in the past tense. It is an Input (told to the code), a Decision (asked for by the code) or a
//     Note (neither).
//   - command: what is asked, in the imperative: by a client, a worker, the clock, or the workflow code.
//   - step: the number of a thing that workflow code asks for, in the order it asks, from 1 in each run.
//   - turn: one input told to the code, and all it asks in answer.
//   - told: the Seq up to which the code has been told and has been answered in full.
//   - attempt: one try of an activity. Each hand-out of an attempt has a serial, which only rises.
//   - wake: the earliest moment at which an execution has something due. It is due now if inputs above told remain.
//   - tail: one small row for each open execution: where its run begins, its last Seq and hash, its wake.
//   - view: a reader of the log that keeps something derived. It can be thrown away and built anew.
//   - position: a place in the order of the whole log.
//   - stalled: the code at hand cannot go on. Nothing is lost, and the run goes on when code arrives that fits.
//
// # Where to start
//
// To write workflows: the example below, then packages workflow and activity. To run them: package runtime. To see a whole
// program: examples/order. To look at a store: go run ./cmd/clew. To know how it works: docs/architecture.md, then
// history, commands and runtime/execution.go, in that order.
package clew
