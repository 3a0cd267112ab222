package vault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/clewflow/clew/history"
)

// Zstd compresses what has at least so many bytes, by default 256. What does not become smaller by a quarter is left as it
// is, because what is stored is written as base64, which takes a third more. Files are not compressed.
func Zstd(minimum int) Codec { return &compression{minimum: cmp.Or(minimum, 256)} }

type compression struct {
	minimum  int
	decoders sync.Map // by the limit of what they return
}

// compressor is one for all: it is safe for concurrent use, and what it needs of memory is much.
var compressor = sync.OnceValues(func() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true)) // payloads have sums of their own
})

func (c *compression) Name() string { return "zstd" }

func (c *compression) Encode(_ context.Context, where Where, plain []byte) ([]byte, string, error) {
	if len(plain) < c.minimum || len(plain) > where.Limit { // the latter could never be opened
		return nil, "", nil
	}
	z, err := compressor()
	if err != nil {
		return nil, "", err
	}
	stored := z.EncodeAll(plain, make([]byte, 0, len(plain)/2))
	if len(stored) > len(plain)*3/4 {
		return nil, "", nil
	}
	return stored, "", nil
}

func (c *compression) Decode(_ context.Context, where Where, _ string, stored []byte) ([]byte, error) {
	if len(stored) == 0 { // the decoder would take that for the form of nothing
		return nil, fmt.Errorf("%w: nothing is stored", ErrDamaged)
	}
	d, err := c.decoder(where.Limit)
	if err != nil {
		return nil, err
	}
	plain, err := d.DecodeAll(stored, nil)
	switch {
	case errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrWindowSizeExceeded):
		return nil, fmt.Errorf("%w: more than %d bytes; raise the limit to open it", ErrTooLarge, where.Limit)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return plain, nil
}

func (c *compression) decoder(limit int) (*zstd.Decoder, error) {
	if d, ok := c.decoders.Load(limit); ok {
		return d.(*zstd.Decoder), nil
	}
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(uint64(max(limit, 1))), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	first, _ := c.decoders.LoadOrStore(limit, d)
	return first.(*zstd.Decoder), nil
}

// EncodeStream does nothing: large files are mostly compressed already, by who knows best how.
func (c *compression) EncodeStream(context.Context, history.ID, io.Reader) (io.Reader, string, error) {
	return nil, "", nil
}

func (c *compression) DecodeStream(context.Context, string, io.Reader) (io.Reader, error) {
	return nil, fmt.Errorf("%w: files are not compressed", ErrDamaged)
}
