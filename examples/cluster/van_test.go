package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestVansOnTheRoadAreCounted(t *testing.T) {
	zero := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	marks := map[string][]mark{}
	trip := func(order, node string, from, to int) {
		at := func(seconds int) time.Time { return zero.Add(time.Duration(seconds) * time.Second) }
		serial := uint64(from)
		marks[order+" ship"] = append(marks[order+" ship"], mark{order: order, node: node, at: at(from), serial: serial})
		if to > 0 {
			marks[order+" shipped"] = append(marks[order+" shipped"], mark{order: order, node: node, at: at(to), serial: serial})
		}
	}
	trip("a", "node-1", 1, 4)
	trip("b", "node-2", 2, 5)
	trip("c", "node-2", 4, 6)
	trip("d", "node-3", 3, 0) // it died on the way
	require.Equal(t, 2, onTheRoad(marks, nil, time.Second))
	trip("e", "node-1", 3, 9)
	require.Equal(t, 3, onTheRoad(marks, nil, time.Second))
	require.Equal(t, 2, onTheRoad(marks, []trouble{{"node-1", zero.Add(8 * time.Second), zero.Add(9 * time.Second)}}, time.Second))
	require.Error(t, report{onTheRoad: vans + 1}.verdict())
	require.NoError(t, report{onTheRoad: vans}.verdict())
}
