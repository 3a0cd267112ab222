package lookup

import (
	"context"
	"fmt"
	"strings"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// ours is how the names of the workflows begin that ship with clew; package system, which stands above, has it too.
const ours = "clew."

const (
	insertHalt = "INSERT OR REPLACE INTO halt VALUES (?, ?)"
	dropHalt   = "DELETE FROM halt WHERE namespace = ? AND type = ?"
)

// halted notes which runs a rule halts, and which it halts no more. Like a hold it is of no run.
func (b *batch) halted(record *store.Record) error {
	set, is := record.Entry.Event.(*history.PolicySet)
	if !is || set.Subject.Of != history.OfWorkflow && set.Subject.Of != history.OfNamespace {
		return nil
	}
	text := dropHalt
	if set.After.Halt {
		text = insertHalt
	}
	_, namespace, _ := strings.Cut(record.ID.Namespace, "@")
	if err := b.c.exec(context.Background(), text, namespace, set.Subject.Name); err != nil {
		return fmt.Errorf("noting what is halted: %w", err)
	}
	return nil
}
