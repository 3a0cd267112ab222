package history

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Encode makes a payload of a value of the author's.
func Encode(v any) (Payload, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return Payload{}, fmt.Errorf("clew: %T cannot be encoded as JSON: %w", v, err)
	}
	return JSON(data), nil
}

// Decode reads a payload into what v points to. An absent payload leaves it as it is. Unknown fields are passed over, new
// ones stay zero. A redacted payload is an error.
func (p Payload) Decode(v any) error {
	switch {
	case p.Absent():
		return nil
	case p.Redacted():
		return fmt.Errorf("clew: a value of %T was redacted", v)
	}
	if err := json.Unmarshal(p.Data, v); err != nil {
		return fmt.Errorf("clew: what is recorded cannot be decoded into %s: %w", strings.TrimPrefix(fmt.Sprintf("%T", v), "*"), err)
	}
	return nil
}
