// Package witness tests clew with real processes and a real disk.
//
// A *process* is this test's binary, started again: it opens a runtime on a directory, works, and does what it is asked.
// The *witness* is the test: it asks, kills the process at random moments, starts it again on the same directory, and keeps
// in its own memory what was acknowledged to it and which attempts told it that they began and ended. The *judge* opens the
// directory at the end and holds what is there against what the witness knows.
//
// The rule: a process tells the witness of a call after the call has returned, and of an attempt before it begins its work
// and before it returns. So what the witness knows has happened; what it does not know may have.
//
// What executions ask of each other is judged from both sides: a child against its parent, a message against its sender. What
// goes from run to run is judged by chains of runs. A text that is heavy has its weight from what it says, so a value that
// was cut, or is another's, is noticed wherever it is read.
//
// Random rounds print their seed first and are run again by -witness.seed; -witness.kills says how many.
package witness
