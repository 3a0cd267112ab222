package polling_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/examples/polling"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
	"github.com/clewflow/clew/workflowtest"
)

const hour = time.Hour

var job = polling.Job{URL: "https://example.org/jobs/7"}

// service is a real server that answers with these responses, one after the other, and the last one for ever. It asks for
// nothing to be kept open: whoever waits for a connection in the virtual clock keeps it from moving on.
func service(t *testing.T, responses ...func(http.ResponseWriter)) (polling.Job, *polling.Client) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		responses[0](w)
		if len(responses) > 1 {
			responses = responses[1:]
		}
	}))
	t.Cleanup(server.Close)
	return polling.Job{URL: server.URL}, &polling.Client{HTTP: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
}

func busy(retryAfter string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Retry-After", retryAfter)
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

func says(status int) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) { w.WriteHeader(status) }
}

func TestItAsksWhenTheServiceSays(t *testing.T) {
	moment := time.Date(2000, 1, 1, 2, 0, 0, 0, time.UTC).Format(http.TimeFormat) // on the virtual clock
	job, client := service(t, busy("60"), busy("3600"), busy(moment), says(http.StatusAccepted), says(http.StatusOK))
	run := workflowtest.Run(t, polling.Follow, job, workflowtest.Use(client.Definitions()...))
	if got, err := run.Result(); got.Status != "done" || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	if want := 2*hour + 30*time.Second; run.Elapsed != want {
		t.Errorf("took %v, want %v", run.Elapsed, want)
	}
}

func TestNoSuchJobIsNotAskedForAgain(t *testing.T) {
	job, client := service(t, says(http.StatusGone))
	run := workflowtest.Run(t, polling.Follow, job, workflowtest.Use(client.Definitions()...))
	var failed *activity.Error
	if _, err := run.Result(); !errors.As(err, &failed) || failed.Message != "there is no such job: 410 Gone" {
		t.Errorf("err = %v", err)
	}
}

func TestPollsAreMadeAgainUntilTheJobIsDone(t *testing.T) {
	later := activity.RetryAfter(hour, errors.New("not done yet"))
	poll := workflowtest.Stub(polling.Poll).Fails(later).TimesOut().Fails(later).Returns(polling.Done{Status: "done"})
	run := workflowtest.Run(t, polling.Follow, job, poll, workflowtest.At(90*time.Minute, workflowtest.Crash))
	if got, err := run.Result(); got.Status != "done" || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	if want := 2*hour + 40*time.Second; run.Elapsed != want { // the limit of 10 s, and 30 s by the policy
		t.Errorf("took %v, want %v", run.Elapsed, want)
	}
	run.Golden("testdata/done.json")
}

func TestAWithdrawnJobIsNotFollowed(t *testing.T) {
	run := workflowtest.Run(t, polling.Follow, job,
		workflowtest.Stub(polling.Poll).Fails(activity.RetryAfter(2*hour, errors.New("not done yet"))),
		workflowtest.At(hour, workflowtest.Send(polling.Withdraw.With(workflow.None{}))),
	)
	if got, err := run.Result(); got.Status != "withdrawn" || err != nil || run.Elapsed != hour {
		t.Errorf("got %v, %v after %v", got, err, run.Elapsed)
	}
	run.Golden("testdata/withdrawn.json")
}

func TestPatienceEnds(t *testing.T) {
	run := workflowtest.Run(t, polling.Follow, job,
		workflowtest.Stub(polling.Poll).Calls(func(context.Context, polling.Job) (polling.Done, error) {
			return polling.Done{}, activity.RetryAfter(hour, errors.New("not done yet"))
		}))
	if got, err := run.Result(); got.Status != "given up" || err != nil || run.Elapsed != 6*hour {
		t.Errorf("got %v, %v after %v", got, err, run.Elapsed)
	}
	run.Golden("testdata/given-up.json")
}

func TestCancelEndsAPollInHand(t *testing.T) {
	run := workflowtest.Run(t, polling.Follow, job,
		workflowtest.Stub(polling.Poll).Takes(8*time.Second).Returns(polling.Done{Status: "done"}),
		workflowtest.At(5*time.Second, workflowtest.Cancel),
	)
	if _, err := run.Result(); !errors.Is(err, workflow.ErrCancelled) || run.Elapsed != 5*time.Second {
		t.Errorf("err = %v after %v", err, run.Elapsed)
	}
	run.Golden("testdata/cancelled.json")
}

func TestJobsOfThePastStillReplay(t *testing.T) {
	workflowtest.Replay(t, polling.Follow, "testdata/*.json")
}

func Example() {
	ctx := context.Background()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			busy("3600")(w)
		}
	}))
	defer server.Close()

	client := &polling.Client{HTTP: server.Client()}
	rt, err := runtime.Open(ctx, runtime.Config{Store: "memory:", Logger: slog.New(slog.DiscardHandler)}, client.Definitions()...)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer rt.Close()
	go rt.Run(ctx)

	fmt.Println(runtime.Do(ctx, rt, "quick", polling.Follow, polling.Job{URL: server.URL + "/quick"}))
	h, err := runtime.Start(ctx, rt, "slow", polling.Follow, polling.Job{URL: server.URL + "/slow"},
		runtime.AndSignal(polling.Withdraw.With(workflow.None{})))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(h.Result(ctx))
	// Output:
	// {done} <nil>
	// {withdrawn} <nil>
}
