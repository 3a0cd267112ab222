package history

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// coin has an encoding of its own, by its pointer, as messages of protobuf have.
type coin struct{ Cents int }

func (c *coin) EncodePayload() (string, []byte, error) {
	switch {
	case c.Cents < 0:
		return "", nil, errors.New("a debt")
	case c.Cents == 1000:
		return "a+b", nil, nil
	case c.Cents == 1001:
		return "a b", nil, nil
	}
	return "coin.v1", []byte{byte(c.Cents)}, nil
}

func (c *coin) DecodePayload(encoding string, value []byte) error {
	if encoding != "coin.v1" || len(value) != 1 {
		return errors.New("no coin")
	}
	c.Cents = int(value[0])
	return nil
}

// mark has one by its value.
type mark string

func (m mark) EncodePayload() (string, []byte, error) { return "mark", []byte(m), nil }
func (m *mark) DecodePayload(_ string, value []byte) error {
	*m = mark(value)
	return nil
}

func TestTypesCanHaveAnEncodingOfTheirOwn(t *testing.T) {
	for _, v := range []any{coin{7}, &coin{7}} {
		p, err := Encode(v)
		require.NoError(t, err)
		assert.Equal(t, "coin.v1", p.Encoding)
		assert.False(t, p.Closed())
		again, err := Encode(v)
		require.NoError(t, err)
		assert.Equal(t, p.Sum, again.Sum, "replay compares sums")

		var plain coin
		require.NoError(t, p.Decode(&plain))
		assert.Equal(t, coin{7}, plain)
		var pointer *coin
		require.NoError(t, p.Decode(&pointer))
		assert.Equal(t, &coin{7}, pointer)
	}
	p, err := Encode(mark("x"))
	require.NoError(t, err)
	var m mark
	require.NoError(t, p.Decode(&m))
	assert.Equal(t, mark("x"), m)
}

func TestNilPointersAreNull(t *testing.T) {
	p, err := Encode((*coin)(nil))
	require.NoError(t, err)
	assert.Equal(t, JSON([]byte("null")), p)
	c := &coin{7}
	require.NoError(t, p.Decode(&c))
	assert.Nil(t, c)
	p, err = Encode(nil)
	require.NoError(t, err)
	assert.Equal(t, JSON([]byte("null")), p)
}

func TestWhatWasRecordedAsJSONIsReadAsJSON(t *testing.T) {
	var c coin
	require.NoError(t, JSON([]byte(`{"Cents":9}`)).Decode(&c))
	assert.Equal(t, coin{9}, c)
}

func TestBadEncodersAndDecodersAreNamed(t *testing.T) {
	for cents, want := range map[int]string{-1: "a debt", 1000: "without '+'", 1001: "is no encoding"} {
		_, err := Encode(coin{cents})
		assert.ErrorContains(t, err, want)
		assert.ErrorContains(t, err, "coin")
	}
	p, err := Encode(mark("long"))
	require.NoError(t, err)
	var c *coin
	assert.ErrorContains(t, p.Decode(&c), "no coin")
	assert.Nil(t, c)
	var other struct{ A int }
	assert.ErrorContains(t, p.Decode(&other), "no method DecodePayload")
	assert.ErrorContains(t, p.Decode(nil), "no method DecodePayload")
}

func TestClosedPayloadsAreNotRead(t *testing.T) {
	p, err := Encoded("coin.v1+zstd", []byte{7})
	require.NoError(t, err)
	assert.True(t, p.Closed() && !p.Absent() && !p.Redacted())
	c := coin{3}
	assert.ErrorContains(t, p.Decode(&c), "closed (coin.v1+zstd) and was not opened")
	assert.Equal(t, coin{3}, c)
	assert.Contains(t, ReadFailure(p).Message, "closed (coin.v1+zstd)")
	var raw json.RawMessage
	assert.Error(t, p.Decode(&raw))
	p.Data = nil
	assert.ErrorContains(t, p.Decode(&c), "redacted")
}

func BenchmarkEncode(b *testing.B) {
	type order struct{ ID, Text string }
	v := order{"o-1", strings.Repeat("x", 200)}
	b.ReportAllocs()
	for b.Loop() {
		_, _ = Encode(v)
	}
}
