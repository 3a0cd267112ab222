package vault_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/vault"
)

// order is JSON as it is: much of it comes again and again.
func order(size int) []byte {
	type line struct{ SKU, Title, Currency, Warehouse string }
	var lines []line
	for i := 0; ; i++ {
		lines = append(lines, line{fmt.Sprintf("sku-%x", noise(i + 4)[i:]), "a thing that somebody has ordered", "EUR", fmt.Sprintf("hall %d", i%7)})
		if data, _ := json.Marshal(lines); len(data) >= size {
			return data
		}
	}
}

func benchmarks(b *testing.B, each func(b *testing.B, v *vault.Vault, e history.Event)) {
	keys := openKeys(b, b.TempDir(), vault.NewMaster())
	zstd, aes := vault.Zstd(0), vault.Encrypt(keys)
	for _, size := range []int{300, 4 << 10, 64 << 10} {
		e := signal(order(size))
		for _, c := range []struct {
			name  string
			vault *vault.Vault
		}{
			{"nil", nil}, {"zstd", open(b, vault.Options{Codecs: []vault.Codec{zstd}})}, {"aes", open(b, vault.Options{Codecs: []vault.Codec{aes}})},
			{"zstd+aes", open(b, vault.Options{Codecs: []vault.Codec{zstd, aes}})},
		} {
			b.Run(fmt.Sprintf("%s/%d", c.name, size), func(b *testing.B) {
				b.SetBytes(int64(value(e).Size()))
				b.ReportAllocs()
				each(b, c.vault, e)
			})
		}
	}
}

func BenchmarkWrap(b *testing.B) {
	benchmarks(b, func(b *testing.B, v *vault.Vault, e history.Event) {
		var w history.Event
		for b.Loop() {
			w, _ = v.Wrap(b.Context(), id, 7, e)
		}
		b.ReportMetric(float64(value(w).Size())/float64(value(e).Size()), "stored/plain")
	})
}

func BenchmarkUnwrap(b *testing.B) {
	benchmarks(b, func(b *testing.B, v *vault.Vault, e history.Event) {
		w, err := v.Wrap(b.Context(), id, 7, e)
		require.NoError(b, err)
		for b.Loop() {
			_, _ = v.Unwrap(b.Context(), id, 7, w)
		}
	})
}

// BenchmarkNewKey is what the first payload of an execution costs: a key that is synced, by one caller and by many.
func BenchmarkNewKey(b *testing.B) {
	for _, made := range []int{0, 100_000} {
		keys := openKeys(b, b.TempDir(), vault.NewMaster())
		n := 0
		next := func() history.ID { n++; return execution(n) }
		for range made / 1_000 {
			ids := make([]history.ID, 1_000)
			for i := range ids {
				ids[i] = next()
			}
			together(b, keys, ids)
		}
		b.Run(fmt.Sprintf("alone/after=%d", made), func(b *testing.B) {
			for b.Loop() {
				if _, err := keys.Current(b.Context(), next()); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("100-together/after=%d", made), func(b *testing.B) {
			for b.Loop() {
				ids := make([]history.ID, 100)
				for i := range ids {
					ids[i] = next()
				}
				together(b, keys, ids)
			}
		})
	}
}

// together has all of ids get their keys at the same time.
func together(b *testing.B, keys vault.Keys, ids []history.ID) {
	done := make(chan error)
	for _, id := range ids {
		go func() {
			_, err := keys.Current(b.Context(), id)
			done <- err
		}()
	}
	for range ids {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
}
