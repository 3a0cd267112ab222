package vault_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/vault"
)

var id = history.ID{Namespace: "shop", Workflow: "order-1"}

// golden is every kind of event with all fields set, as package history freezes them.
func golden(t testing.TB) (all []history.Event) {
	lines, err := os.ReadFile("../history/testdata/full.jsonl")
	require.NoError(t, err)
	entries, err := history.Unmarshal(lines)
	require.NoError(t, err)
	for _, e := range entries {
		all = append(all, e.Event)
	}
	require.Greater(t, len(all), 20)
	return all
}

func open(t testing.TB, o vault.Options) *vault.Vault {
	v, err := vault.New(o)
	require.NoError(t, err)
	return v
}

// signal is an event with one payload.
func signal(text []byte) history.Event {
	return &history.Signaled{Name: "paid", Value: history.JSON(text)}
}

func quoted(n int) []byte { return []byte(`"` + string(bytes.Repeat([]byte("abc "), n/4)) + `"`) }

func value(e history.Event) history.Payload { return e.(*history.Signaled).Value }

func wrap(t testing.TB, v *vault.Vault, e history.Event) history.Event {
	w, err := v.Wrap(t.Context(), id, 7, e)
	require.NoError(t, err)
	return w
}

// reverse is a codec of somebody else's, with a note.
type reverse struct{ broken bool }

func (reverse) Name() string { return "reverse" }

func (r reverse) Encode(_ context.Context, where vault.Where, plain []byte) ([]byte, string, error) {
	if r.broken {
		panic("out of order")
	}
	return turned(plain), where.Field, nil
}

func (r reverse) Decode(_ context.Context, where vault.Where, note string, stored []byte) ([]byte, error) {
	if r.broken {
		panic("out of order")
	}
	if note != where.Field {
		return nil, fmt.Errorf("the note is %s", note)
	}
	return turned(stored), nil
}

func turned(b []byte) []byte {
	r := make([]byte, len(b))
	for i := range b {
		r[len(b)-1-i] = b[i]
	}
	return r
}
