package query

import "github.com/clewflow/clew/history"

// AttributesOf are the attributes of a run as rows show them; nil if there are none. What cannot be read is left out.
func AttributesOf(attributes history.Attributes) map[string]any {
	if len(attributes) == 0 {
		return nil
	}
	all := make(map[string]any, len(attributes))
	for name, text := range attributes {
		if v, err := ReadAttribute(text); err == nil {
			all[name] = v
		}
	}
	return all
}
