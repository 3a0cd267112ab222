package commands

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/clewflow/clew/history"
)

// Limits of what a run can be found by.
const (
	MaxAttributes     = 64      // of a run
	MaxAttributeName  = 64      // bytes
	MaxAttributeValue = 2 << 10 // bytes as JSON
)

// SetAttributes changes what the run can be found by.
type SetAttributes struct{ Attributes history.Payload }

func (c SetAttributes) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	if err := running(s); err != nil {
		return nil, err
	}
	return follows(&history.AttributesSet{Attributes: c.Attributes})
}

// CheckAttributes refuses attributes that are too many or too large. all are those that the run has with them.
func CheckAttributes(changes map[string]json.RawMessage, all int) error {
	for name, value := range changes {
		if len(name) > MaxAttributeName {
			return &Invalid{Field: "the name of an attribute", Value: name, Want: "at most 64 bytes"}
		}
		if err := CheckName("the name of an attribute", name); err != nil {
			return err
		}
		if len(value) > MaxAttributeValue {
			return &Invalid{Field: "attribute " + name, Value: string(value), Want: "at most 2 KiB"}
		}
	}
	if all > MaxAttributes {
		return &Invalid{Field: "the attributes of a run", Value: fmt.Sprint(all), Want: "at most 64"}
	}
	return nil
}

// Publish makes a view of the code's what is shown of the run without running code.
type Publish struct{ View history.Payload }

func (c Publish) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	if err := running(s); err != nil {
		return nil, err
	}
	return follows(&history.Published{View: c.View})
}

// ChangeAttributes changes what the run can be found by, without its code.
type ChangeAttributes struct {
	Attributes history.Payload
	Reason     string
}

func (c ChangeAttributes) decide(s *history.State, _ time.Time) ([]history.Event, error) {
	if err := running(s); err != nil {
		return nil, err
	}
	var changes map[string]json.RawMessage
	if err := c.Attributes.Decode(&changes); err != nil {
		return nil, &Invalid{Field: "the attributes", Value: string(c.Attributes.Data), Want: "a JSON object"}
	}
	if err := CheckAttributes(changes, len(s.Attributes.With(c.Attributes))); err != nil {
		return nil, err
	}
	return follows(&history.AttributesChanged{Attributes: c.Attributes, Reason: c.Reason})
}
