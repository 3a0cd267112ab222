package examine

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/clewflow/clew/audit"
	"github.com/clewflow/clew/check"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/vault"
)

// Code is what an application has.
type Code struct {
	Codes replay.Codes
	Vault *vault.Vault // that opens payloads; nil: they are stored as an embedded store has them by default
	Build string
}

// Serve answers the tool that started this process. The error says that the conversation has failed.
func Serve(ctx context.Context, c Code) error {
	return converse(ctx, Hello{Protocol: protocol, Build: c.Build}, c.answer)
}

// Refuse tells the tool that there is nothing to be looked at, and why.
func Refuse(ctx context.Context, why error) error {
	return converse(ctx, Hello{Protocol: protocol, Refusal: why.Error()}, nil)
}

func converse(ctx context.Context, hello Hello, then func(context.Context, *bufio.Reader, *json.Encoder) error) error {
	conn, err := dial(ctx, os.Getenv(Variable))
	if err != nil {
		return fmt.Errorf("examine: %s is set, so this process is one to be looked at by the clew command, which was not found (unset it to have an ordinary process): %w", Variable, err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	out := json.NewEncoder(conn)
	if err = out.Encode(hello); err == nil && then != nil {
		err = then(ctx, bufio.NewReader(conn), out)
	}
	if err != nil {
		return fmt.Errorf("examine: talking to the clew command: %w", err)
	}
	return nil
}

// dial connects to a socket, if it is this user's alone.
func dial(ctx context.Context, path string) (net.Conn, error) {
	if err := private(path); err != nil {
		return nil, err
	}
	var d net.Dialer
	return d.DialContext(ctx, "unix", path)
}

func (c Code) answer(ctx context.Context, in *bufio.Reader, out *json.Encoder) error {
	text, err := in.ReadBytes('\n')
	if err != nil {
		return err
	}
	var r request
	if err := json.Unmarshal(text, &r); err != nil {
		return err
	}
	var a answer
	switch {
	case r.Check != nil:
		a.Report, err = c.check(ctx, r, in, out)
	case r.Stand != nil:
		a.Stand, err = c.stand(ctx, r, in)
	default:
		err = errors.New("the clew command asks for something that this release of clew does not know, want the same release of both")
	}
	if err != nil {
		a = answer{Error: err.Error()}
	}
	return out.Encode(a)
}

func (c Code) check(ctx context.Context, r request, in *bufio.Reader, out *json.Encoder) (*check.Report, error) {
	v, shut, err := c.opener(r.Place)
	if err != nil {
		return nil, err
	}
	defer shut()
	report, err := check.Histories(ctx, c.Codes, check.Read(in), check.Config{
		Level: r.Check.Level, Vault: v,
		Progress: func(p check.Progress) { _ = out.Encode(answer{Progress: &p}) }, // what is lost is noticed with the report
	})
	report.Build = c.Build
	return report, err
}

// opener is a vault that opens payloads which are from a place. Shut lets go of it.
func (c Code) opener(from Place) (v *vault.Vault, shut func(), err error) {
	if v = c.Vault; v == nil {
		if v, err = check.Opener(from.Dir); err != nil {
			return nil, nil, err
		}
	}
	var archives []*audit.Archive
	shut = func() {
		for _, a := range archives {
			_ = a.Close() // of what was read
		}
	}
	var also []vault.Blobs
	for _, path := range from.Archives {
		a, err := audit.OpenArchive(path)
		if err != nil {
			shut()
			return nil, nil, err
		}
		archives, also = append(archives, a), append(also, a)
	}
	return v.With(also...), shut, nil
}

func (c Code) stand(ctx context.Context, r request, in *bufio.Reader) (s *replay.Stand, err error) {
	v, shut, err := c.opener(r.Place)
	if err != nil {
		return nil, err
	}
	defer shut()
	err = errors.New("no history was sent")
	for h, unread := range check.Read(in) {
		if unread != nil {
			return nil, unread
		}
		var run *check.Run
		if run, err = check.ReadRun(ctx, h, r.Stand.Run, v); err == nil {
			s, err = c.standIn(run, *r.Stand)
		}
	}
	return s, err
}

// standIn waits no longer than the tool does.
func (c Code) standIn(run *check.Run, q StandRequest) (*replay.Stand, error) {
	started := run.Started()
	version := run.Version()
	config := replay.Config{Code: c.Codes(started.Type, version), Level: q.Level, Carried: run.Carried}
	if config.Code == nil {
		return nil, fmt.Errorf("the program has no code for workflow %s version %d; give runtime.Open its definition", started.Type, version)
	}
	if q.Patience <= 0 {
		return replay.StandAt(config, run.Entries, q.Until, q.Questions...)
	}
	type result struct {
		s   *replay.Stand
		err error
	}
	done := make(chan result, 1)
	go func() {
		s, err := replay.StandAt(config, run.Entries, q.Until, q.Questions...)
		done <- result{s, err}
	}()
	select {
	case r := <-done:
		return r.s, r.err
	case <-time.After(q.Patience):
		return nil, fmt.Errorf("the code has not come back after %s: it loops, or blocks on something outside of clew; look at it with --break", q.Patience)
	}
}
