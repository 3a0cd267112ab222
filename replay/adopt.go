package replay

// reenact shows the run to the code as it was when the code was told first what entry seq repeats; from then on, as it is.
func (m *Machine) reenact(seq uint64) {
	if m.adopts == nil {
		return
	}
	m.run.Run, m.run.Number, m.run.Seed, m.run.Started, m.run.Deadline = m.own.Run, m.own.Number, m.own.Seed, m.own.Started, m.own.Deadline
	nth := 0 // the beginning is that of the run that told it first
	if seq > m.first {
		nth = int(seq - m.first - 1)
	}
	p := m.adopts.Told(nth)
	if seq == m.first && p == nil {
		return // nothing is adopted in its place: the code begins anew
	}
	if p == nil {
		m.adopts = nil // that was all
		return
	}
	m.run.Run, m.run.Number, m.run.Seed, m.run.Started, m.run.Deadline = p.Run, p.Number, p.Seed, p.Started, p.Deadline
}

// Asked reports whether the code has asked for a gate.
func (m *Machine) Asked(gate string) bool {
	_, asked := m.answers[keptName(true, gate, 0)]
	return asked
}
