package history

import (
	"encoding/json"
	"maps"
)

// AttributesSet changes what the run can be found by.
type AttributesSet struct {
	Attributes Payload // a JSON object of those that change; null takes one away
}

func (*AttributesSet) Role() Role                  { return Decision }
func (*AttributesSet) Kind() string                { return "attributes-set" }
func (e *AttributesSet) evolve(s *State, _ *Entry) { s.Attributes = s.Attributes.With(e.Attributes) }
func (e *AttributesSet) put(w *writer)             { w.payload("attributes", e.Attributes) }
func (e *AttributesSet) take(r *reader, key string) bool {
	return takePayload(r, key, "attributes", &e.Attributes)
}

// Attributes are what a run can be found by, each as JSON. They are not changed in place.
type Attributes map[string]json.RawMessage

// With is a with the members of a JSON object on top; those that are null are taken away. What is no object changes
// nothing.
func (a Attributes) With(changes Payload) Attributes {
	if len(changes.Data) == 0 {
		return a
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(changes.Data, &members) != nil {
		return a
	}
	all := make(Attributes, len(a)+len(members))
	maps.Copy(all, a)
	for name, value := range members {
		if string(value) == "null" {
			delete(all, name)
			continue
		}
		all[name] = value
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

// Payload is the JSON object of all, absent if there are none.
func (a Attributes) Payload() Payload {
	if len(a) == 0 {
		return Payload{}
	}
	data, err := json.Marshal(a)
	if err != nil {
		panic("history: attributes that were read as JSON cannot be written: " + err.Error())
	}
	return JSON(data)
}

// Published is the code's own view of the run, to be read without running code.
type Published struct{ View Payload }

func (*Published) Role() Role                        { return Decision }
func (*Published) Kind() string                      { return "published" }
func (e *Published) evolve(s *State, _ *Entry)       { s.View = e.View }
func (e *Published) put(w *writer)                   { w.payload("view", e.View) }
func (e *Published) take(r *reader, key string) bool { return takePayload(r, key, "view", &e.View) }

// AttributesChanged is somebody else's change of what the run can be found by, of which its code is told nothing.
type AttributesChanged struct {
	Attributes Payload // on top of those there are; null takes one away
	Reason     string
}

func (*AttributesChanged) Role() Role   { return Note }
func (*AttributesChanged) Kind() string { return "attributes-changed" }
func (e *AttributesChanged) evolve(s *State, _ *Entry) {
	s.Attributes = s.Attributes.With(e.Attributes)
}
func (e *AttributesChanged) put(w *writer) {
	w.payload("attributes", e.Attributes)
	w.text("reason", e.Reason)
}
func (e *AttributesChanged) take(r *reader, key string) bool {
	return takePayload(r, key, "attributes", &e.Attributes) || takeText(r, key, "reason", &e.Reason)
}
