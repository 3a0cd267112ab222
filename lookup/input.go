package lookup

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

// Inputs say, for types of workflow, by which fields of their inputs runs are found. What a run recorded of them when it began counts;
// they are for those that began before a field was declared.
type Inputs map[string]Input

// Input are the fields of one type.
type Input struct {
	Names []string                                         // of attributes
	Of    func(history.Payload) map[string]json.RawMessage // their values; nil if they cannot be read from an input
}

// noted are the names of fields that an index has of all runs, by types of workflow.
type noted map[string][]string

// lack reports whether something is declared that a file does not have of all runs.
func (i Inputs) lack(have noted) bool {
	for kind, input := range i {
		for _, name := range input.Names {
			if !slices.Contains(have[kind], name) {
				return true
			}
		}
	}
	return false
}

// of are the fields that an input has and that its run has not recorded.
func (i Inputs) of(s *history.Started) history.Attributes {
	input, declared := i[s.Type]
	if !declared || s.Input.Absent() || s.Input.Redacted() || s.Input.Closed() {
		return nil
	}
	recorded := history.Attributes(nil).With(s.Attributes)
	if !slices.ContainsFunc(input.Names, func(name string) bool { return recorded[name] == nil }) {
		return nil
	}
	fields := history.Attributes(input.Of(s.Input))
	maps.DeleteFunc(fields, func(_ string, value json.RawMessage) bool { return len(value) == 0 || string(value) == "null" })
	return fields
}

// write notes in a new file which fields it has of all runs.
func (i Inputs) write(c *conn) error {
	for _, kind := range slices.Sorted(maps.Keys(i)) {
		names, err := json.Marshal(i[kind].Names)
		if err == nil {
			err = c.exec(context.Background(), "INSERT OR REPLACE INTO input_of VALUES (?, ?)", kind, string(names))
		}
		if err != nil {
			return fmt.Errorf("noting the fields of inputs: %w", err)
		}
	}
	return nil
}

// readInputs reads what write has noted.
func readInputs(c *conn) (noted, error) {
	n := noted{}
	err := c.query(context.Background(), "SELECT type, names FROM input_of", nil, func(row []driver.Value) error {
		kind, _ := row[0].(string)
		text, _ := row[1].(string)
		var names []string
		err := json.Unmarshal([]byte(text), &names)
		n[kind] = names
		return err
	})
	return n, err
}

// lacks takes note that a run is written of which the file should have more than is known here: who knows it has the index built anew.
func (b *batch) lacks(s *history.Started) error {
	names, known := b.noted[s.Type]
	if _, declared := b.inputs[s.Type]; !known || declared {
		return nil
	}
	recorded := history.Attributes(nil).With(s.Attributes)
	if !slices.ContainsFunc(names, func(name string) bool { return recorded[name] == nil }) {
		return nil
	}
	return b.c.exec(context.Background(), "DELETE FROM input_of WHERE type = ?", s.Type)
}

// renews reports whether the index is to be built anew because it lacks fields of inputs. In memory it begins with the log.
func (x *Index) renews() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.lacking && x.path != memory && !x.position.IsZero()
}

// renew builds the index anew beside the one that is used meanwhile, and tries again until ctx ends.
func (x *Index) renew(ctx context.Context, log store.Log) {
	x.logger.Info("fields of inputs were declared that the index does not have of all runs; it is built anew, and used meanwhile", "path", x.path)
	for pause := firstPause; x.renews(); pause = min(2*pause, lastPause) {
		head, err := log.Head(ctx)
		if err == nil {
			err = x.build(ctx, log, head)
		}
		if ctx.Err() != nil || errors.Is(err, errBuilt) || errors.Is(err, ErrClosed) || errors.Is(err, store.ErrClosed) {
			return
		}
		x.logger.Error("the index cannot be built anew for now", "path", x.path, "error", err, "again", pause)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}
