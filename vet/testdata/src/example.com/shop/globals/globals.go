// Package globals writes what all runs share.
package globals

import (
	"example.com/shop/globals/state"

	"github.com/clewflow/clew/workflow"
)

var (
	count  int
	names  []string
	prices = map[string]int{}
	last   struct{ id string }
	node   *struct{ next int }
	limits = []int{1, 2}
)

func Write(ctx workflow.Context, id string) (int, error) {
	count = 1                 // want `^writing count is shared by all runs, .*; keep it in a variable of the function, or return it$`
	count++                   // want `^writing count `
	count += 2                // want `^writing count `
	names = append(names, id) // want `^writing names `
	prices[id] = 3            // want `^writing prices `
	prices[id]++              // want `^writing prices `
	delete(prices, id)        // want `^writing prices `
	clear(prices)             // want `^writing prices `
	last.id = id              // want `^writing last `
	node.next = 1             // want `^writing node `
	limits[0], id = 1, ""     // want `^writing limits `
	state.Open = true         // want `^writing state.Open `
	bump()                    // want `^bump → writing count is shared`
	_ = func() { count-- }    // want `^writing count `
	return count + prices[id] + limits[0], nil
}

func bump() { count++ } // want bump:`writing count`

func Fine(ctx workflow.Context, id string) int {
	count := 0
	count++
	names := append([]string{}, names...)
	names[0] = id
	mine := map[string]int{}
	mine[id] = prices[id]
	delete(mine, id)
	_ = prices[id]
	return count
}
