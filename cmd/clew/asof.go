package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
)

// An instant of a history is an entry, by its number, or a time.
type instant struct {
	seq uint64
	at  time.Time
}

func parseInstant(text string) (i instant, err error) {
	if i.seq, err = strconv.ParseUint(text, 10, 64); err == nil && i.seq > 0 {
		return i, nil
	}
	if i.at, err = parseSince(text, now()); err != nil {
		err = fmt.Errorf("--at is %q, want the number of an entry, or a time such as 2026-01-02T15:04:05Z, or 2h for two hours ago", text)
	}
	return i, err
}

func (i instant) includes(e history.Entry) bool {
	if i.seq > 0 {
		return e.Seq <= i.seq
	}
	return !e.At.After(i.at)
}

// errEnough ends the reading of a history.
var errEnough = errors.New("enough was read")

// asOf prints how an execution stood at an instant.
func asOf(ctx context.Context, w io.Writer, e *executions, id string, i instant) error {
	state, last := &history.State{}, history.Entry{}
	words, told := newPrinter(io.Discard, false).teller, ""
	err := e.each(ctx, id, 0, func(entry history.Entry) error {
		if !i.includes(entry) {
			return errEnough
		}
		last, told = entry, words.tell(entry)
		state.Evolve(entry)
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	if err == nil && i.seq > last.Seq {
		return fmt.Errorf("the execution %s has no entry %d: the last one is %d", id, i.seq, last.Seq)
	}
	if state.Status == 0 {
		return fmt.Errorf("the execution %s had not begun by then", id)
	}
	p := func(format string, args ...any) {
		if err == nil || errors.Is(err, errEnough) {
			_, err = fmt.Fprintf(w, format+"\n", args...)
		}
	}
	p("%s, workflow %s, run %d, as of entry %d, %s: %s", plain(id), plain(state.Run.Type), state.Run.Number, last.Seq, moment(last.At), state.Status)
	p("the last entry is: %s", told)
	for _, r := range state.Waiting() {
		p("waits for %s", plain(r.String()))
	}
	attributes := query.AttributesOf(state.Attributes)
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		text, _ := json.Marshal(attributes[name]) // it was read as JSON
		p("attribute %s = %s", plain(name), plain(string(text)))
	}
	if !state.View.Absent() {
		p("it had published%s", (&teller{}).payload(state.View))
	}
	if errors.Is(err, errEnough) {
		err = nil
	}
	return err
}
