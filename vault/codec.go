package vault

import (
	"context"
	"fmt"
	"io"

	"github.com/clewflow/clew/history"
)

// Codec turns bytes into what is stored of them, and back. It is safe for concurrent use.
type Codec interface {
	// Name stands for the codec in the encodings of payloads, for ever: letters, digits, '-' and '.'.
	Name() string
	// Encode returns what is to be stored, and a note that Decode is to be told, such as the name of a key: letters, digits,
	// '-' and '.'. Nil and no error means that nothing is to be done to these bytes. It keeps nothing of plain.
	Encode(ctx context.Context, where Where, plain []byte) (stored []byte, note string, err error)
	// Decode returns what was encoded at the same place, or an error; with more than where.Limit bytes that is ErrTooLarge.
	Decode(ctx context.Context, where Where, note string, stored []byte) (plain []byte, err error)
}

// Streamer is a codec for what is too large to be held in memory. [Files] uses it.
type Streamer interface {
	Codec
	// EncodeStream is Encode for a file that an execution writes. A nil reader and no error means that nothing is to be done.
	EncodeStream(ctx context.Context, id history.ID, plain io.Reader) (stored io.Reader, note string, err error)
	// DecodeStream is Decode for a file. Any execution may read it.
	DecodeStream(ctx context.Context, note string, stored io.Reader) (plain io.Reader, err error)
}

// Where is the place of a payload in the log. What a codec makes for one place need not be good at another.
type Where struct {
	ID       history.ID // of the execution
	Seq      uint64     // of the entry
	Field    string     // of the event
	Encoding string     // of the bytes that Encode is given and Decode returns
	Limit    int        // bytes that Decode may return, so that a few stored ones cannot ask for much
}

// encode calls a codec that may be somebody else's: its panic is an error.
func encode(ctx context.Context, c Codec, where Where, plain []byte) (stored []byte, note string, err error) {
	defer func() {
		if v := recover(); v != nil {
			stored, note, err = nil, "", fmt.Errorf("the codec %s panicked: %v", c.Name(), v)
		}
	}()
	if stored, note, err = c.Encode(ctx, where, plain); err != nil {
		err = fmt.Errorf("%s: %w", c.Name(), err)
	}
	return stored, note, err
}

func decode(ctx context.Context, c Codec, where Where, note string, stored []byte) (plain []byte, err error) {
	defer func() {
		if v := recover(); v != nil {
			plain, err = nil, fmt.Errorf("the codec %s panicked: %v", c.Name(), v)
		}
	}()
	if plain, err = c.Decode(ctx, where, note, stored); err != nil {
		return nil, fmt.Errorf("%s: %w", c.Name(), err)
	}
	return plain, nil
}
