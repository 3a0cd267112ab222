package runtime_test

import (
	"io"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/audit"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/runtime"
)

// TestWhoIsShownPayloadsIsRecorded: if that is wanted. Digests show none.
func TestWhoIsShownPayloadsIsRecorded(t *testing.T) {
	for _, wanted := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, runtime.Config{RecordReads: wanted})
			w.open(brief)
			ctx := w.ctx()
			_, err := runtime.Do(ctx, w.rt, "b1", brief, 1)
			require.NoError(t, err)
			require.NoError(t, w.rt.Export(ctx, io.Discard, runtime.ExportWish{ID: "b1", Digests: true}, runtime.Operator("ann")))
			require.NoError(t, w.rt.Export(ctx, io.Discard, runtime.ExportWish{ID: "b1"}, runtime.Operator("ann"), runtime.Reason("the court")))
			require.NoError(t, w.rt.RecordRead(ctx, "b1", "console", runtime.Operator("bob")))
			w.close()
			w.open(brief) // the next goes on behind
			require.NoError(t, w.rt.Export(ctx, io.Discard, runtime.ExportWish{Where: "*"}, runtime.Operator("bob")))
			var got []string
			for act, err := range w.rt.Acts(ctx, runtime.ActsQuery{ID: "b1"}) {
				require.NoError(t, err)
				d := act.Entry.Event.(*history.Disclosed)
				got = append(got, act.By+" "+d.How+" "+d.Reason)
			}
			if wanted {
				assert.Equal(t, []string{"bob export ", "bob console ", "ann export the court"}, got)
			} else {
				assert.Empty(t, got)
			}
			report, err := w.rt.Verify(ctx, audit.Scope{})
			require.NoError(t, err)
			assert.Empty(t, report.Findings)
			w.close()
		})
	}
}
