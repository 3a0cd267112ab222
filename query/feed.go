package query

// Changed is one thing that a feed tells of: how a run stands that has changed, or that an execution has none any more.
type Changed struct {
	Row  *Row   `json:"row,omitempty"`
	Gone string `json:"gone,omitempty"` // id of an execution of which nothing is left

	// Position is a place in the log up to which everything has been told with this and what came before. Whoever goes on from there misses
	// nothing, and may be told something again.
	Position uint64 `json:"position"`
}
