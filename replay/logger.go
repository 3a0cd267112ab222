package replay

import (
	"context"
	"log/slog"
)

// newLogger makes a logger that is silent while the code is told what it was told before.
func newLogger(m *Machine) *slog.Logger {
	base := m.config.Logger
	if base == nil {
		base = slog.New(slog.DiscardHandler)
	}
	h := base.Handler().WithAttrs([]slog.Attr{
		slog.String("namespace", m.run.Namespace), slog.String("id", m.run.ID), slog.String("run", m.run.Run), slog.String("workflow", m.run.Type),
	})
	return slog.New(silent{h, m})
}

type silent struct {
	slog.Handler
	m *Machine
}

func (h silent) Enabled(ctx context.Context, l slog.Level) bool {
	return h.m.live && h.Handler.Enabled(ctx, l)
}

func (h silent) WithAttrs(attrs []slog.Attr) slog.Handler {
	return silent{h.Handler.WithAttrs(attrs), h.m}
}

func (h silent) WithGroup(name string) slog.Handler { return silent{h.Handler.WithGroup(name), h.m} }
