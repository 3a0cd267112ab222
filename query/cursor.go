package query

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"time"
)

const digestSize = 8

// Cursor is a place among the answers to a query: behind the row whose sort key it holds. The zero Cursor is before the
// first. It travels as text, in [Page.Next] and [Query.After], and fits only the query that it was made for.
type Cursor struct {
	Text     string    // the part of the key that is text: the id or the type, or a key of another order, encoded
	Time     time.Time // the part that is a time: of the start or the end
	Position uint64    // of the row's first entry in the log, which decides between equals
	Now      time.Time // against which what is relative is resolved on every page
}

// Next writes c as a text that fits q and the queries that differ from it in Limit, After and Stale only.
func (q Query) Next(c Cursor) string {
	var key []byte
	key = binary.AppendVarint(key, nanos(c.Now))
	key = binary.AppendVarint(key, nanos(c.Time))
	key = binary.AppendUvarint(key, c.Position)
	key = append(key, c.Text...)
	return base64.RawURLEncoding.EncodeToString(append(q.digest(key), key...))
}

// Cursor reads After. A text that was not made by [Query.Next] for this query is refused with an [*Invalid].
func (q Query) Cursor() (Cursor, error) {
	var c Cursor
	if q.After == "" {
		return c, nil
	}
	refused := &Invalid{Field: "After", Value: strconv.Quote(q.After), Want: "the Next of a page of the same query, unchanged"}
	b, err := base64.RawURLEncoding.Strict().DecodeString(q.After)
	if err != nil || len(b) < digestSize || !bytes.Equal(b[:digestSize], q.digest(b[digestSize:])) {
		return c, refused
	}
	key := b[digestSize:]
	now, n := binary.Varint(key)
	at, m := binary.Varint(key[max(n, 0):])
	position, o := binary.Uvarint(key[max(n, 0)+max(m, 0):])
	if n <= 0 || m <= 0 || o <= 0 {
		return c, refused
	}
	return Cursor{Text: string(key[n+m+o:]), Time: moment(at), Position: position, Now: moment(now)}, nil
}

func moment(nanos int64) time.Time {
	if nanos == 0 {
		return time.Time{}
	}
	return time.Unix(0, nanos).UTC()
}
