package history

import (
	"errors"
	"maps"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// encoded holds events whose payloads are not plain JSON.
func encoded() (all []Event) {
	for i, encoding := range []string{"proto", "json+zstd", "proto+zstd+aes-256-gcm:7.mzxw6ytboi4dgnbv+blob"} {
		for _, e := range full()[:4] {
			e, err := WithPayloads(e, func(field string, p Payload) (Payload, error) {
				if field == "attributes" {
					return p, nil
				}
				return Encoded(encoding, append([]byte{byte(i), 0xff}, p.Data...))
			})
			if err != nil {
				panic(err)
			}
			all = append(all, e)
		}
	}
	reference, err := Reference("json+blob", []byte(`"`+text("far").Sum.String()+`"`))
	if err != nil {
		panic(err)
	}
	return append(all, &Signaled{Name: "paid", Value: reference})
}

func TestPayloadsOfAnEventAreNamed(t *testing.T) {
	started := full()[0].(*Started)
	assert.Equal(t, map[string]Payload{"input": started.Input, "memo": started.Memo, "attributes": started.Attributes, "headers": started.Headers}, maps.Collect(Payloads(started)))
	for range Payloads(started) {
		break // and no more are shown
	}
	assert.Empty(t, maps.Collect(Payloads(&Told{})))
}

// TestPayloadsOfEveryEventCanBeChanged: all else stays, and the first event stays as it was.
func TestPayloadsOfEveryEventCanBeChanged(t *testing.T) {
	for i, e := range full() {
		same, err := WithPayloads(e, func(_ string, p Payload) (Payload, error) { return p, nil })
		require.NoError(t, err)
		assert.Same(t, e, same, "nothing was changed")

		n := 0
		changed, err := WithPayloads(e, func(field string, p Payload) (Payload, error) {
			n++
			return Encoded("proto", append([]byte(field), p.Data...))
		})
		require.NoError(t, err)
		assert.Equal(t, full()[i], e)
		if n == 0 {
			assert.Same(t, e, changed)
			continue
		}
		for field, p := range Payloads(changed) {
			value, err := p.Value()
			require.NoError(t, err)
			assert.True(t, strings.HasPrefix(string(value), field), "%s: %s", e.Kind(), value)
			assert.True(t, p.Intact() && !p.Closed() && p.Encoding == "proto")
		}
		back, err := WithPayloads(changed, func(field string, p Payload) (Payload, error) {
			value, err := p.Value()
			return JSON(value[len(field):]), err
		})
		require.NoError(t, err)
		assert.Equal(t, e, back)
	}
}

func TestPayloadsCanBeTakenAway(t *testing.T) {
	e := &Signaled{Name: "paid", Value: text("12")}
	got, err := WithPayloads(e, func(_ string, p Payload) (Payload, error) { p.Data = nil; return p, nil })
	require.NoError(t, err)
	assert.True(t, got.(*Signaled).Value.Redacted())
	assert.Equal(t, e.Value.Sum, got.(*Signaled).Value.Sum)
}

func TestChangesOfPayloadsCanFail(t *testing.T) {
	e, no := &AttemptFailed{Failure: text("E-1"), Checkpoint: text("half")}, errors.New("no")
	asked := 0
	for want, change := range map[string]func(string, Payload) (Payload, error){
		"no":                   func(string, Payload) (Payload, error) { asked++; return text("x"), no },
		"replaced by none":     func(string, Payload) (Payload, error) { return Payload{}, nil },
		`"a b" is no encoding`: func(_ string, p Payload) (Payload, error) { p.Encoding = "a b"; return p, nil },
	} {
		got, err := WithPayloads(e, change)
		assert.ErrorContains(t, err, want)
		assert.Same(t, e, got)
	}
	assert.Equal(t, 1, asked, "after the first error there is no reason to go on")
}

func TestEncodingsAreNames(t *testing.T) {
	for _, good := range []string{"a", "proto", "json+zstd", "a+b:1.c-D+e", strings.Repeat("x", 100)} {
		_, err := Encoded(good, nil)
		assert.NoError(t, err, good)
	}
	line := string(sealed(encoded()[0])[0].wire)
	require.Contains(t, line, ` proto"`)
	for _, bad := range []string{"", "json", "+", "+a", "a+", "a++b", "a b", "a_b", "é", `a\"`, "a/b", strings.Repeat("x", 101)} {
		_, err := Encoded(bad, nil)
		assert.ErrorContains(t, err, "is no encoding", bad)
		_, err = UnmarshalEntry([]byte(strings.Replace(line, ` proto"`, ` `+bad+`"`, 1)))
		assert.ErrorIs(t, err, ErrUnreadable, bad)
	}
	assert.Panics(t, func() { Seal(Hash{}, &Entry{Event: &Signaled{Value: Payload{Sum: Sum{1}, Encoding: "a b"}}}) })
}

func TestEncodedPayloadsAreStrings(t *testing.T) {
	p, err := Encoded("proto", []byte{0xfb, 0xff})
	require.NoError(t, err)
	assert.Equal(t, `"+/8="`, string(p.Data))
	line := string(sealed(&Signaled{Value: p})[0].wire)
	for _, bad := range []string{`7`, `{}`, `true`, `["+/8="]`} {
		_, err := UnmarshalEntry([]byte(strings.Replace(line, string(p.Data), bad, 1)))
		assert.ErrorContains(t, err, "want a string", bad)
	}
	for _, bad := range []string{`"*"`, `"`, `x`, ``, `"+/9="`} {
		_, err := Payload{Data: []byte(bad), Encoding: "proto"}.Value()
		assert.Error(t, err, bad)
	}
	for _, null := range []Payload{p, {Sum: nullSum, Encoding: "proto"}} { // a string never has the sum of null
		e := sealed(&Signaled{Value: Payload{Sum: null.Sum, Encoding: null.Encoding}})[0]
		require.Contains(t, string(e.wire), `"payloads":{"value":null}`)
		read, err := UnmarshalEntry(e.wire)
		require.NoError(t, err)
		assert.True(t, read.Event.(*Signaled).Value.Redacted())
	}
}

func TestTheHashCoversTheEncoding(t *testing.T) {
	e := sealed(encoded()[0])[0]
	e, err := UnmarshalEntry([]byte(strings.ReplaceAll(string(e.wire), ` proto"`, ` photo"`)))
	require.NoError(t, err)
	assert.ErrorIs(t, new(Chain).Check(e), ErrBroken)
}

func TestEntryWithAnotherFormOfItsEventIsTheSameEntry(t *testing.T) {
	e := sealed(&Signaled{Name: "paid", Value: text("closed")})[0]
	opened := e.With(&Signaled{Name: "paid", Value: text("12")})
	assert.Equal(t, AppendEntry(nil, e), AppendEntry(nil, opened))
	assert.Equal(t, e.Hash, opened.Hash)
	assert.Equal(t, e.Size(), opened.Size())
	assert.NoError(t, new(Chain).Check(opened))
	assert.Equal(t, strconv.Quote("12"), string(opened.Event.(*Signaled).Value.Data))
}

func TestSumsAreParsed(t *testing.T) {
	sum := text("12").Sum
	got, err := ParseSum(sum.String())
	require.NoError(t, err)
	assert.Equal(t, sum, got)
	for _, bad := range []string{"", sum.String()[1:], sum.String() + "A", strings.Repeat("*", 43)} {
		_, err := ParseSum(bad)
		assert.ErrorContains(t, err, "is no sum", bad)
	}
}
