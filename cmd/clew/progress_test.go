package main

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/clewflow/clew/audit"
)

func TestLongWorkIsSeenOnATerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		e := &executions{said: &progress{w: &b, terminal: true, said: time.Now()}}
		answer := func(after time.Duration) {
			assert.NoError(t, e.try(func() error {
				time.Sleep(after)
				return nil
			}))
		}
		answer(2 * time.Second)
		assert.Empty(t, b.String(), "it was not long")
		answer(4500 * time.Millisecond)
		assert.Equal(t, "\rclew: still working, 3s\x1b[K\rclew: still working, 4s\x1b[K\r\x1b[K", b.String())
		b.Reset()
		e.said.terminal = false
		answer(time.Hour)
		assert.Empty(t, b.String(), "nobody looks")
	})
}

func TestProgressIsALineNowAndThenWhereNobodyLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		p := newProgress(&b)
		for n := range 25 {
			time.Sleep(time.Second)
			p.see(audit.Report{Entries: n, Executions: 1})
		}
		p.end()
		assert.Equal(t, "9 entries of 1 executions\n19 entries of 1 executions\n", b.String())
		b.Reset()
		w := &written{&bytes.Buffer{}, 0, &progress{w: &b, terminal: true, said: time.Now()}}
		time.Sleep(time.Second)
		_, err := w.Write([]byte(strings.Repeat("x", 3<<20)))
		assert.NoError(t, err)
		w.end()
		assert.Equal(t, "\r3 MB are written\x1b[K\r\x1b[K", b.String())
	})
}
