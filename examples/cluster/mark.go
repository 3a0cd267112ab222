package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// mark is a line of the witness, a file to which all nodes write: an activity was made.
type mark struct {
	order, activity, node string
	at                    time.Time
	attempt               int    // from 1
	serial                uint64 // of the hand-out: no two attempts have the same
}

const markForm = "%s %s %s %d %d %d\n"

// leave appends the mark to a file.
func (m mark) leave(path string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = fmt.Fprintf(f, markForm, m.order, m.activity, m.node, m.at.UnixMicro(), m.attempt, m.serial)
	return err
}

func (m mark) String() string {
	return fmt.Sprintf("by %s at %s (attempt %d, serial %d)", m.node, m.at.Format("15:04:05.000"), m.attempt, m.serial)
}

// readMarks reads a file of marks, by order and activity, each in the order of time.
func readMarks(path string) (map[string][]mark, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	all := map[string][]mark{}
	for line := range strings.Lines(string(data)) {
		var m mark
		var at int64
		if _, err := fmt.Sscanf(line, markForm, &m.order, &m.activity, &m.node, &at, &m.attempt, &m.serial); err != nil {
			return nil, fmt.Errorf("a line of the witness is %q, want order, activity, node, microseconds, attempt and serial: %w", line, err)
		}
		m.at = time.UnixMicro(at)
		key := m.order + " " + m.activity
		all[key] = append(all[key], m)
	}
	for _, of := range all {
		slices.SortStableFunc(of, func(a, b mark) int { return a.at.Compare(b.at) })
	}
	return all, nil
}
