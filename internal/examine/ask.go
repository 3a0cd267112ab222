package examine

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"iter"

	"github.com/clewflow/clew/check"
	"github.com/clewflow/clew/replay"
)

// Check has the application hold its code against histories. progress may be nil. It can be asked once, as can Stand.
func (s *Session) Check(ctx context.Context, level replay.Level, from Place, all iter.Seq2[check.History, error], progress func(check.Progress)) (*check.Report, error) {
	a, err := s.ask(ctx, request{Place: from, Check: &checkRequest{level}}, all, progress)
	return a.Report, err
}

// Stand asks how a run of the history stands.
func (s *Session) Stand(ctx context.Context, r StandRequest, from Place, h check.History) (*replay.Stand, error) {
	a, err := s.ask(ctx, request{Place: from, Stand: &r}, func(yield func(check.History, error) bool) { yield(h, nil) }, nil)
	return a.Stand, err
}

// ask sends while it listens: the application tells of its progress before it has everything.
func (s *Session) ask(ctx context.Context, r request, all iter.Seq2[check.History, error], progress func(check.Progress)) (a answer, err error) {
	defer context.AfterFunc(ctx, func() { _ = s.conn.Close() })()
	sent := make(chan error, 1)
	go func() { sent <- s.send(r, all) }()
	a, err = s.listen(progress)
	if err != nil {
		_ = s.conn.Close() // so that nothing more is sent
	}
	if unsent := <-sent; unsent != nil && (err == nil || errors.As(unsent, new(*sourceError))) {
		err = unsent
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return a, err
}

// sourceError says that the histories could not be got at.
type sourceError struct{ error }

func (e *sourceError) Unwrap() error { return e.error }

func (s *Session) send(r request, all iter.Seq2[check.History, error]) error {
	out := bufio.NewWriterSize(s.conn, 256<<10)
	if err := json.NewEncoder(out).Encode(r); err != nil {
		return err
	}
	for h, err := range all {
		if err != nil {
			_ = s.conn.Close() // the application is not to take what it has for everything
			return &sourceError{err}
		}
		if err := check.Write(out, h); err != nil {
			return err
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return s.conn.CloseWrite()
}

func (s *Session) listen(progress func(check.Progress)) (a answer, err error) {
	for {
		a = answer{}
		switch err := s.in.Decode(&a); {
		case err != nil:
			return a, s.lost(err)
		case a.Error != "":
			return a, &Failure{Text: "the program cannot answer: " + a.Error}
		case a.Progress == nil:
			return a, nil
		case progress != nil:
			progress(*a.Progress)
		}
	}
}
