package activity_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
)

// shelf keeps files in a map.
type shelf map[string]string

var errBroken = errors.New("the shelf is broken")

func (s shelf) Write(_ context.Context, from io.Reader) (string, int64, error) {
	b, err := io.ReadAll(from)
	if err != nil || s == nil {
		return "", 0, errors.Join(err, errBroken)
	}
	s["ref-"+string(b[:1])] = string(b)
	return "ref-" + string(b[:1]), int64(len(b)), nil
}

func (s shelf) Open(_ context.Context, ref string) (io.ReadCloser, error) {
	text, ok := s[ref]
	if !ok {
		return nil, errBroken
	}
	return io.NopCloser(strings.NewReader(text)), nil
}

func with(t *testing.T, files activity.Files) context.Context {
	return activity.WithHand(t.Context(), &activity.Hand{Files: files})
}

// TestFilesArePassedByReference: what travels through a history is small.
func TestFilesArePassedByReference(t *testing.T) {
	ctx := with(t, shelf{})
	text := strings.Repeat("long ", 10_000)
	f, err := activity.WriteFile(ctx, "scan.pdf", strings.NewReader(text))
	require.NoError(t, err)
	assert.Equal(t, activity.File{Ref: "ref-l", Size: 50_000, Name: "scan.pdf"}, f)

	p, err := history.Encode(f)
	require.NoError(t, err)
	assert.Equal(t, `{"ref":"ref-l","size":50000,"name":"scan.pdf"}`, string(p.Data))
	var travelled activity.File
	require.NoError(t, p.Decode(&travelled))
	r, err := activity.OpenFile(ctx, travelled)
	require.NoError(t, err)
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	assert.Equal(t, text, string(got))
}

func TestFilesNeedARuntimeThatKeepsThem(t *testing.T) {
	for want, ctx := range map[string]context.Context{
		"only attempts of activities have files": t.Context(), "Config.Vault": with(t, nil), "the shelf is broken": with(t, shelf(nil)),
	} {
		_, err := activity.WriteFile(ctx, "scan.pdf", strings.NewReader("x"))
		assert.ErrorContains(t, err, want)
		assert.ErrorContains(t, err, `writing the file "scan.pdf"`)
		_, err = activity.OpenFile(ctx, activity.File{Ref: "ref-x", Name: "scan.pdf"})
		assert.ErrorContains(t, err, want)
		assert.ErrorContains(t, err, `reading the file "scan.pdf"`)
	}
	_, err := activity.OpenFile(with(t, shelf{}), activity.File{})
	assert.ErrorContains(t, err, "never written")
}
