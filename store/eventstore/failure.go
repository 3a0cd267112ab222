package eventstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/clewflow/clew/store"
)

var (
	// errEnded says that a stream was ended for ever by a tombstone: nothing can be appended to it.
	errEnded = fmt.Errorf("%w: its stream was ended for ever", store.ErrConflict)
	// errElsewhere says that the leader is another node, which is known now: the call can be repeated at once.
	errElsewhere = fmt.Errorf("%w: the leader is another node", store.ErrUnavailable)
	// errHandshake says that no connection will ever come about with these settings.
	errHandshake = errors.New("the TLS handshake failed")
	// errSlow says that the server has given up a subscription that took its events too slowly.
	errSlow = fmt.Errorf("%w: the server calls the subscription too slow", store.ErrUnavailable)
	// errPosition says that a position is none of this log.
	errPosition = fmt.Errorf("%w: the server does not know the position; was the database restored from an older backup, or is it another one?", store.ErrCorrupt)
)

// verdict is what an error of a call amounts to.
type verdict struct {
	err    error
	leader string // where the leader is, if that was told
	lost   bool   // the node should not be asked again before others were
}

// judge says what an error of a call amounts to. sent: the server may have received all that it needs to act on it.
func judge(err error, trailer metadata.MD, sent bool) verdict {
	s := status.Convert(err)
	as := func(kind error, why string) verdict {
		return verdict{err: fmt.Errorf("%w: %s (%s)", kind, why, s.Message())}
	}
	switch exception(trailer) {
	case "not-leader":
		host, port := first(trailer, "leader-endpoint-host"), first(trailer, "leader-endpoint-port")
		if host != "" && port != "" {
			return verdict{err: errElsewhere, leader: net.JoinHostPort(host, port)}
		}
		return verdict{err: fmt.Errorf("%w: the node is not the leader and does not know it", store.ErrUnavailable), lost: true}
	case "stream-deleted":
		return verdict{err: errEnded}
	case "wrong-expected-version":
		return as(store.ErrConflict, "the stream ends elsewhere")
	case "maximum-append-size-exceeded", "maximum-append-event-size-exceeded":
		return as(store.ErrTooLarge, "the server takes less than clew's limit; raise it there or lower Options.MaxBytes")
	case "access-denied":
		return as(store.ErrDenied, "the server's user has no right to it")
	}
	switch s.Code() {
	case codes.Unauthenticated:
		return as(store.ErrDenied, "the server does not accept the user's name and password")
	case codes.PermissionDenied:
		return as(store.ErrDenied, "the server's user has no right to it")
	case codes.InvalidArgument, codes.Unimplemented, codes.NotFound:
		return verdict{err: fmt.Errorf("the server refuses the call: %s: %s", s.Code(), s.Message())}
	}
	v := verdict{lost: s.Code() == codes.Unavailable || s.Code() == codes.DeadlineExceeded || s.Code() == codes.Canceled}
	kind := store.ErrUnavailable
	if sent && !isUnhandled(s) {
		kind = store.ErrUnknownOutcome
	}
	v.err = fmt.Errorf("%w: %s: %s", kind, s.Code(), s.Message())
	if strings.Contains(s.Message(), "authentication handshake failed") {
		v.err = fmt.Errorf("%w: %w: %s", kind, errHandshake, s.Message())
	}
	return v
}

// isUnhandled reports whether a node says that it has not looked at a request at all, as it does while no leader is known.
func isUnhandled(s *status.Status) bool {
	return s.Code() == codes.Unavailable && (s.Message() == "Server Is Not Ready" || s.Message() == "Server Is Too Busy")
}

func exception(trailer metadata.MD) string { return first(trailer, "exception") }

func first(md metadata.MD, key string) string {
	if values := md.Get(key); len(values) > 0 {
		return values[0]
	}
	return ""
}

// isInvalid reports whether the server has found fault with what a call asked for.
func isInvalid(err error) bool { return status.Code(err) == codes.InvalidArgument }

// ended is what is to be said when a context has ended: nothing happened, unless unknown says that something may have.
func ended(ctx context.Context, unknown error) error {
	if unknown != nil {
		return fmt.Errorf("%w (%w)", unknown, context.Cause(ctx))
	}
	return context.Cause(ctx)
}

// isTooSlow reports whether the server has given up on a subscriber that does not keep up, as releases before 24.2 do.
func isTooSlow(err error) bool {
	return status.Code(err) == codes.Aborted && strings.Contains(strings.ToLower(status.Convert(err).Message()), "too slow")
}

// isUnknownCall reports whether the server does not know a call.
func isUnknownCall(err error) bool {
	return status.Code(err) == codes.Unimplemented || status.Code(err) == codes.NotFound
}
