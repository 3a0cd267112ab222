package runtime

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/clewflow/clew/commands"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/internal/socket"
	"github.com/clewflow/clew/query"
)

// serve lets the command-line tool read and operate the directory that is open here, until unserve. What keeps it from that keeps
// executions from nothing.
func (r *Runtime) serve() {
	r.unserve = func() {}
	if r.config.Log != nil || r.config.Store == "memory:" || isServer(r.config.Store) {
		return
	}
	l, err := socket.Listen(r.config.Store)
	if err != nil {
		r.logger.Warn("the command-line tool cannot read this store while it is open here", "error", err)
		return
	}
	server := &http.Server{
		Handler: socket.Handler[Description](reading{r}), ReadHeaderTimeout: 10 * time.Second,
		BaseContext: func(net.Listener) context.Context { return r.ctx },
		ErrorLog:    slog.NewLogLogger(r.logger.Handler(), slog.LevelDebug),
	}
	r.own.Go(func() {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			r.logger.Warn("the command-line tool cannot read this store any more", "error", err)
		}
	})
	r.unserve = func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			_ = server.Close() // of those who do not read what they asked for
		}
		_ = l.Close()
	}
}

// reading is what is served: executions of all namespaces to be read, those of its own to be operated.
type reading struct{ r *Runtime }

func (s reading) FindPage(ctx context.Context, q query.Query) (query.Page, error) {
	return s.r.FindPage(ctx, q)
}

func (s reading) Group(ctx context.Context, q query.Query, by ...string) (query.Groups, error) {
	return s.r.Group(ctx, q, by...)
}

func (s reading) Measure(ctx context.Context, q query.Query, of string, by ...string) (query.Measures, error) {
	return s.r.Measure(ctx, q, of, by...)
}

func (s reading) Feed(ctx context.Context, namespace string, after uint64, goOn bool) iter.Seq2[query.Changed, error] {
	return s.r.feedOf(ctx, namespace, after, goOn)
}

func (s reading) Describe(ctx context.Context, id history.ID) (d Description, err error) {
	if id.Namespace == s.r.config.Namespace {
		return s.r.Describe(ctx, id.Workflow)
	}
	state := &history.State{}
	for e, err := range s.history(ctx, id) {
		if err != nil {
			return d, err
		}
		state.Evolve(e)
	}
	return describe(id, state), nil
}

func (s reading) Operate(ctx context.Context, act socket.Act) (string, error) {
	if act.ID.Namespace != s.r.config.Namespace {
		return "", &commands.Invalid{Field: "the namespace", Value: act.ID.Namespace, Want: fmt.Sprintf("%q, in which the process works that has the store open", s.r.config.Namespace)}
	}
	if len(act.Policies) > 0 {
		opts := []CallOption{Reason(act.Reason), Operator(act.By), RequestID(act.Request)}
		if act.Pending {
			opts = append(opts, ApplyToPending())
		}
		_, err := s.r.SetPolicies(ctx, act.Policies, opts...)
		return "", err
	}
	return s.r.OperateJSON(ctx, act.ID.Workflow, act.Operation, Reason(act.Reason), Operator(act.By), RequestID(act.Request))
}

// History records who reads, if that is wanted.
func (s reading) History(ctx context.Context, id history.ID, by string) iter.Seq2[history.Entry, error] {
	return func(yield func(history.Entry, error) bool) {
		if id.Family() == "" {
			if err := s.r.disclose(ctx, callSettings{operator: by}, &history.Disclosed{ID: id, How: "history"}); err != nil {
				yield(history.Entry{}, err)
				return
			}
		}
		s.history(ctx, id)(yield)
	}
}

func (s reading) history(ctx context.Context, id history.ID) iter.Seq2[history.Entry, error] {
	return func(yield func(history.Entry, error) bool) {
		if err := commands.CheckID("workflow id", id.Workflow); err != nil {
			yield(history.Entry{}, err)
			return
		}
		none := true
		for record, err := range s.r.log.Read(ctx, id, 1) {
			none = false
			if !yield(record.Entry, err) || err != nil {
				return
			}
		}
		if none {
			yield(history.Entry{}, fmt.Errorf("%w: %s", ErrNotFound, id.Workflow))
		}
	}
}
