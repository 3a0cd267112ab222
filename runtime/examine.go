package runtime

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/clewflow/clew/internal/examine"
	"github.com/clewflow/clew/workflow"
)

// ErrExamined is what [Open] returns in a process that the clew command has started to look at its code, when it has seen it.
// The process is to end as after any other error of Open.
var ErrExamined = errors.New("runtime: this process was started by the clew command to look at its code; it opens no store")

// Examined reports whether this process was started by the clew command to look at its code, as "clew check" does. Such a process
// gets no further than [Open]; what it need not do until then, such as migrating a database, it should leave.
func Examined() bool { return examine.Asked() }

// examined shows the definitions instead of opening a store. The error is ErrExamined, whatever comes of it.
func examined(ctx context.Context, c Config, definitions []workflow.Definition) error {
	r := &Runtime{}
	err := errors.Join(c.complete(), r.register(append(slices.Clip(definitions), r.shipped()...)))
	if err != nil {
		err = errors.Join(err, examine.Refuse(ctx, err))
	} else {
		err = examine.Serve(ctx, examine.Code{Codes: r.code, Vault: c.Vault, Build: c.Build})
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrExamined, err)
	}
	return ErrExamined
}
