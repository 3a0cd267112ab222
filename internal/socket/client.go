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

	"github.com/clewflow/clew/audit"
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
	question, err := json.Marshal(grouping{Query: q, By: by})
	if err == nil {
		err = c.ask(ctx, http.MethodPost, groupPath, question, &groups)
	}
	return groups, err
}

// Measure is that of [Executions].
func (c *Client[D]) Measure(ctx context.Context, q query.Query, of string, by ...string) (measures query.Measures, err error) {
	question, err := json.Marshal(grouping{Query: q, By: by, Of: of})
	if err == nil {
		err = c.ask(ctx, http.MethodPost, measurePath, question, &measures)
	}
	return measures, err
}

// Operate is that of [Executions].
func (c *Client[D]) Operate(ctx context.Context, act Act) (run string, err error) {
	wish, err := json.Marshal(act)
	if err == nil {
		err = c.ask(ctx, http.MethodPost, operatePath, wish, &run)
	}
	return run, err
}

// Erase is that of [Executions].
func (c *Client[D]) Erase(ctx context.Context, act Act) (erased json.RawMessage, err error) {
	wish, err := json.Marshal(act)
	if err == nil {
		err = c.ask(ctx, http.MethodPost, erasePath, wish, &erased)
	}
	return erased, err
}

// Export is that of [Executions].
func (c *Client[D]) Export(ctx context.Context, w io.Writer, act Act) error {
	wish, err := json.Marshal(act)
	if err != nil {
		return err
	}
	response, err := c.send(ctx, http.MethodPost, exportPath, wish)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	read := &reader{from: response.Body}
	if _, err := io.Copy(w, read); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if read.err != nil {
			return interrupted(read.err)
		}
		return err
	}
	return endOf(response.Trailer.Get(end))
}

// reader remembers that it was its own end that failed.
type reader struct {
	from io.Reader
	err  error
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

// Acts is that of [Executions].
func (c *Client[D]) Acts(ctx context.Context, namespace string, question json.RawMessage) (all json.RawMessage, err error) {
	wish, err := json.Marshal(acts{namespace, question})
	if err == nil {
		err = c.ask(ctx, http.MethodPost, actsPath, wish, &all)
	}
	return all, err
}

// Verify is that of [Executions].
func (c *Client[D]) Verify(ctx context.Context, q Verification) (report audit.Report, err error) {
	wish, err := json.Marshal(q)
	if err == nil {
		err = c.ask(ctx, http.MethodPost, verifyPath, wish, &report)
	}
	return report, err
}

// Anchor is that of [Executions].
func (c *Client[D]) Anchor(ctx context.Context) (anchor []byte, err error) {
	return anchor, c.ask(ctx, http.MethodGet, anchorPath, nil, &anchor)
}

// Describe is that of [Executions].
func (c *Client[D]) Describe(ctx context.Context, id history.ID) (d D, err error) {
	return d, c.ask(ctx, http.MethodGet, describePath+"?"+values(id), nil, &d)
}

// History is that of [Executions].
func (c *Client[D]) History(ctx context.Context, id history.ID, by string) iter.Seq2[history.Entry, error] {
	return lines(ctx, c, historyPath+"?"+values(id)+"&by="+url.QueryEscape(by), func(wire []byte) (history.Entry, error) {
		entry, err := history.UnmarshalEntry(wire)
		if err != nil {
			err = fmt.Errorf("socket: reading an entry of %s: %w", id, err)
		}
		return entry, err
	})
}

// Feed is that of [Executions].
func (c *Client[D]) Feed(ctx context.Context, namespace string, after uint64, goOn bool) iter.Seq2[query.Changed, error] {
	asked := url.Values{"namespace": {namespace}, "after": {fmt.Sprint(after)}}
	if goOn {
		asked.Set("go_on", "1")
	}
	return lines(ctx, c, feedPath+"?"+asked.Encode(), func(wire []byte) (changed query.Changed, err error) {
		if err = json.Unmarshal(wire, &changed); err != nil {
			err = fmt.Errorf("socket: reading a row that has changed: %w", err)
		}
		return changed, err
	})
}

// lines yields what an answer has in each line, and why it ends early.
func lines[T, D any](ctx context.Context, c *Client[D], path string, read func([]byte) (T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		response, err := c.send(ctx, http.MethodGet, path, nil)
		if err != nil {
			yield(none, err)
			return
		}
		defer response.Body.Close()
		all := json.NewDecoder(response.Body)
		for {
			var wire json.RawMessage
			switch err := all.Decode(&wire); {
			case errors.Is(err, io.EOF):
				if err := endOf(response.Trailer.Get(end)); err != nil {
					yield(none, err)
				}
				return
			case err != nil && ctx.Err() != nil:
				yield(none, ctx.Err())
				return
			case err != nil:
				yield(none, interrupted(err))
				return
			}
			one, err := read(wire)
			if !yield(one, err) || err != nil {
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
