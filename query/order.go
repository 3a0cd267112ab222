package query

import (
	"strings"
)

// By is what runs can be ordered by: the name of a field, such as "started" or "attr.env". Where a field never changes once a run
// has it, a run keeps its place while somebody turns the pages; of the others each page is right for itself, and a run whose value
// changes meanwhile can be met twice or not at all, unless all pages are asked for [AsOf] the position of the first.
type By string

// The usual orders. Runs that are equal follow in the order in which they began; those of one type follow by their start before
// that. To order by a field finds those only that have it.
const (
	ByStarted By = "started"
	ByClosed  By = "closed" // finds closed runs only
	ByID      By = "id"
	ByType    By = "type"
)

// Orders are the usual texts that [Query.Order] can be: what to order by, with a minus before it to turn it round. So can every
// other field.
var Orders = []string{"started", "-started", "closed", "-closed", "id", "-id", "type", "-type"}

// Order is the order in which runs are asked for.
type Order struct {
	By    By
	Desc  bool // the greatest or newest first
	Field Field
}

// ParseOrder reads the name of a field, with a minus before it to turn the order round; empty is newest first. Else the error is an
// [*Invalid].
func ParseOrder(text string) (Order, error) {
	if text == "" {
		return Order{By: ByStarted, Desc: true, Field: Field{Name: "started"}}, nil
	}
	name, desc := strings.CutPrefix(text, "-")
	f, err := ParseField(name)
	if err != nil {
		return Order{}, &Invalid{Field: "Order", Value: quoted(text), Want: "one of " + strings.Join(Orders, ", ") + ", or another field"}
	}
	return Order{By: By(f.orderName()), Desc: desc, Field: f}, nil
}

func (f Field) orderName() string {
	if f.Key != "" {
		return f.Name + "." + f.Key
	}
	return f.Name
}
