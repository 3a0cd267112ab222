package subscription

import (
	"context"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/workflow"
)

// Service does the work of subscriptions.
type Service struct {
	Bank Bank
	Mail Mail
}

// Bank charges customers. A charge with a key that it knows is the one that was made with that key before.
type Bank interface {
	Charge(ctx context.Context, key, customer string, cents int) error
}

// Mail brings a text to a customer.
type Mail interface {
	Send(ctx context.Context, to, text string) error
}

// Definitions are what a runtime needs to run subscriptions.
func (s *Service) Definitions() []workflow.Definition {
	return []workflow.Definition{Run, Charge.Bind(activity.NoResult(s.Charge)), Notify.Bind(activity.NoResult(s.Notify))}
}

// Charge is safe to repeat: the idempotency key is the same for all attempts at one month, and another for the next.
func (s *Service) Charge(ctx context.Context, i Invoice) error {
	return s.Bank.Charge(ctx, activity.Info(ctx).IdempotencyKey, i.Customer, i.Cents)
}

// Notify tells a customer something.
func (s *Service) Notify(ctx context.Context, n Notice) error {
	return s.Mail.Send(ctx, n.Customer, n.Text)
}
