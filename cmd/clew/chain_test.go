package main

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/clewflow/clew/history"
)

// kin are executions that wait for each other, and some that ended because of each other.
func kin(t *testing.T) (dir string) {
	pasts := map[string]*past{}
	begin := func(id string, parent history.Parent) *past {
		p := &past{}
		s := started("order", 1)
		s.Run, s.Chain, s.Parent = "r-"+id, "r-"+id, parent
		p.at(0, history.Client, s)
		pasts[id] = p
		return p
	}
	child := func(p *past, step history.Step, id string) {
		p.at(time.Second, history.Code, &history.ChildAsked{Step: step, ID: id, Type: "order"})
		p.at(time.Second, history.Clock, &history.ChildStarted{Step: step, Chain: "r-" + id})
		p.at(time.Second, history.Code, &history.Told{})
	}
	of := func(id string, step history.Step) history.Parent {
		return history.Parent{ID: id, Run: "r-" + id, Chain: "r-" + id, Step: step}
	}
	// shop waits for its order, which waits for its parcel, which is tried again.
	child(begin("shop", history.Parent{}), 1, "shop~1")
	child(begin("shop~1", of("shop", 1)), 1, "shop~1~1")
	parcel := begin("shop~1~1", of("shop~1", 1))
	parcel.at(time.Second, history.Code, scheduled(1, "ship"))
	parcel.at(2*time.Second, history.Worker, &history.AttemptFailed{Try: try(1, 1), Failure: failure(errors.New("no truck")), RetryAt: noon.Add(time.Hour)})
	// Two that tell each other something which neither has got.
	for _, pair := range [][2]string{{"hen", "egg"}, {"egg", "hen"}} {
		begin(pair[0], history.Parent{}).at(time.Second, history.Code, &history.SendAsked{Step: 1, ID: pair[1], Name: "first"})
	}
	// Many below each other.
	for i := range 14 {
		parent := history.Parent{}
		if i > 0 {
			parent = of(fmt.Sprint("deep-", i-1), 1)
		}
		child(begin(fmt.Sprint("deep-", i), parent), 1, fmt.Sprint("deep-", i+1))
	}
	// bill failed because its child did, which was asked to end by auditor, which had got a signal from ann.
	bill := begin("bill", history.Parent{})
	child(bill, 1, "bill~1")
	auditor := begin("auditor", history.Parent{})
	auditor.at(3*time.Second, "client:ann", &history.Signaled{Name: "fraud"})
	auditor.at(3*time.Second, history.Code, &history.SendAsked{Step: 1, ID: "bill~1", Cancel: true})
	auditor.at(3*time.Second, history.Clock, &history.Sent{Step: 1})
	auditor.at(3*time.Second, history.Code, &history.Completed{})
	paid := begin("bill~1", of("bill", 1))
	paid.at(2*time.Second, history.Code, scheduled(1, "pay"))
	paid.request(3*time.Second, "execution:auditor", "send:r-auditor:1", &history.CancelRequested{Reason: "asked for by auditor"})
	paid.at(3*time.Second, history.Code, &history.Cancelled{})
	bill.at(4*time.Second, history.Clock, &history.ChildClosed{Step: 1, Run: "r-bill~1", Status: history.StatusCancelled})
	bill.at(4*time.Second, history.Code, &history.Failed{Failure: failure(errors.New("the bill is not paid"))})
	return keep(t, pasts)
}

// request is at, for an entry that names its request.
func (p *past) request(after time.Duration, by history.Actor, request string, event history.Event) {
	e := history.Entry{Seq: uint64(len(p.entries) + 1), At: noon.Add(after), By: by, Request: request, Event: event}
	p.input = e.Seq
	history.Seal(p.hash, &e)
	p.hash = e.Hash
	p.entries = append(p.entries, e)
}

func TestWhyFollowsWhatAnExecutionWaitsFor(t *testing.T) {
	dir := kin(t)
	now = func() time.Time { return noon.Add(time.Minute) }
	t.Cleanup(func() { now = time.Now })
	golden(t, "why-kin", read(t, "why", "shop", "--dir", dir)+"\n"+read(t, "why", "hen", "--dir", dir))
	out := read(t, "why", "deep-0", "--dir", dir)
	assert.Contains(t, out, "deep-9, workflow order")
	assert.Contains(t, out, `See "clew why deep-10".`, "it ends somewhere")
	assert.NotContains(t, out, "deep-11")
}

func TestWhyFollowsCausesThroughOtherExecutions(t *testing.T) {
	dir := kin(t)
	out := read(t, "why", "bill", "--dir", dir)
	golden(t, "why-caused", out)
	for _, cause := range []string{"that is how bill~1 ended", "the execution auditor did that", "from client:ann"} {
		assert.Contains(t, out, cause)
	}
}
