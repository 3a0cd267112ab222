package workflowtest

import "github.com/clewflow/clew/internal/stage"

// A plot is what is to go otherwise than by itself. The nil plot is nothing.
type plot struct{}

// next is which of those who wait at the stage is to go on.
func (p *plot) next([]stage.Place) int { return 0 }

// fate is what becomes of one of them, and what happens then; nil: nothing.
func (p *plot) fate(*World, stage.Place) (fate, func()) { return fate{}, nil }
