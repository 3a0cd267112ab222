package eventstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"

	"github.com/clewflow/clew/store"
)

// client is a server that is spoken to through the client of the server's makers. Nothing but tests uses it: it vouches for
// what the stubs are made to say, and for what the stand-in answers. Its calls do not honour contexts while it connects, and
// what it has no words for (filters of reads) is done here. Its option for leaders is forgotten on the way, so the header is set.
type client struct {
	config esdb.Configuration
	root   string

	work, feed *esdb.Client
}

var _ server = (*client)(nil)

func connectClient(a address, root string, _ Options, _ *counters) server {
	c := &client{config: *a.config, root: root}
	c.config.MaxDiscoverAttempts, c.config.DiscoveryInterval, c.config.GossipTimeout = 100, 50, 1
	c.work, c.feed = c.dial(), c.dial()
	return c
}

func (c *client) dial() *esdb.Client {
	config := c.config
	client, err := esdb.NewClient(&config)
	if err != nil {
		panic(err) // the configuration was checked
	}
	return client
}

// outcome translates the client's errors. sent: the call may have had an effect.
func outcome(err error, sent bool) error {
	var e *esdb.Error
	if !errors.As(err, &e) {
		e = &esdb.Error{}
	}
	switch e.Code() {
	case esdb.ErrorCodeWrongExpectedVersion:
		return fmt.Errorf("%w: %w", store.ErrConflict, err)
	case esdb.ErrorCodeStreamDeleted:
		return fmt.Errorf("%w: %w", errEnded, err)
	case esdb.ErrorCodeUnauthenticated, esdb.ErrorCodeAccessDenied:
		return fmt.Errorf("%w: %w", store.ErrDenied, err)
	case esdb.ErrorCodeNotLeader:
		return fmt.Errorf("%w: %w", errElsewhere, err)
	}
	if strings.Contains(err.Error(), "InvalidArgument") {
		return err
	}
	if sent {
		return fmt.Errorf("%w: %w", store.ErrUnknownOutcome, err)
	}
	return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
}

func (c *client) append(ctx context.Context, stream string, expected int64, events []proposal) (uint64, error) {
	options := esdb.AppendToStreamOptions{ExpectedRevision: esdb.NoStream{}}
	if expected != noStream {
		options.ExpectedRevision = esdb.Revision(uint64(expected))
	}
	var data []esdb.EventData
	for _, p := range events {
		data = append(data, esdb.EventData{EventID: p.id, EventType: p.kind, ContentType: esdb.ContentTypeJson, Data: p.data, Metadata: p.meta})
	}
	result, err := c.work.AppendToStream(leaderOnly(ctx), stream, options, data...)
	if err != nil {
		return 0, outcome(err, true)
	}
	return result.NextExpectedVersion, nil
}

func (c *client) setMetadata(ctx context.Context, stream string, expected int64, id uuid.UUID, metadata []byte) error {
	if !json.Valid(metadata) {
		return errors.New("no JSON")
	}
	_, err := c.append(ctx, metadataOf(stream), expected, []proposal{{id: id, kind: "$metadata", data: metadata}})
	return err
}

func (c *client) readStream(ctx context.Context, stream string, from uint64, way direction, count int) (p page, err error) {
	options := esdb.ReadStreamOptions{From: esdb.Revision(from)}
	if way == backwards {
		options.Direction, options.From = esdb.Backwards, esdb.End{}
	}
	ctx, cancel := context.WithCancel(leaderOnly(ctx))
	defer cancel()
	events, err := c.work.ReadStream(ctx, stream, options, uint64(count))
	if err != nil {
		return p, outcome(err, false)
	}
	defer events.Close()
	for size := 0; ; {
		e, err := events.Recv()
		var missing *esdb.Error
		if errors.As(err, &missing) && missing.Code() == esdb.ErrorCodeResourceNotFound {
			return page{missing: true}, nil
		}
		if errors.Is(err, io.EOF) {
			return p, nil
		}
		if err != nil {
			return p, outcome(err, false)
		}
		p.events = append(p.events, told(e))
		size += len(e.Event.Data) + len(e.Event.UserMetadata)
		if p.full = len(p.events) >= count || len(p.events) > 1 && size >= pageBytes; p.full {
			return p, nil
		}
	}
}

func told(e *esdb.ResolvedEvent) recorded {
	r := e.Event
	return recorded{stream: r.StreamID, revision: r.EventNumber, kind: r.EventType, at: position(r.Position.Commit, r.Position.Prepare), data: r.Data, meta: r.UserMetadata}
}

func allFrom(at store.Position) esdb.AllPosition {
	switch commit, prepare := numbers(at); {
	case isStart(at):
		return esdb.Start{}
	case at == edge:
		return esdb.End{}
	default:
		return esdb.Position{Commit: commit, Prepare: prepare}
	}
}

func (c *client) readAll(ctx context.Context, from store.Position, way direction, count int) (p page, err error) {
	options := esdb.ReadAllOptions{From: allFrom(from)}
	if way == backwards {
		options.Direction = esdb.Backwards
	}
	ctx, cancel := context.WithCancel(leaderOnly(ctx))
	defer cancel()
	events, err := c.work.ReadAll(ctx, options, 1<<40)
	if err != nil {
		return p, outcome(err, false)
	}
	defer events.Close()
	for {
		e, err := events.Recv()
		if errors.Is(err, io.EOF) {
			return p, nil
		}
		if err != nil {
			if strings.Contains(err.Error(), "InvalidArgument") {
				return p, fmt.Errorf("%w (%w)", errPosition, err)
			}
			return p, outcome(err, false)
		}
		if strings.HasPrefix(e.Event.StreamID, c.root) {
			p.events = append(p.events, told(e))
		}
		if p.full = len(p.events) >= count; p.full {
			return p, nil
		}
	}
}

func (c *client) subscribeAll(ctx context.Context, after store.Position) iter.Seq2[delivery, error] {
	return func(yield func(delivery, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		s, err := c.feed.SubscribeToAll(ctx, esdb.SubscribeToAllOptions{
			From: allFrom(after), MaxSearchWindow: window, CheckpointInterval: 1,
			Filter: &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{c.root}},
		})
		if err != nil {
			yield(delivery{}, outcome(err, false))
			return
		}
		defer s.Close()
		for {
			e := s.Recv()
			d := delivery{}
			switch {
			case e.SubscriptionDropped != nil:
				err := e.SubscriptionDropped.Error
				if isTooSlow(err) {
					err = errSlow
				} else if isInvalid(err) {
					err = errPosition
				} else {
					err = outcome(err, false)
				}
				yield(delivery{}, err)
				return
			case e.EventAppeared != nil:
				r := told(e.EventAppeared)
				d.event = &r
			case e.CheckPointReached != nil:
				d.checkpoint = position(e.CheckPointReached.Commit, e.CheckPointReached.Prepare)
			}
			if !yield(d, nil) {
				return
			}
		}
	}
}

func (c *client) tombstone(ctx context.Context, stream string) error {
	_, err := c.work.TombstoneStream(leaderOnly(ctx), stream, esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Any{}})
	if err != nil {
		return outcome(err, true)
	}
	return nil
}

// close does nothing: to close a client while somebody calls it is a panic of its own, and the servers of tests hang up anyway.
func (c *client) close() error { return nil }
