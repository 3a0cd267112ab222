package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
)

func verify(s *site) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "verify [ID | --file FILE]",
		Short: "Check that histories are what was recorded",
		Long: `Check the histories of one execution, of all executions of the namespace, or of an export: that each entry
follows the one before, in number and in time, that its hash fits its content and the hash before it, and
that its payloads are those that were recorded. Payloads that were taken away on purpose are counted and
are not wrong.

The first bad entry of each execution is named. That the newest entries of a history are missing cannot be
seen from the history alone. The exit status is 1 if something is bad.`,
		Example: `  clew verify
  clew verify order-17
  clew verify --file order-17.jsonl`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			if file != "" {
				return errors.New("an id and --file exclude each other")
			}
			return oneID(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			c := &checker{out: cmd.OutOrStdout(), progress: cmd.ErrOrStderr(), said: time.Now()}
			if file != "" {
				if err := c.file(file); err != nil {
					return err
				}
				return c.sum()
			}
			e, err := s.open(cmd)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, e.close()) }()
			if len(args) == 1 {
				err = c.one(cmd.Context(), e, e.id(args[0]))
			} else {
				err = c.all(cmd.Context(), e)
			}
			if err != nil {
				return err
			}
			return c.sum()
		},
	}
	cmd.Flags().StringVar(&file, "file", "", "an export to check instead of a store")
	return cmd
}

// A checker checks histories and counts.
type checker struct {
	out, progress io.Writer
	said          time.Time // when progress was last written, or checking began
	shown         bool      // progress was written

	entries, executions, redacted, bad int
}

func (c *checker) all(ctx context.Context, e *executions) error {
	for id, err := range e.ids(ctx) {
		if err == nil {
			err = c.one(ctx, e, id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) one(ctx context.Context, e *executions, id history.ID) error {
	return c.check(id.String(), e.History(ctx, id), func(err error) bool {
		return errors.Is(err, store.ErrCorrupt) || errors.Is(err, history.ErrUnreadable) || errors.Is(err, history.ErrUnknownKind)
	})
}

// check checks one history. An error that is not about what is recorded ends everything.
func (c *checker) check(name string, entries iter.Seq2[history.Entry, error], about func(error) bool) error {
	var chain history.Chain
	good, redacted := 0, 0
	for e, err := range entries {
		if err != nil && !about(err) {
			return err
		}
		if err == nil {
			err = chain.Check(e)
		}
		if err != nil {
			c.bad++
			_, err = fmt.Fprintf(c.out, "bad: %s: %s\n", plain(name), oneLine(finding(chain.Seq, err)))
			return err
		}
		good++
		redacted += redactions(e)
		c.tick(good)
	}
	c.entries, c.redacted, c.executions = c.entries+good, c.redacted+redacted, c.executions+1
	return nil
}

// finding names the bad entry, if the error does not.
func finding(last uint64, err error) string {
	if errors.Is(err, history.ErrBroken) {
		return err.Error()
	}
	return fmt.Sprintf("what follows entry %d cannot be read: %v", last, err)
}

// tick writes how far things are, every second.
func (c *checker) tick(within int) {
	if within%64 != 0 && within > 1 || time.Since(c.said) < time.Second {
		return
	}
	c.said, c.shown = time.Now(), true
	fmt.Fprintf(c.progress, "\r%d entries of %d executions", c.entries+within, c.executions)
}

func (c *checker) sum() error {
	if c.shown {
		fmt.Fprintln(c.progress)
	}
	text := fmt.Sprintf("%s of %s are good", count(c.entries, "entry", "entries"), count(c.executions, "execution", "executions"))
	if c.redacted > 0 {
		text += ", " + count(c.redacted, "payload is", "payloads are") + " redacted"
	}
	if c.bad > 0 {
		text += "; " + count(c.bad, "execution is", "executions are") + " bad"
	}
	if _, err := fmt.Fprintln(c.out, text); err != nil {
		return err
	}
	if c.bad > 0 {
		return errReported
	}
	return nil
}

// redactions counts the payloads of an entry that were taken away.
func redactions(e history.Entry) int {
	var written struct {
		Event    map[string]json.RawMessage
		Payloads map[string]json.RawMessage
	}
	line := history.AppendEntry(nil, e)
	if !bytes.Contains(line, []byte(":null")) || json.Unmarshal(line, &written) != nil {
		return 0
	}
	n, sum := 0, `"`+history.JSON([]byte("null")).Sum.String()+`"`
	for name, data := range written.Payloads {
		if string(data) == "null" && string(written.Event[name]) != sum {
			n++
		}
	}
	return n
}

// file checks an export.
func (c *checker) file(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("opening the export: %w", err)
	}
	defer f.Close()
	x := &exported{lines: bufio.NewReaderSize(f, 1<<20), name: path}
	for !x.over {
		if !x.next && !x.peek() {
			continue // nothing stands before the first heading
		}
		if err := c.check(x.name, x.entries(), func(error) bool { return true }); err != nil {
			return err
		}
		for !x.next && x.peek() {
			x.line = nil // what follows a bad entry is not looked at
		}
	}
	if c.entries+c.bad == 0 {
		return fmt.Errorf("%s holds no entries, want an export of clew", path)
	}
	return nil
}

// exported reads an export, one execution after the other.
type exported struct {
	lines *bufio.Reader
	line  []byte // read, and not yet looked at
	name  string // of the execution
	next  bool   // the heading of an execution was read, and none of its entries
	over  bool
}

// peek reads the next line that is not blank, and reports whether it is for the execution that is being read. If not, the
// next one was begun, or the file is over.
func (x *exported) peek() bool {
	for len(x.line) == 0 && !x.over {
		line, err := x.lines.ReadBytes('\n')
		x.line, x.over = bytes.TrimSpace(line), err != nil && len(line) == 0
	}
	if x.over {
		return false
	}
	id, next := history.ParseHeading(x.line)
	if next {
		x.line, x.name, x.next = nil, id.String(), true
	}
	return !next
}

// entries yields the rest of those of the execution.
func (x *exported) entries() iter.Seq2[history.Entry, error] {
	return func(yield func(history.Entry, error) bool) {
		for x.next = false; x.peek(); {
			e, err := history.UnmarshalEntry(x.line)
			if errors.Is(err, history.ErrUnknownKind) {
				err = nil // its hash can be checked all the same
			}
			x.line = nil
			if !yield(e, err) {
				return
			}
		}
	}
}
