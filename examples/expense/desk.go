package expense

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/workflow"
)

// Desk asks people by mail, and pays.
type Desk struct {
	Mail Mail
	Bank Bank
	URL  string // where [Decide] is served
}

// Mail brings a link to somebody.
type Mail interface {
	Send(ctx context.Context, to, text, link string) error
}

// Bank pays. A payment with a key that it knows is the one that was made with that key before.
type Bank interface {
	Pay(ctx context.Context, key, to string, cents int) error
}

// Definitions are what a runtime needs to process expenses.
func (d *Desk) Definitions() []workflow.Definition {
	return []workflow.Definition{Approve, Ask.Bind(d.Ask), Pay.Bind(activity.NoResult(d.Pay))}
}

// Ask is not done when it returns: the answer comes over HTTP. A mail that was sent although sending it failed is sent
// again, and the link in the first one is good for nothing.
func (d *Desk) Ask(ctx context.Context, q Question) (Decision, error) {
	link := d.URL + "?token=" + url.QueryEscape(activity.Token(ctx))
	if err := d.Mail.Send(ctx, q.To, q.Expense.Employee+" spent money", link); err != nil {
		return Decision{}, err
	}
	return Decision{}, activity.Pending
}

// Pay is safe to repeat: the idempotency key is the same for all attempts.
func (d *Desk) Pay(ctx context.Context, e Expense) error {
	return d.Bank.Pay(ctx, activity.Info(ctx).IdempotencyKey, e.Employee, e.Cents)
}

// Decide takes the answer. It is durable when the response is sent; who gets none may post it again.
func Decide(rt *runtime.Runtime) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var d Decision
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&d); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		switch err := runtime.Complete(r.Context(), rt, Ask, r.URL.Query().Get("token"), d); {
		case err == nil:
			w.WriteHeader(http.StatusNoContent)
		case errors.Is(err, runtime.ErrInvalid):
			http.Error(w, "this is not a link of ours", http.StatusNotFound)
		case errors.Is(err, runtime.ErrSettled), errors.Is(err, runtime.ErrStale):
			http.Error(w, "this question is settled", http.StatusConflict)
		default:
			http.Error(w, "try again: "+err.Error(), http.StatusServiceUnavailable)
		}
	})
}
