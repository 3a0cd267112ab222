package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/examples/order/order"
)

// cards is a card service that keeps its books in a file. It knows three cards: a good one, one that is declined, and one
// at the end of a flaky network, which loses the first request, and the answer to the second one.
type cards struct {
	*voice
	file string
	mu   sync.Mutex
}

// charge is a line of the books.
type charge struct {
	Reference string // of whoever asked, the same when it is asked again
	Charge    string
	Cents     int
	Back      bool // it is given back
}

// Charge is that of [order.Cards].
func (c *cards) Charge(ctx context.Context, reference, card string, cents int) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case card == "declined":
		c.does(ctx, "the card is declined")
		return "", order.ErrDeclined
	case card == "flaky" && activity.Info(ctx).Number == 1:
		c.does(ctx, "the card network is down")
		return "", errors.New("the card network is down")
	}
	made, err := c.once(ctx, reference, cents)
	if err == nil && card == "flaky" && activity.Info(ctx).Number == 2 {
		c.does(ctx, "the card network loses the answer")
		return "", errors.New("the card network lost the answer")
	}
	return made, err
}

// once charges, unless it has for the same reference.
func (c *cards) once(ctx context.Context, reference string, cents int) (string, error) {
	all, err := readBooks(c.file)
	if err != nil {
		return "", err
	}
	switch old := all[reference]; {
	case len(old) == 0:
	case old[len(old)-1].Back:
		return "", activity.NonRetryable(errors.New("the charge was given back"))
	default:
		c.does(ctx, "the card was charged before: %s", old[0].Charge)
		return old[0].Charge, nil
	}
	made := charge{Reference: reference, Charge: fmt.Sprintf("charge %d", len(all)+1), Cents: cents}
	if err := c.write(made); err != nil {
		return "", err
	}
	c.does(ctx, "the card is charged %d.%02d: %s", cents/100, cents%100, made.Charge)
	return made.Charge, nil
}

// Refund is that of [order.Cards].
func (c *cards) Refund(ctx context.Context, reference string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	all, err := readBooks(c.file)
	if err != nil {
		return err
	}
	back := charge{Reference: reference, Charge: "what was never charged"}
	if old := all[reference]; len(old) > 0 {
		back = old[len(old)-1]
	}
	if !back.Back {
		back.Back = true
		if err := c.write(back); err != nil {
			return err
		}
	}
	c.does(ctx, "%s is given back", back.Charge)
	return nil
}

// write adds a line to the books.
func (c *cards) write(line charge) error {
	f, err := os.OpenFile(c.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	text, _ := json.Marshal(line) // always encodes
	_, err = f.Write(append(text, '\n'))
	return errors.Join(err, f.Sync(), f.Close())
}

// readBooks reads what was charged and given back, by reference and in order.
func readBooks(file string) (map[string][]charge, error) {
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	all := map[string][]charge{}
	for line := range bytes.Lines(text) {
		var c charge
		if err := json.Unmarshal(line, &c); err != nil {
			return nil, fmt.Errorf("reading %s: %w", file, err)
		}
		all[c.Reference] = append(all[c.Reference], c)
	}
	return all, nil
}
