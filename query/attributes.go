package query

import (
	"bytes"
	"encoding/json"

	"github.com/clewflow/clew/history"
)

// AttributesOf are the attributes of a run as rows show them. What cannot be read is left out.
func AttributesOf(attributes history.Attributes) map[string]any {
	all := make(map[string]any, len(attributes))
	for name, text := range attributes {
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		var v any
		if decoder.Decode(&v) == nil {
			all[name] = Typed(v)
		}
	}
	return all
}
