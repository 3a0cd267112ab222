package socket

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/query"
)

// Client reads the executions that the process serves which has a store open.
type Client[D any] struct{ http *http.Client }

// Dial finds the process that serves the store in a directory. The error says that none does.
func Dial[D any](ctx context.Context, dir string) (*Client[D], error) {
	path, err := find(dir)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
	probe, err := dial(ctx, "", "")
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	_ = probe.Close()
	return &Client[D]{&http.Client{Transport: &http.Transport{DialContext: dial}}}, nil
}

// Close lets go of the connections.
func (c *Client[D]) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// FindPage is that of [Executions].
func (c *Client[D]) FindPage(ctx context.Context, q query.Query) (page query.Page, err error) {
	question, err := json.Marshal(q)
	if err == nil {
		err = c.ask(ctx, http.MethodPost, findPath, question, &page)
	}
	return page, err
}

// Group is that of [Executions].
func (c *Client[D]) Group(ctx context.Context, q query.Query, by ...string) (groups query.Groups, err error) {
	question, err := json.Marshal(grouping{q, by})
	if err == nil {
		err = c.ask(ctx, http.MethodPost, groupPath, question, &groups)
	}
	return groups, err
}

// Operate is that of [Executions].
func (c *Client[D]) Operate(ctx context.Context, act Act) error {
	wish, err := json.Marshal(act)
	if err == nil {
		err = c.ask(ctx, http.MethodPost, operatePath, wish, &struct{}{})
	}
	return err
}

// Describe is that of [Executions].
func (c *Client[D]) Describe(ctx context.Context, id history.ID) (d D, err error) {
	return d, c.ask(ctx, http.MethodGet, describePath+"?"+values(id), nil, &d)
}

// History is that of [Executions].
func (c *Client[D]) History(ctx context.Context, id history.ID) iter.Seq2[history.Entry, error] {
	return func(yield func(history.Entry, error) bool) {
		response, err := c.send(ctx, http.MethodGet, historyPath+"?"+values(id), nil)
		if err != nil {
			yield(history.Entry{}, err)
			return
		}
		defer response.Body.Close()
		entries := json.NewDecoder(response.Body)
		for {
			var wire json.RawMessage
			switch err := entries.Decode(&wire); {
			case errors.Is(err, io.EOF):
				if err := endOf(response.Trailer.Get(end)); err != nil {
					yield(history.Entry{}, err)
				}
				return
			case err != nil && ctx.Err() != nil:
				yield(history.Entry{}, ctx.Err())
				return
			case err != nil:
				yield(history.Entry{}, interrupted(err))
				return
			}
			entry, err := history.UnmarshalEntry(wire)
			if err != nil {
				err = fmt.Errorf("socket: reading an entry of %s: %w", id, err)
			}
			if !yield(entry, err) || err != nil {
				return
			}
		}
	}
}

func values(id history.ID) string {
	return url.Values{"namespace": {id.Namespace}, "id": {id.Workflow}}.Encode()
}

func endOf(trailer string) error {
	switch trailer {
	case "complete":
		return nil
	case "":
		return interrupted(io.ErrUnexpectedEOF)
	}
	return failureIn(trailer)
}

func interrupted(err error) error {
	return fmt.Errorf("%w: %w", ErrInterrupted, err)
}

// send asks and returns an answer that is not a refusal.
func (c *Client[D]) send(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://clew"+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("socket: asking: %w", err)
	}
	response, err := c.http.Do(request)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, interrupted(err)
	case response.StatusCode == http.StatusOK:
		return response, nil
	}
	_ = response.Body.Close()
	if why := response.Header.Get(end); why != "" {
		return nil, failureIn(why)
	}
	return nil, fmt.Errorf("socket: the process that has the store open answers %s; use a tool of its release", response.Status)
}

func (c *Client[D]) ask(ctx context.Context, method, path string, body []byte, into any) error {
	response, err := c.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		return interrupted(err)
	}
	return nil
}
