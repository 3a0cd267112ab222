package lookup

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
)

// fixed, standing, moving and shown append the columns of their group in the order of the table.
func (r *run) fixed(to []driver.Value) []driver.Value {
	return append(to, int64(r.position), r.Namespace, r.ID, r.Run, text(r.chain), r.Type, num(r.Version), num(r.Number), r.Started.UnixNano(),
		int64(r.Began), text(r.Parent), text(r.Root), num(r.Depth), text(r.Origin), text(r.CorrelationID), text(r.key))
}

func (r *run) standing(to []driver.Value) []driver.Value {
	return append(to, int64(r.Status), moment(r.Closed), text(r.Failure))
}

func (r *run) moving(to []driver.Value) []driver.Value {
	return append(to, moment(r.Deadline), int64(r.Seq), text(r.Build), num(r.told), num(r.input), num(int(r.delayed)), num(r.Activities), num(r.Timers),
		num(r.Children), num(r.sends), num(r.finds), num(r.updates), num(r.Signals), num(r.Unread), num(int(r.odd)), moment(r.wake), moment(r.Progressed), num(r.Attempts), text(r.stall), text(r.pause), text(list(r.waits)), text(r.waiting()))
}

func (r *run) shown(to []driver.Value) []driver.Value {
	return append(to, text(string(r.attributes.Payload().Data)), text(string(r.memo)))
}

// values takes the columns of a row in their order.
type values struct{ rest []driver.Value }

func (v *values) take() driver.Value {
	first := v.rest[0]
	v.rest = v.rest[1:]
	return first
}

func (v *values) text() string { s, _ := v.take().(string); return s }
func (v *values) int() int     { return int(v.int64()) }
func (v *values) seq() uint64  { return uint64(v.int64()) }

func (v *values) int64() int64 { n, _ := v.take().(int64); return n }

// time reads nanoseconds; NULL is no time.
func (v *values) time() time.Time {
	n, ok := v.take().(int64)
	if !ok {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// scan is the inverse of fixed, standing and moving.
func scan(row []driver.Value) (r *run, rest *values) {
	v := &values{row}
	r = &run{position: v.seq()}
	r.Namespace, r.ID, r.Run, r.chain, r.Type = v.text(), v.text(), v.text(), v.text(), v.text()
	r.Version, r.Number, r.Started, r.Began = v.int(), v.seq(), v.time(), v.seq()
	r.Parent, r.Root, r.Depth, r.Origin, r.CorrelationID = v.text(), v.text(), v.int(), v.text(), v.text()
	r.key = v.text()
	r.Status, r.Closed, r.Failure = query.Status(v.int64()), v.time(), v.text()
	r.Deadline = v.time()
	r.Seq, r.Build, r.told, r.input, r.delayed = v.seq(), v.text(), v.seq(), v.seq(), delay(v.int())
	r.Activities, r.Timers, r.Children, r.sends, r.finds, r.updates, r.Signals = v.int(), v.int(), v.int(), v.int(), v.int(), v.int(), v.int()
	r.Unread, r.odd = v.int(), odd(v.int())
	r.wake = v.time()
	r.Wake, r.Progressed, r.Attempts = r.wake, v.time(), v.int()
	r.stall, r.pause = v.text(), v.text()
	r.waits, r.Waiting = steps(v.text()), v.text()
	r.Entries = int(r.Seq - r.Began + 1)
	r.was = r.Status
	return r, v
}

// scanRow is the inverse of all groups, as a query shows it.
func scanRow(row []driver.Value) (*run, error) {
	r, v := scan(row)
	r.Attributes = query.AttributesOf(readAttributes(v.text()))
	if memo := v.text(); memo != "" {
		if err := json.Unmarshal([]byte(memo), &r.Memo); err != nil {
			return nil, fmt.Errorf("memo of %s/%s: %w", r.Namespace, r.ID, err)
		}
	}
	r.Held, r.Halted, r.Attempt = v.int() == 1, v.int() == 1, v.int()
	for _, into := range []*[]string{&r.Patches, &r.Queues} {
		if all := v.text(); all != "" && all != "[]" {
			if err := json.Unmarshal([]byte(all), into); err != nil {
				return nil, fmt.Errorf("patches and queues of %s/%s: %w", r.Namespace, r.ID, err)
			}
		}
	}
	return r, nil
}

func text(s string) driver.Value {
	if s == "" {
		return nil
	}
	return s
}

func moment(t time.Time) driver.Value {
	if t.IsZero() {
		return nil
	}
	return t.UnixNano()
}

func num[N int | uint64](n N) driver.Value {
	if n == 0 {
		return nil
	}
	return int64(n)
}

func list(steps []history.Step) string {
	var b []byte
	for i, s := range steps {
		if i > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendUint(b, uint64(s), 10)
	}
	return string(b)
}

func steps(list string) (all []history.Step) {
	for field := range strings.FieldsSeq(list) {
		if n, err := strconv.ParseUint(field, 10, 64); err == nil {
			all = append(all, history.Step(n))
		}
	}
	return all
}
