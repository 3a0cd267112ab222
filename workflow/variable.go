package workflow

// Variable is a value that operators can change while an execution runs: a rate, a limit, an address. It is shared by the code, which reads
// it, and by those who change it, with runtime.SetVariable. A change is an [Update]: the code is told, and can refuse it.
type Variable[T any] struct {
	name string
}

// NewVariable names a variable. It is changed by the update "variable." and its name, and shown by a query of that name.
func NewVariable[T any](name string) Variable[T] { return Variable[T]{name} }

// Name is the name in histories.
func (v Variable[T]) Name() string { return v.name }

// Update is the request by which it is changed; the answer is the value before.
func (v Variable[T]) Update() Update[T, T] { return NewUpdate[T, T]("variable." + v.name) }

// Query shows its value.
func (v Variable[T]) Query() Query[T] { return NewQuery[T]("variable." + v.name) }

// Declare makes it a variable of the run, with a value to begin with, and returns what reads it. What validate refuses is not recorded; it
// must not wait, ask for anything or change anything. Code that waits for a change does so with [Await].
func (v Variable[T]) Declare(ctx Context, initial T, validate ...func(T) error) func() T {
	if v.name == "" {
		panic(stall("a zero workflow.Variable has no name; make it with workflow.NewVariable"))
	}
	now := initial
	v.Query().Handle(ctx, func() T { return now })
	v.Update().Handle(ctx, func(_ Context, next T) (T, error) {
		before := now
		now = next
		return before, nil
	}, validate...)
	return func() T { return now }
}
