package runtime

import "github.com/clewflow/clew/history"

// maxRequests is how many of the newest requests are known again at the least, and half of how many at the most.
const maxRequests = 10_000

// asked are the newest acts that were asked for with a request. A request is one of an act: that somebody who deletes several executions
// gives one for all of them does not make the second the repetition of the first.
type asked struct{ newer, older map[act]uint64 }

// act is what a request asks for.
type act struct {
	request string
	kind    string // of the event
	id      history.ID
	hold    string // which is laid down or released
}

func actOf(request string, event history.Event) act {
	a := act{request: request, kind: event.Kind(), id: targetOf(event)}
	switch v := event.(type) {
	case *history.Held:
		a.id, a.hold = v.ID, v.Name
	case *history.Released:
		a.id, a.hold = v.ID, v.Name
	case *history.Imported:
		a.id = v.ID
	}
	return a
}

// take notes the request of an entry.
func (a *asked) take(e history.Entry) {
	if e.Request == "" || e.Event == nil {
		return
	}
	if len(a.newer) >= maxRequests || a.newer == nil {
		a.newer, a.older = map[act]uint64{}, a.newer
	}
	a.newer[actOf(e.Request, e.Event)] = e.Seq
}

// of is the Seq of the entry in which an act is recorded that was asked for by a request; 0 if there is none.
func (a *asked) of(request string, event history.Event) uint64 {
	if request == "" {
		return 0
	}
	one := actOf(request, event)
	return max(a.newer[one], a.older[one])
}
