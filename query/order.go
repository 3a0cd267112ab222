package query

import (
	"slices"
	"strconv"
	"strings"
)

// By is what runs can be ordered by. Each is fixed when a run begins, or, the end, when it is first known, so that a run
// keeps its place while somebody turns the pages.
type By string

// What runs can be ordered by. Runs that are equal follow in the order in which they began; those of one type follow by
// their start before that.
const (
	ByStarted By = "started"
	ByClosed  By = "closed" // finds closed runs only
	ByID      By = "id"
	ByType    By = "type"
)

// Orders are the texts that [Query.Order] can be: what to order by, with a minus before it to turn it round.
var Orders = []string{"started", "-started", "closed", "-closed", "id", "-id", "type", "-type"}

// Order is the order in which runs are asked for.
type Order struct {
	By   By
	Desc bool // the greatest or newest first
}

// ParseOrder reads one of [Orders]; empty is newest first. Else the error is an [*Invalid].
func ParseOrder(text string) (Order, error) {
	if text == "" {
		return Order{By: ByStarted, Desc: true}, nil
	}
	if !slices.Contains(Orders, text) {
		return Order{}, &Invalid{Field: "Order", Value: strconv.Quote(text), Want: "one of " + strings.Join(Orders, ", ")}
	}
	by, desc := strings.CutPrefix(text, "-")
	return Order{By: By(by), Desc: desc}, nil
}
