package audit_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"iter"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/audit"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/memory"
	"github.com/clewflow/clew/store/storetest"
)

func anchorOf(t *testing.T, log audit.Source, key ed25519.PrivateKey) (*audit.Anchor, string) {
	var b bytes.Buffer
	_, err := audit.Write(t.Context(), &b, log, noon)
	require.NoError(t, err)
	text := b.Bytes()
	if key != nil {
		text, err = audit.Sign(text, key)
		require.NoError(t, err)
		text, err = audit.Sign(text, key)
		require.NoError(t, err)
	}
	a, err := audit.Read(bytes.NewReader(text))
	require.NoError(t, err)
	return a, string(text)
}

func verify(t *testing.T, log audit.Source, scope audit.Scope) audit.Report {
	t.Helper()
	r, err := audit.Verify(t.Context(), log, scope)
	require.NoError(t, err)
	return r
}

func TestWhatWasTakenAwayOnPurposeIsNotWrong(t *testing.T) {
	log := memory.New()
	world(t, log)
	anchor, _ := anchorOf(t, log, nil)
	r := verify(t, log, audit.Scope{Against: anchor})
	assert.Empty(t, r.Findings)
	assert.Equal(t, audit.Report{Executions: 9, Own: 2, Entries: r.Entries, Redacted: 1, Deleted: 2, Anchored: len(anchor.Heads)}, r)
	assert.Greater(t, r.Entries, 50)
	assert.Equal(t, 1, verify(t, log, audit.Scope{Only: id("order-1")}).Executions)
	assert.Zero(t, verify(t, log, audit.Scope{Namespace: "other"}).Executions)
}

func TestTheSameIsWrongIfNobodyRecordedIt(t *testing.T) {
	log := memory.New()
	s := newScribe(t, log)
	of := id("order-1")
	all := s.record(of, append([]history.Event{started(of, 1)}, append(life(1), &history.Continued{}, started(of, 2))...)...)
	without, _ := history.Redact(all[1], "")
	require.NoError(t, log.Redact(t.Context(), of, without))
	r := verify(t, log, audit.Scope{})
	require.Len(t, r.Findings, 1)
	assert.Equal(t, `unrecorded: shop/order-1: the payload "input" of entry 2 was taken away, and nobody recorded that`, r.Findings[0].String())
	require.NoError(t, log.Cut(t.Context(), of, 5, all[4].Hash))
	r = verify(t, log, audit.Scope{})
	require.Len(t, r.Findings, 1)
	assert.Equal(t, audit.Missing, r.Findings[0].Kind)
}

func TestWhatComesBackIsNamed(t *testing.T) {
	log := memory.New()
	s := newScribe(t, log)
	of := id("order-1")
	all := s.record(of, append([]history.Event{started(of, 1)}, append(life(1), &history.Completed{Result: text("R")})...)...)
	last := all[len(all)-1]
	s.record(history.AdminOf("shop"), &history.Redacted{ID: of, From: 1, To: last.Seq, Hash: last.Hash})
	r := verify(t, log, audit.Scope{})
	assert.Empty(t, r.Findings, "it is recorded and not done yet")
	assert.Equal(t, 1, r.Unfinished)
	s.record(history.AdminOf("shop"), &history.Erased{Acts: []uint64{1}})
	r = verify(t, log, audit.Scope{})
	require.Len(t, r.Findings, 1)
	assert.Equal(t, audit.Returned, r.Findings[0].Kind)
	s.record(history.AdminOf("shop"), &history.Deleted{ID: of, From: 1, To: last.Seq, Hash: last.Hash}, &history.Erased{Acts: []uint64{3}})
	r = verify(t, log, audit.Scope{})
	require.Len(t, r.Findings, 1)
	assert.Equal(t, "returned: shop/order-1: entry 5 was deleted, and is there again", r.Findings[0].String())
}

func TestAnchorFindsWhatAHistoryAloneCannotShow(t *testing.T) {
	log := memory.New()
	world(t, log)
	anchor, _ := anchorOf(t, log, nil)

	t.Run("growth is not wrong", func(t *testing.T) {
		grown := memory.New()
		s := world(t, grown)
		s.record(id("order-1"), life(1)...)
		s.record(id("new"), started(id("new"), 1))
		r := verify(t, grown, audit.Scope{Against: anchor})
		assert.Empty(t, r.Findings)
		assert.Equal(t, len(anchor.Heads), r.Anchored)
	})
	t.Run("a tail that was cut off", func(t *testing.T) {
		other := memory.New()
		s := newScribe(t, other)
		s.record(id("order-1"), started(id("order-1"), 1))
		r := verify(t, other, audit.Scope{Only: id("order-1"), Against: anchor})
		require.Len(t, r.Findings, 1)
		assert.Equal(t, "missing: shop/order-1: it ends at entry 1, and had 7 according to the anchor", r.Findings[0].String())
	})
	t.Run("a history that was written anew", func(t *testing.T) {
		other := memory.New()
		s := newScribe(t, other)
		forged := started(id("order-1"), 1)
		forged.Input = text("forged")
		s.record(id("order-1"), append([]history.Event{forged}, life(2)...)...)
		r := verify(t, other, audit.Scope{Only: id("order-1")})
		assert.Empty(t, r.Findings)
		r = verify(t, other, audit.Scope{Only: id("order-1"), Against: anchor})
		require.Len(t, r.Findings, 1)
		assert.Equal(t, "damaged: shop/order-1: entry 7 is not the one in the anchor: the history was written anew", r.Findings[0].String())
	})
	t.Run("an execution that is gone", func(t *testing.T) {
		r := verify(t, memory.New(), audit.Scope{Against: anchor})
		assert.Len(t, r.Findings, len(anchor.Heads))
		assert.Equal(t, len(anchor.Heads), r.Bad)
	})
	t.Run("one that was deleted since, and begun again", func(t *testing.T) {
		grown := memory.New()
		s := world(t, grown)
		last := s.last[id("order-0")]
		s.record(history.AdminOf("shop"), &history.Deleted{ID: id("order-0"), From: 1, To: last.Seq, Hash: last.Hash})
		require.NoError(t, grown.Cut(t.Context(), id("order-0"), last.Seq, last.Hash))
		assert.Empty(t, verify(t, grown, audit.Scope{Against: anchor}).Findings)
		delete(s.last, id("order-0"))
		s.record(id("order-0"), append([]history.Event{started(id("order-0"), 1)}, life(2)...)...)
		assert.Empty(t, verify(t, grown, audit.Scope{Against: anchor}).Findings)
	})
}

func TestAnchorsAreWhole(t *testing.T) {
	log := memory.New()
	world(t, log)
	_, key, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	anchor, text := anchorOf(t, log, key)
	assert.True(t, key.Public().(ed25519.PublicKey).Equal(anchor.Key))
	assert.Equal(t, noon, anchor.At)
	for i := range len(text) {
		_, err := audit.Read(strings.NewReader(text[:i]))
		assert.ErrorIs(t, err, audit.ErrAnchor, "cut at %d", i)
	}
	for i := range len(text) {
		b := []byte(text)
		b[i] ^= 1
		if a, err := audit.Read(bytes.NewReader(b)); err == nil {
			assert.False(t, key.Public().(ed25519.PublicKey).Equal(a.Key), "byte %d", i)
		}
	}
}

// plain hides all that a log offers beside.
type plain struct{ store.Log }

func TestALogThatListsNothingIsFollowed(t *testing.T) {
	log := memory.New()
	world(t, log)
	listed, _ := anchorOf(t, log, nil)
	followed, _ := anchorOf(t, plain{log}, nil)
	assert.Equal(t, listed, followed)
	assert.Empty(t, verify(t, plain{log}, audit.Scope{Against: listed}).Findings)
}

func TestAFailingLogIsNotTakenForAGoodOne(t *testing.T) {
	log := memory.New()
	world(t, log)
	faulty := storetest.Faulty(log, &storetest.Faults{Read: func(of history.ID, _ uint64) int {
		if of == id("order-3") {
			return 2
		}
		return -1
	}})
	_, err := audit.Verify(t.Context(), faulty, audit.Scope{})
	assert.ErrorIs(t, err, store.ErrUnavailable)
}

// export is all histories of a log as clew export --all writes them, those of clew's own last.
func export(t *testing.T, log *memory.Log, own bool) string {
	var b []byte
	var admin []history.ID
	write := func(of history.ID) {
		b = history.AppendHeading(b, of)
		for r, err := range log.Read(t.Context(), of, 1) {
			require.NoError(t, err)
			b = append(history.AppendEntry(b, r.Entry), '\n')
		}
	}
	for s, err := range log.Streams(t.Context()) {
		require.NoError(t, err)
		if s.ID.Family() == "" {
			write(s.ID)
		} else if _, about := s.ID.Administers(); about && own {
			admin = append(admin, s.ID)
		}
	}
	for _, of := range admin {
		write(of)
	}
	return string(b)
}

func verifyExport(text string, scope audit.Scope) (audit.Report, error) {
	return audit.VerifyExport(func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }, "all.jsonl", scope)
}

func TestExportsAreHeldAgainstAnAnchor(t *testing.T) {
	log := memory.New()
	world(t, log)
	anchor, _ := anchorOf(t, log, nil)
	r, err := verifyExport(export(t, log, true), audit.Scope{Against: anchor})
	require.NoError(t, err)
	assert.Empty(t, r.Findings)
	assert.Equal(t, 9, r.Executions)
	r, err = verifyExport(export(t, log, false), audit.Scope{})
	require.NoError(t, err)
	require.Len(t, r.Findings, 1, "that the front of one history is gone is recorded elsewhere")
	assert.Equal(t, id("runs"), r.Findings[0].ID)
}

// ends is a source of one history that ends with an error.
type ends struct {
	entries []history.Entry
	err     error
}

func (e ends) Read(context.Context, history.ID, uint64) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		for _, entry := range e.entries {
			if !yield(store.Record{Entry: entry}, nil) {
				return
			}
		}
		yield(store.Record{}, e.err)
	}
}

func TestWhatTheStoreSaysIsDamagedIsFound(t *testing.T) {
	log := memory.New()
	entries := newScribe(t, log).record(id("w"), append([]history.Event{started(id("w"), 1)}, life(1)...)...)
	r, err := audit.Verify(t.Context(), ends{entries[:3], fmt.Errorf("entry 4: %w", store.ErrCorrupt)}, audit.Scope{Only: id("w")})
	require.NoError(t, err)
	require.Len(t, r.Findings, 1)
	assert.Equal(t, "damaged: shop/w: what follows entry 3 cannot be read: entry 4: store: corrupt", r.Findings[0].String())
	_, err = audit.Verify(t.Context(), ends{entries[:3], store.ErrUnavailable}, audit.Scope{Only: id("w")})
	assert.ErrorIs(t, err, store.ErrUnavailable)
}
