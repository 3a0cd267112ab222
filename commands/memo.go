package commands

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/clewflow/clew/history"
)

// MaxMemo is how many bytes the memo of a run may have.
const MaxMemo = 16 << 10

// ChangeMemo changes the note that is kept with the run, without its code.
type ChangeMemo struct {
	Memo   history.Payload // a JSON object of what changes; null takes a member away
	Reason string
}

func (c ChangeMemo) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	if err := running(s); err != nil {
		return nil, err
	}
	var changes map[string]json.RawMessage
	if err := c.Memo.Decode(&changes); err != nil || changes == nil {
		return nil, &Invalid{Field: "the memo", Value: string(c.Memo.Data), Want: "a JSON object"}
	}
	before, is := s.Run.Memo, map[string]json.RawMessage{}
	if !before.Absent() && before.Decode(&is) != nil {
		return nil, &Invalid{Field: "the memo", Value: "one that cannot be read here", Want: "one that can: what it halts would be lost"}
	}
	after := history.Attributes(nil).With(before).With(c.Memo).Payload()
	if n := after.Size(); n > MaxMemo {
		return nil, &Invalid{Field: "the memo", Value: fmt.Sprintf("%d bytes", n), Want: "at most 16 KiB"}
	}
	return follows(&history.MemoChanged{Memo: after, Reason: c.Reason})
}
