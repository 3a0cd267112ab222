package polling

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/workflow"
)

// Client asks the service.
type Client struct{ HTTP *http.Client }

// Definitions are what a runtime needs to follow jobs.
func (c *Client) Definitions() []workflow.Definition {
	return []workflow.Definition{Follow, Poll.Bind(c.Poll)}
}

var errNotDone = errors.New("not done yet")

// Poll fails until the job is done, which is what makes it be tried again: when the service says, or by the policy.
func (c *Client) Poll(ctx context.Context, j Job) (Done, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, j.URL, nil)
	if err != nil {
		return Done{}, activity.NonRetryable(err)
	}
	response, err := c.HTTP.Do(request)
	if err != nil {
		return Done{}, err
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
		return Done{"done"}, nil
	case http.StatusNotFound, http.StatusGone:
		return Done{}, activity.NonRetryable(fmt.Errorf("there is no such job: %s", response.Status))
	}
	if after := retryAfter(response.Header, time.Now()); after > 0 {
		return Done{}, activity.RetryAfter(after, errNotDone)
	}
	return Done{}, errNotDone
}

// retryAfter reads what RFC 9110 allows in 10.2.3: seconds, or a moment. 0: nothing of use.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.Atoi(text); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return at.Sub(now)
	}
	return 0
}
