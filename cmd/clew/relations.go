package main

import (
	"fmt"
	"strings"

	"github.com/clewflow/clew/history"
)

// relation says what happened between an execution and others, and what it says of itself.
func (t *teller) relation(e history.Entry) string {
	switch v := e.Event.(type) {
	case *history.Continued:
		return "continues as new" + closing(v.Closing)
	case *history.ChildAsked:
		t.names[v.Step] = v.ID
		return fmt.Sprintf("child %s (%s) asked for (step %d)%s", plain(v.ID), plain(v.Type), v.Step, t.payload(v.Input))
	case *history.ChildStarted:
		return t.child(v.Step) + " started"
	case *history.ChildRefused:
		return t.child(v.Step) + " could not be started: " + plain(strings.ReplaceAll(v.Reason, "-", " ")) + because(v.Message)
	case *history.ChildCancelRequested:
		return t.child(v.Step) + " is to be asked to end"
	case *history.ChildCancelDelivered:
		return t.child(v.Step) + " was asked to end"
	case *history.ChildClosed:
		return fmt.Sprintf("%s %s%s%s%s", t.child(v.Step), v.Status, t.payload(v.Result), t.failure(v.Failure), because(v.Reason))
	case *history.SendAsked:
		if v.Cancel {
			return fmt.Sprintf("%s is to be asked to end (step %d)", plain(v.ID), v.Step)
		}
		return fmt.Sprintf("signal %s to %s (step %d)%s", plain(v.Name), plain(v.ID), v.Step, t.payload(v.Value))
	case *history.Sent:
		if v.Refused != "" {
			return fmt.Sprintf("not delivered (step %d): %s", v.Step, plain(strings.ReplaceAll(v.Refused, "-", " ")))
		}
		return fmt.Sprintf("delivered (step %d)", v.Step)
	case *history.FindAsked:
		what := "lookup"
		if v.Count {
			what = "count"
		}
		return fmt.Sprintf("%s asked for (step %d)%s", what, v.Step, t.payload(v.Query))
	case *history.FindAnswered:
		switch {
		case v.Refused != "":
			return fmt.Sprintf("the lookup (step %d) has no answer: %s%s", v.Step, plain(strings.ReplaceAll(v.Refused, "-", " ")), because(v.Message))
		case v.Rows.Absent():
			return fmt.Sprintf("counted %d as of position %d (step %d)", v.Found, v.Position, v.Step)
		}
		return fmt.Sprintf("found %d as of position %d (step %d)%s", v.Found, v.Position, v.Step, t.payload(v.Rows))
	case *history.UpdateAccepted:
		return fmt.Sprintf("update %s accepted (%s)%s%s", plain(v.Name), plain(v.Update), t.payload(v.Input), because(v.Reason))
	case *history.UpdateCompleted:
		return fmt.Sprintf("update %s answered%s", plain(v.Update), t.payload(v.Result))
	case *history.UpdateFailed:
		return fmt.Sprintf("update %s failed%s", plain(v.Update), t.failure(v.Failure))
	case *history.AttributesSet:
		return "attributes set" + t.payload(v.Attributes)
	case *history.Published:
		return "published" + t.payload(v.View)
	}
	return t.unknown(e)
}

// child names a child by its step.
func (t *teller) child(step history.Step) string {
	if id := t.names[step]; id != "" {
		return fmt.Sprintf("child %s (step %d)", plain(id), step)
	}
	return fmt.Sprintf("the child of step %d", step)
}
