package lookup

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A file of ours says so in its header, with the version of the schema. A file of another version is built anew.
const (
	application   = 0x636c6577 // "clew"
	schemaVersion = 5
)

// The table run has a row for each run. Its key is the position of the run's first record, which is the same in every
// index of the same log, rises, and so keeps new rows together and decides between equals. What is empty is NULL, times
// are nanoseconds since 1970. What workflow runs come to most often, completed at once, costs no partial index. The long texts
// are last, because SQLite goes through them to reach what comes after.
var schema = []string{
	`CREATE TABLE run (
		position    INTEGER PRIMARY KEY,
		namespace   TEXT NOT NULL,
		id          TEXT NOT NULL,
		run         TEXT NOT NULL,
		chain       TEXT,
		type        TEXT NOT NULL,
		version     INTEGER,
		number      INTEGER,
		started     INTEGER NOT NULL,
		began       INTEGER NOT NULL,
		parent      TEXT,
		root        TEXT,
		origin      TEXT,
		correlation TEXT,
		deadline    INTEGER,
		status      INTEGER NOT NULL,
		closed      INTEGER,
		failure     TEXT,
		seq         INTEGER NOT NULL,
		build       TEXT,
		told        INTEGER,
		input       INTEGER,
		delayed     INTEGER,
		activities  INTEGER,
		timers      INTEGER,
		children    INTEGER,
		sends       INTEGER,
		updates     INTEGER,
		signals     INTEGER,
		wake        INTEGER,
		progressed  INTEGER,
		attempts    INTEGER,
		stall       TEXT,
		pause       TEXT,
		waits       TEXT,
		waiting     TEXT,
		attributes  TEXT,
		memo        TEXT
	) STRICT`,
	`CREATE INDEX run_id ON run (id)`,

	// The attributes once more, for searching; a list has a row for each element.
	`CREATE TABLE attribute (
		run   INTEGER NOT NULL,
		name  TEXT NOT NULL,
		place INTEGER NOT NULL,
		kind  TEXT NOT NULL,
		text  TEXT,
		num   ANY,
		PRIMARY KEY (run, name, place)
	) STRICT, WITHOUT ROWID`,

	// How many runs there are of each type and status, so that nobody need count them.
	`CREATE TABLE tally (
		namespace TEXT NOT NULL,
		type      TEXT NOT NULL,
		status    INTEGER NOT NULL,
		runs      INTEGER NOT NULL,
		PRIMARY KEY (namespace, type, status)
	) STRICT, WITHOUT ROWID`,

	// Requests by ids that say nothing of when they were made, so that their repetition is known in later runs. The rows of an
	// execution are together; run is the key of the run.
	`CREATE TABLE request (
		namespace TEXT NOT NULL,
		id        TEXT NOT NULL,
		digest    BLOB NOT NULL,
		run       INTEGER NOT NULL,
		seq       INTEGER NOT NULL,
		PRIMARY KEY (namespace, id, digest)
	) STRICT, WITHOUT ROWID`,

	// The last announcement of each node that is neither gone nor buried.
	`CREATE TABLE member (
		namespace TEXT NOT NULL,
		id        TEXT NOT NULL,
		position  INTEGER NOT NULL,
		prepare   INTEGER NOT NULL,
		entry     BLOB NOT NULL,
		PRIMARY KEY (namespace, id)
	) STRICT, WITHOUT ROWID`,

	// One row: up to where the log is applied.
	`CREATE TABLE place (position INTEGER NOT NULL, prepare INTEGER NOT NULL) STRICT`,
	`INSERT INTO place VALUES (0, 0)`,
	fmt.Sprintf(`PRAGMA application_id = %d`, application),
}

// The words of inputs, results and failures, where they are kept: a document for each entry that has some.
var wordsSchema = []string{
	`CREATE TABLE doc (id INTEGER PRIMARY KEY, run INTEGER NOT NULL) STRICT`,
	`CREATE INDEX doc_run ON doc (run)`,
	`CREATE VIRTUAL TABLE words USING fts5 (text, content = '', detail = none, columnsize = 0, tokenize = 'ascii')`,
}

// secondary are the indexes without which the index of runs can be kept, and that are made last when much is to be read.
var secondary = []string{
	`CREATE INDEX run_started ON run (namespace, started)`,
	`CREATE INDEX run_type ON run (namespace, type, started)`,
	`CREATE INDEX run_closed ON run (namespace, closed) WHERE closed IS NOT NULL`,
	`CREATE INDEX run_run ON run (run)`,
	`CREATE INDEX run_parent ON run (parent) WHERE parent IS NOT NULL`,
	`CREATE INDEX run_open ON run (namespace, started) WHERE ` + isOpen,
	`CREATE INDEX run_status ON run (namespace, status, started) WHERE ` + isUnusual,
	`CREATE INDEX run_correlation ON run (correlation) WHERE correlation IS NOT NULL`,
	`CREATE INDEX run_root ON run (root) WHERE root IS NOT NULL`,
	`CREATE INDEX attribute_text ON attribute (name, text) WHERE text IS NOT NULL`,
	`CREATE INDEX attribute_num ON attribute (name, num) WHERE num IS NOT NULL`,
}

// unindex takes the secondary indexes away, and index makes those that are missing.
func (c *conn) unindex() error {
	return c.within("BEGIN IMMEDIATE", func() error {
		for _, text := range secondary {
			if err := c.exec(context.Background(), "DROP INDEX IF EXISTS "+strings.Fields(text)[2]); err != nil {
				return fmt.Errorf("dropping an index: %w", err)
			}
		}
		return nil
	})
}

func (c *conn) index() error {
	return c.within("BEGIN IMMEDIATE", func() error {
		for _, text := range secondary {
			if err := c.exec(context.Background(), strings.Replace(text, "CREATE INDEX", "CREATE INDEX IF NOT EXISTS", 1)); err != nil {
				return fmt.Errorf("making an index: %w", err)
			}
		}
		return nil
	})
}

// The conditions of the partial indexes. A query that repeats one word for word can use the index.
var (
	isOpen    = "status < 8" // the bits below that of completed
	isUnusual = "status > 8" // closed, but not completed
)

// The columns of run in the order of the table: fixed when the run begins, changing when its status does, changing as it goes
// on, and those that the fold can do without.
var (
	fixed    = []string{"position", "namespace", "id", "run", "chain", "type", "version", "number", "started", "began", "parent", "root", "origin", "correlation", "deadline"}
	standing = []string{"status", "closed", "failure"}
	moving   = []string{"seq", "build", "told", "input", "delayed", "activities", "timers", "children", "sends", "updates", "signals", "wake", "progressed", "attempts", "stall", "pause", "waits", "waiting"}
	shown    = []string{"attributes", "memo"}
)

var (
	columns    = join(fixed, standing, moving, shown)
	insertRun  = "INSERT INTO run VALUES (?" + strings.Repeat(", ?", len(fixed)+len(standing)+len(moving)+len(shown)-1) + ")"
	updateRun  = "UPDATE run SET " + assign(moving) + " WHERE position = ?"
	restateRun = "UPDATE run SET " + assign(standing, moving) + " WHERE position = ?"
	newestRun  = "SELECT " + join(fixed, standing, moving) + " FROM run WHERE id = ? AND namespace = ? ORDER BY position DESC LIMIT 1"

	loadAttributes  = "SELECT attributes FROM run WHERE position = ?"
	reattribute     = "UPDATE run SET attributes = ? WHERE position = ?"
	dropAttributes  = "DELETE FROM attribute WHERE run = ? AND (name < 'memo.' OR name >= 'memo/')" // a slash comes behind the dot
	addTally        = "INSERT INTO tally VALUES (?, ?, ?, ?) ON CONFLICT (namespace, type, status) DO UPDATE SET runs = runs + excluded.runs"
	insertDoc       = "INSERT INTO doc (run) VALUES (?)"
	insertWords     = "INSERT INTO words (rowid, text) VALUES (last_insert_rowid(), ?)"
	insertAttribute = "INSERT INTO attribute VALUES (?, ?, ?, ?, ?, ?)"
	insertRequest   = "INSERT OR REPLACE INTO request VALUES (?, ?, ?, ?, ?)"
	findRequest     = "SELECT run.run, ifnull(run.chain, run.run) FROM request JOIN run ON run.position = request.run WHERE request.namespace = ? AND request.id = ? AND request.digest = ?"
	insertMember    = "INSERT OR REPLACE INTO member VALUES (?, ?, ?, ?, ?)"
	dropMember      = "DELETE FROM member WHERE namespace = ? AND id = ?"
	readMembers     = "SELECT id, position, prepare, entry FROM member WHERE namespace = ? ORDER BY id"
	readPlace       = "SELECT position, prepare FROM place"
	writePlace      = "UPDATE place SET position = ?, prepare = ?"
)

func join(groups ...[]string) string {
	var all []string
	for _, g := range groups {
		all = append(all, g...)
	}
	return strings.Join(all, ", ")
}

func assign(groups ...[]string) string {
	return strings.ReplaceAll(join(groups...), ",", " = ?,") + " = ?"
}

// errForeign says that a file is a database, but not an index. It is left alone.
var errForeign = errors.New("it is a database of something else; give the index a path of its own")

// errStale says that a file is an index, but not one that this release can go on with.
var errStale = errors.New("it was written by another release")

// errWords says that a file keeps the words of texts and should not, or the other way round.
var errWords = errors.New("full text was switched on or off")

// establish makes sure that the file behind c is an index: a new one if it was empty. Errors: errForeign, errStale, and
// those of SQLite, among them that the file is damaged.
func establish(c *conn, words Switch) (keepsWords bool, err error) {
	ctx := context.Background()
	var header [3]int64
	for i, text := range []string{"PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_schema"} {
		n, err := c.number(ctx, text)
		if err != nil {
			return false, err
		}
		header[i] = n
	}
	empty := header == [3]int64{}
	switch {
	case !empty && header[0] != application:
		return false, errForeign
	case !empty && header[1]>>1 != schemaVersion:
		return false, errStale
	case !empty && words != AsItIs && header[1]&1 == 1 != (words == On):
		return false, errWords
	}
	keepsWords = words == On || !empty && header[1]&1 == 1
	all := slices.Concat(schema, secondary)
	version := schemaVersion << 1
	if keepsWords {
		all = append(all, wordsSchema...)
		version++
	}
	all = append(all, fmt.Sprintf("PRAGMA user_version = %d", version))
	if err := c.pragmas("journal_mode = wal", "synchronous = normal", "wal_autocheckpoint = 8000", "cache_size = -32000", "temp_store = memory"); err != nil {
		return false, err
	}
	if empty {
		return keepsWords, c.within("BEGIN IMMEDIATE", func() error {
			for _, text := range all {
				if err := c.exec(ctx, text); err != nil {
					return fmt.Errorf("making the tables: %w", err)
				}
			}
			return nil
		})
	}
	rows := 0
	err = c.query(ctx, readPlace, nil, func([]driver.Value) error { rows++; return nil })
	if err == nil && rows != 1 {
		err = errStale
	}
	return keepsWords, err
}
