package runtime

import (
	"fmt"

	"github.com/clewflow/clew/history"
)

// refresh takes in what others have appended since the execution was last looked at. Its owner is told of that, so only who asks how
// things stand, and who does not own it, look themselves.
func (w *runner) refresh(m *memory) error {
	r, x := w.x.rt, w.x
	if r.node == nil || m.state == nil || m.guessed {
		return nil
	}
	owns := r.owns(x.id, m.state.Run.Type, m.state.Run.Version)
	if owns && m.current && uint64(x.heard.Load()) <= m.state.Seq && !w.looked() {
		return nil
	}
	m.current = false
	chain := history.Chain{Seq: m.state.Seq, Hash: m.state.Hash, At: m.state.At}
	for record, err := range r.log.Read(r.ctx, x.id, m.state.Seq+1) {
		if err != nil {
			return fmt.Errorf("runtime: reading %s: %w", x.id, err)
		}
		e, err := r.unwrap(r.ctx, x.id, record.Entry)
		if err != nil && m.closed == nil {
			m.closed = err
		}
		ok := m.state.Seq == 0 || chain.Check(record.Entry) == nil // else what is known was taken away, and others went on
		if ok {
			ok, err = w.absorb(m, e)
		} else {
			err = nil
		}
		if err != nil {
			return err
		}
		if !ok {
			w.forget(m) // it is read as a whole
			if owns {
				r.soon(x.id)
			}
			return nil
		}
	}
	m.current = owns
	return nil
}

// looked reports whether a call wants to know how things stand.
func (w *runner) looked() bool {
	for _, c := range w.x.busy {
		if c.look != nil {
			return true
		}
	}
	return false
}

// absorb folds an entry that somebody else has appended, and tells the code if it runs here. It reports false if that cannot be done
// without going back.
func (w *runner) absorb(m *memory, e history.Entry) (ok bool, err error) {
	if w.isHalted(m.state) {
		m.forgetCode() // it may have been asked how things stand
	}
	if m.machine != nil {
		if closes(e.Event) || turnsPause(e.Event) || begun(e) || e.Event.Role() == history.Decision {
			return false, nil
		}
		if err := w.tell(m, &e); err != nil {
			if w.givenUp() {
				return false, errGivenUp
			}
			return false, nil
		}
	}
	m.state.Evolve(e)
	m.absorbed = append(m.absorbed, e)
	m.began, m.first = m.state.Run.Began, names{m.state.Run.ID, m.state.Run.Chain}
	return true, nil
}
