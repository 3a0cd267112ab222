package vault_test

import (
	"testing"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/vault"
)

// FuzzUnwrap: whatever is stored, it is opened or an error, and never a panic or an absent payload.
func FuzzUnwrap(f *testing.F) {
	all := chains(f)
	for _, v := range all {
		for _, e := range []history.Event{signal([]byte(`"12"`)), signal(quoted(2_000))} {
			w, err := v.Wrap(f.Context(), id, 7, e)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(value(w).Encoding, []byte(value(w).Data), true)
		}
	}
	f.Add("proto+zstd", []byte("\x28\xb5\x2f\xfd\xa4\x00\x00\x00\x80\x00"), false)
	f.Add("json+aes-256-gcm:1.aaaaaaaaaaaaaaaa+blob", []byte("x"), false)
	all["file"] = open(f, vault.Options{Codecs: []vault.Codec{vault.Encrypt(openKeys(f, f.TempDir(), vault.NewMaster()))}, Limit: 1 << 20})
	f.Fuzz(func(t *testing.T, encoding string, data []byte, written bool) {
		form := history.Encoded
		if written {
			form = history.Reference
		}
		p, err := form(encoding, data)
		if err != nil {
			return
		}
		for name, v := range all {
			u, err := v.Unwrap(t.Context(), id, 7, &history.Signaled{Value: p})
			if err != nil {
				continue
			}
			if got := value(u); got.Absent() || !got.Intact() || p.Closed() && got.Closed() && name != "nil" && name != "nothing" {
				t.Fatalf("%s: %s %s became %s %s", name, encoding, data, got.Encoding, got.Data)
			}
		}
	})
}
