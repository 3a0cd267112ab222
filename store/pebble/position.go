package pebble

import "github.com/clewflow/clew/store"

// position is a place in this log, which numbers its records from 1.
type position uint64

func (p position) store() store.Position { return store.At(uint64(p)) }

// positionOf is the place that a caller means.
func positionOf(p store.Position) position { return position(p.Commit) }
