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
	Key    string // of whoever asked, the same when it is asked again
	Charge string
	Cents  int
}

// Charge is that of [order.Cards].
func (c *cards) Charge(ctx context.Context, key, card string, cents int) (string, error) {
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
	made, err := c.once(ctx, key, cents)
	if err == nil && card == "flaky" && activity.Info(ctx).Number == 2 {
		c.does(ctx, "the card network loses the answer")
		return "", errors.New("the card network lost the answer")
	}
	return made, err
}

// once charges, unless it has for the same key.
func (c *cards) once(ctx context.Context, key string, cents int) (string, error) {
	all, err := readBooks(c.file)
	if err != nil {
		return "", err
	}
	for _, old := range all {
		if old.Key == key {
			c.does(ctx, "the card was charged before: %s", old.Charge)
			return old.Charge, nil
		}
	}
	made := charge{key, fmt.Sprintf("charge %d", len(all)+1), cents}
	f, err := os.OpenFile(c.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	text, _ := json.Marshal(made) // always encodes
	_, err = f.Write(append(text, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", err
	}
	c.does(ctx, "the card is charged %d.%02d: %s", cents/100, cents%100, made.Charge)
	return made.Charge, nil
}

// Refund is that of [order.Cards].
func (c *cards) Refund(ctx context.Context, charge string) error {
	c.does(ctx, "%s is given back", charge)
	return nil
}

// readBooks reads what was charged.
func readBooks(file string) (all []charge, err error) {
	text, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for line := range bytes.Lines(text) {
		var c charge
		if err := json.Unmarshal(line, &c); err != nil {
			return nil, fmt.Errorf("reading %s: %w", file, err)
		}
		all = append(all, c)
	}
	return all, nil
}
