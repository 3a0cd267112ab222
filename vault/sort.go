package vault

import (
	"strings"

	"github.com/clewflow/clew/history"
)

// Blobs is where v keeps what is large; nil: nowhere.
func (v *Vault) Blobs() Blobs {
	if v == nil {
		return nil
	}
	return v.blobs
}

// Keyed reports whether a payload was encrypted: one of the codecs that it went through has the name of a key beside it.
func Keyed(p history.Payload) bool { return strings.Contains(p.Encoding, ":") }
