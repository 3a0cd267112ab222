package workflow

// Mismatch says what becomes of a run whose history does not fit its code any more.
type Mismatch int

// What becomes of a run that does not fit its code.
const (
	StallRun   Mismatch = iota // default: it waits for code that fits
	FailRun                    // it fails, and the error says how they differ
	RestartRun                 // the next run begins, with the same input, and is told all signals again; activities are made again
)

// OnMismatch says at [Define] what becomes of runs whose history does not fit the code any more. Whatever it is, it is logged.
func OnMismatch(m Mismatch) Option { return option(func(s *Settings) { s.OnMismatch = m }) }
