package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/runtime"
)

// twins are two runs of the same workflow that went the same way for a while.
func twins(t *testing.T) (dir string) {
	pasts := map[string]*past{}
	for _, id := range []string{"left", "right", "like", "other"} {
		p := &past{}
		begun := started("order", 1)
		begun.Run, begun.Chain = "r-"+id, "r-"+id
		if id == "other" {
			begun.Input = value(`{"cents":7}`)
		}
		p.at(0, history.Client, begun)
		p.at(0, history.Code, scheduled(1, "charge"))
		if id == "right" {
			p.at(time.Second, history.Worker, &history.AttemptFailed{Try: try(1, 1), Failure: failure(errors.New("busy")), RetryAt: noon.Add(2 * time.Second)})
			p.at(3*time.Second, history.Worker, &history.ActivityCompleted{Try: try(1, 2), Result: value(`"paid"`)})
		} else {
			p.at(time.Second, history.Worker, &history.ActivityCompleted{Try: try(1, 1), Result: value(`"paid"`)})
		}
		p.at(3*time.Second, history.Code, &history.ChildAsked{Step: 2, ID: id + "~2", Type: "parcel"})
		p.at(3*time.Second, history.Clock, &history.ChildStarted{Step: 2, Chain: "c"})
		status, end := history.StatusCompleted, history.Event(&history.Completed{Result: value(`"sent"`)})
		if id == "right" {
			status, end = history.StatusFailed, &history.Failed{Failure: failure(errors.New("the parcel is lost"))}
		}
		p.at(time.Minute, history.Clock, &history.ChildClosed{Step: 2, Run: "c", Status: status})
		p.at(time.Minute, history.Code, end)
		pasts[id] = p
	}
	return keep(t, pasts)
}

func TestRunsAreCompared(t *testing.T) {
	dir := twins(t)
	golden(t, "compare", read(t, "compare", "left", "right", "--dir", dir))
	assert.Contains(t, read(t, "compare", "left", "like", "--dir", dir), "All 7 entries are the same.\n", "the ids and times are no difference")
	assert.Contains(t, read(t, "compare", "left#1", "like", "--dir", dir), "All 7 entries are the same.\n")
	assert.Contains(t, read(t, "compare", "left", "other", "--dir", dir), "They part after 0 entries:")
	assert.Contains(t, read(t, "compare", "left", "other", "--dir", dir), "What happens is the same, with other values.\n")
	assert.Contains(t, read(t, "compare", "other", "right", "--dir", dir), "What happens is the same for 5 entries, with other values, and then not:\n- other, entry 6: child …~2 (step 2) completed\n- right, entry 7: child …~2 (step 2) failed\n")
	code, _, errs := tool(t, "compare", "left", "right#2", "--dir", dir)
	assert.Equal(t, failed, code)
	assert.Contains(t, errs, "has no run 2")
	code, _, _ = tool(t, "compare", "left", "--dir", dir)
	assert.Equal(t, misused, code)
}

func TestAHistoryIsSteppedThrough(t *testing.T) {
	dir := twins(t)
	var out strings.Builder
	e, err := open(t.Context(), runtime.Config{Store: dir, Namespace: "default"})
	assert.NoError(t, err)
	run, err := e.run(t.Context(), "right", 1)
	assert.NoError(t, err)
	assert.NoError(t, e.close())
	assert.NoError(t, step(strings.NewReader("\n\nb\n6\n99\n8\n\ns\nq\n\n"), &out, run))
	golden(t, "step", out.String())
	there := changes(standAt(run, 1), standAt(run, 5))
	back := changes(standAt(run, 5), standAt(run, 1))
	assert.Len(t, back, len(there))
	assert.Equal(t, "- step 1: attempt 1 of activity charge until 2026-01-03T12:00:00Z\n+ step 2: the end of child right~2 (parcel)\n+ waits for the code being told up to entry 6\n", read(t, "show", "right", "--between", "2..6", "--dir", dir))
	code, _, errs := tool(t, "show", "right", "--between", "2", "--dir", dir)
	assert.Equal(t, failed, code)
	assert.Contains(t, errs, "want the numbers of two entries")
}

func TestShowShowsOnlyWhatIsWanted(t *testing.T) {
	dir := twins(t)
	seqs := func(args ...string) (all []string) {
		entries, _, _ := strings.Cut(read(t, append([]string{"show", "right", "--dir", dir}, args...)...), "\n\n")
		for line := range strings.Lines(entries) {
			all = append(all, strings.Fields(line)[0])
		}
		return all
	}
	assert.Equal(t, []string{"1", "2", "3", "4"}, seqs("--step", "1"))
	assert.Equal(t, []string{"1", "3"}, seqs("--kind", "attempt"))
	assert.Equal(t, []string{"1", "2", "4", "8"}, seqs("--kind", "activity,failed"))
	assert.Equal(t, []string{"1", "7"}, seqs("--kind", "child-closed", "--step", "2"))
	assert.Contains(t, read(t, "show", "right", "--kind", "activity-completed", "--dir", dir), "activity charge (step 1), attempt 2, completed", "the name is known from an entry that is not shown")
}
