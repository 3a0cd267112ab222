package lookup

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net/url"

	"github.com/clewflow/clew/store"
	"modernc.org/sqlite"
	codes "modernc.org/sqlite/lib"
)

// conn is one connection to the file of the index, with the statements that were prepared on it. It is used by one
// goroutine at a time. The driver is used directly, because database/sql costs as much again for each small statement.
type conn struct {
	raw        driver.Conn
	statements map[string]driver.Stmt
	args       []driver.NamedValue // reused by exec and query
}

// maxStatements bounds what is kept prepared. There are fewer shapes of queries that people ask again and again.
const maxStatements = 100

// memory is the path of an index that is kept in memory.
const memory = ":memory:"

func connect(path string, pragmas ...string) (*conn, error) {
	dsn := memory
	if path != memory {
		dsn = "file:" + (&url.URL{Path: path}).EscapedPath()
	}
	raw, err := new(sqlite.Driver).Open(dsn)
	if err != nil {
		return nil, err
	}
	c := &conn{raw: raw, statements: map[string]driver.Stmt{}}
	if err := c.pragmas(append([]string{"busy_timeout = 10000"}, pragmas...)...); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

func (c *conn) pragmas(all ...string) error {
	for _, pragma := range all {
		if err := c.query(context.Background(), "PRAGMA "+pragma, nil, func([]driver.Value) error { return nil }); err != nil {
			return err
		}
	}
	return nil
}

func (c *conn) prepare(ctx context.Context, text string) (driver.Stmt, error) {
	if s, ok := c.statements[text]; ok {
		return s, nil
	}
	if len(c.statements) >= maxStatements {
		if err := c.forget(); err != nil {
			return nil, err
		}
	}
	s, err := c.raw.(driver.ConnPrepareContext).PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	c.statements[text] = s
	return s, nil
}

func (c *conn) forget() error {
	var all []error
	for _, s := range c.statements {
		all = append(all, s.Close())
	}
	clear(c.statements)
	return errors.Join(all...)
}

func (c *conn) bind(values []driver.Value) []driver.NamedValue {
	c.args = c.args[:0]
	for i, v := range values {
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return c.args
}

// exec runs a statement that returns nothing.
func (c *conn) exec(ctx context.Context, text string, values ...driver.Value) error {
	s, err := c.prepare(ctx, text)
	if err != nil {
		return err
	}
	_, err = s.(driver.StmtExecContext).ExecContext(ctx, c.bind(values))
	return err
}

// query runs a statement and shows each row to see, which must not keep the slice.
func (c *conn) query(ctx context.Context, text string, values []driver.Value, see func([]driver.Value) error) (err error) {
	s, err := c.prepare(ctx, text)
	if err != nil {
		return err
	}
	rows, err := s.(driver.StmtQueryContext).QueryContext(ctx, c.bind(values))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	row := make([]driver.Value, len(rows.Columns()))
	for ctx.Err() == nil {
		if err := rows.Next(row); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := see(row); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// number asks for one integer; 0 if there is no row.
func (c *conn) number(ctx context.Context, text string, values ...driver.Value) (n int64, err error) {
	err = c.query(ctx, text, values, func(row []driver.Value) error {
		n, _ = row[0].(int64)
		return nil
	})
	return n, err
}

// place reads up to where the log is applied.
func (c *conn) place(ctx context.Context) (at store.Position, err error) {
	err = c.query(ctx, readPlace, nil, func(row []driver.Value) error {
		v := &values{row}
		at = store.Position{Commit: v.seq(), Prepare: v.seq()}
		return nil
	})
	return at, err
}

// within runs do between begin and COMMIT, or ROLLBACK if it fails.
func (c *conn) within(begin string, do func() error) error {
	ctx := context.Background()
	if err := c.exec(ctx, begin); err != nil {
		return err
	}
	err := do()
	if err == nil {
		err = c.exec(ctx, "COMMIT")
	}
	if err != nil {
		_ = c.exec(ctx, "ROLLBACK") // fails if SQLite has rolled back already
	}
	return err
}

func (c *conn) close() error {
	return errors.Join(c.forget(), c.raw.Close())
}

// damaged reports whether err says that the file is not what was written.
func damaged(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	code := e.Code() & 0xff
	return code == codes.SQLITE_CORRUPT || code == codes.SQLITE_NOTADB
}
