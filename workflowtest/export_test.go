package workflowtest

// Words are what twists are made of.
var Words = words

// InTurn has schedules tried one after the other.
func InTurn() Option { return option(func(s *settings) { s.exploration.inTurn = true }) }

// Tried is told how often what came to pass.
func Tried(tell func(map[string]int)) Option {
	return option(func(s *settings) { s.exploration.tried = tell })
}
