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
	schemaVersion = 10
)

// The table run has a row for each run. Its key is the position of the run's first record, which is the same in every
// index of the same log, rises, and so keeps new rows together and decides between equals. What is empty is NULL, times
// are nanoseconds since 1970. What workflow runs come to most often, completed at once, costs no partial index. The long texts
// are last, because SQLite goes through them to reach what comes after.
var schema = []string{
	`CREATE TABLE input_of (type TEXT PRIMARY KEY, names TEXT NOT NULL) STRICT, WITHOUT ROWID`, // the fields of inputs that runs of a type are found by, as JSON
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
		depth       INTEGER,
		origin      TEXT,
		correlation TEXT,
		slot_key    TEXT,
		status      INTEGER NOT NULL,
		closed      INTEGER,
		failure     TEXT,
		deadline    INTEGER,
		seq         INTEGER NOT NULL,
		build       TEXT,
		told        INTEGER,
		input       INTEGER,
		delayed     INTEGER,
		activities  INTEGER,
		timers      INTEGER,
		children    INTEGER,
		sends       INTEGER,
		finds       INTEGER,
		updates     INTEGER,
		signals     INTEGER,
		unread      INTEGER,
		odd         INTEGER,
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
	// The attributes once more, for searching; a list has a row for each element. So have the gates that a run has passed, by the Seq of the entry
	// that says so, and what is not usual of its pending activities, by their steps; see the column odd.
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

	// And how many began on each day, in days since 1970.
	`CREATE TABLE daily (
		namespace TEXT NOT NULL,
		day       INTEGER NOT NULL,
		type      TEXT NOT NULL,
		status    INTEGER NOT NULL,
		runs      INTEGER NOT NULL,
		PRIMARY KEY (namespace, day, type, status)
	) STRICT, WITHOUT ROWID`,

	// How many runs there are of each version, where they have one.
	`CREATE TABLE version (
		namespace TEXT NOT NULL,
		type      TEXT NOT NULL,
		version   INTEGER NOT NULL,
		runs      INTEGER NOT NULL,
		PRIMARY KEY (namespace, type, version)
	) STRICT, WITHOUT ROWID`,

	// The rules that halt runs: of a workflow, or, where it is empty, of the namespace; see [history.Policies.Halts].
	`CREATE TABLE halt (
		namespace TEXT NOT NULL,
		type      TEXT NOT NULL,
		PRIMARY KEY (namespace, type)
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

	// The executions of which nothing may be taken away, and under which names; see [history.Held].
	`CREATE TABLE hold (
		namespace TEXT NOT NULL,
		id        TEXT NOT NULL,
		name      TEXT NOT NULL,
		PRIMARY KEY (id, namespace, name)
	) STRICT, WITHOUT ROWID`,

	// What operators did: where it is recorded, and what it was done to; id is NULL where it is the namespace itself.
	`CREATE TABLE act (
		position  INTEGER PRIMARY KEY,
		at        INTEGER NOT NULL,
		operator  TEXT NOT NULL,
		namespace TEXT NOT NULL,
		id        TEXT,
		kind      TEXT NOT NULL,
		family    TEXT NOT NULL,
		stream    TEXT NOT NULL,
		seq       INTEGER NOT NULL
	) STRICT`,

	// One row: up to where the log is applied.
	`CREATE TABLE place (position INTEGER NOT NULL, prepare INTEGER NOT NULL) STRICT`,
	`INSERT INTO place VALUES (0, 0)`,
	fmt.Sprintf(`PRAGMA application_id = %d`, application),
}

// The words of inputs, results and failures, where they are kept: a document for each entry that has some.
var wordsSchema = []string{
	`CREATE TABLE doc (id INTEGER PRIMARY KEY, run INTEGER NOT NULL) STRICT`,
	`CREATE INDEX doc_run ON doc (run)`,
	`CREATE TABLE text_of (type TEXT PRIMARY KEY) STRICT, WITHOUT ROWID`, // the types whose words they are; none: all
	`CREATE VIRTUAL TABLE words USING fts5 (text, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii')`,
}

// idIndex is the index by which the newest run of an execution is found. It has what the usual order asks of a run, because many can begin
// with the same letters.
const idIndex = `CREATE INDEX run_id ON run (id, position, namespace, started)`

// userVersion marks a file as an index of this schema.
func userVersion(words bool) string {
	version := schemaVersion << 1
	if words {
		version++
	}
	return fmt.Sprintf("PRAGMA user_version = %d", version)
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
	`CREATE INDEX run_queued ON run (namespace, started) WHERE ` + isQueued,
	`CREATE INDEX run_root ON run (root) WHERE root IS NOT NULL`,
	`CREATE INDEX act_at ON act (namespace, at)`,
	`CREATE INDEX act_operator ON act (namespace, operator, at)`,
	`CREATE INDEX act_id ON act (id, at) WHERE id IS NOT NULL`,
	`CREATE INDEX attribute_text ON attribute (name, text) WHERE text IS NOT NULL`,
	`CREATE INDEX attribute_num ON attribute (name, num, kind) WHERE num IS NOT NULL`,
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
		for _, text := range append([]string{idIndex}, secondary...) {
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
	isQueued  = "delayed > 1"
)

// isHeld is 1 for the runs of executions that are held.
const isHeld = "EXISTS (SELECT 1 FROM hold WHERE hold.id = run.id AND hold.namespace = run.namespace)"

// isHalted is 1 for open runs that a rule halts. Workflows that ship with clew are exempt from that of their namespace.
var isHalted = "(" + isOpen + " AND EXISTS (SELECT 1 FROM halt WHERE halt.namespace = run.namespace AND (halt.type = run.type OR halt.type = '' AND run.type NOT GLOB '" + ours + "*')))"

const (
	insertHold = "INSERT OR REPLACE INTO hold VALUES (?, ?, ?)"
	dropHold   = "DELETE FROM hold WHERE namespace = ? AND id = ? AND name = ?"
	insertAct  = "INSERT OR REPLACE INTO act VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
	dropActs   = "DELETE FROM act WHERE id = ? AND namespace = ? AND family = ''"
)

// The columns of run in the order of the table: fixed when the run begins, changing when its status does, changing as it goes
// on, and those that the fold can do without.
var (
	fixed    = []string{"position", "namespace", "id", "run", "chain", "type", "version", "number", "started", "began", "parent", "root", "depth", "origin", "correlation", "slot_key"}
	standing = []string{"status", "closed", "failure"}
	moving   = []string{"deadline", "seq", "build", "told", "input", "delayed", "activities", "timers", "children", "sends", "finds", "updates", "signals", "unread", "odd", "wake", "progressed", "attempts", "stall", "pause", "waits", "waiting"}
	shown    = []string{"attributes", "memo"}
)

var (
	columns    = join(fixed, standing, moving, shown) + ", " + strings.Join([]string{isHeld, isHalted, attempt, texts(patched, "patch"), texts(pending, "queue")}, ", ")
	updateRun  = "UPDATE run SET " + assign(moving) + " WHERE position = ?"
	restateRun = "UPDATE run SET " + assign(standing, moving) + " WHERE position = ?"
	moveRun    = "UPDATE run SET version = ? WHERE position = ?"
	newestRun  = "SELECT " + join(fixed, standing, moving) + " FROM run WHERE id = ? AND namespace = ? ORDER BY position DESC LIMIT 1"

	loadAttributes  = "SELECT attributes FROM run WHERE position = ?"
	reattribute     = "UPDATE run SET attributes = ? WHERE position = ?"
	dropAttributes  = "DELETE FROM attribute WHERE run = ? AND (name >= 'attr.' AND name < 'attr/' OR name >= 'input.' AND name < 'input/')" // a slash comes behind the dot
	rememo          = "UPDATE run SET memo = ? WHERE position = ?"
	dropMemo        = "DELETE FROM attribute WHERE run = ? AND name >= 'memo.' AND name < 'memo/'"
	addTally        = "INSERT INTO tally VALUES (?, ?, ?, ?) ON CONFLICT (namespace, type, status) DO UPDATE SET runs = runs + excluded.runs"
	addDaily        = "INSERT INTO daily VALUES (?, ?, ?, ?, ?) ON CONFLICT (namespace, day, type, status) DO UPDATE SET runs = runs + excluded.runs"
	addVersion      = "INSERT INTO version VALUES (?, ?, ?, ?) ON CONFLICT (namespace, type, version) DO UPDATE SET runs = runs + excluded.runs"
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
var errWords = errors.New("full text was switched on or off, or is to be of other types")

// establish makes sure that the file behind c is an index: a new one if it was empty. Errors: errForeign, errStale, and
// those of SQLite, among them that the file is damaged.
func establish(c *conn, want wanted) (kept words, err error) {
	ctx := context.Background()
	var header [3]int64
	for i, text := range []string{"PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_schema"} {
		n, err := c.number(ctx, text)
		if err != nil {
			return kept, err
		}
		header[i] = n
	}
	empty := header == [3]int64{}
	switch {
	case !empty && header[0] != application:
		return kept, errForeign
	case !empty && header[1]>>1 != schemaVersion:
		return kept, errStale
	case empty:
		kept = want.anew()
	default:
		if kept, err = readWords(c, header[1]&1 == 1); err == nil && !want.fits(kept) {
			err = errWords
		}
		if err != nil {
			return kept, err
		}
	}
	if err := c.pragmas("journal_mode = wal", "synchronous = normal", "wal_autocheckpoint = 8000", "cache_size = -32000", "temp_store = memory"); err != nil {
		return kept, err
	}
	if empty {
		return kept, c.within("BEGIN IMMEDIATE", func() error { return makeTables(c, kept) })
	}
	rows := 0
	err = c.query(ctx, readPlace, nil, func([]driver.Value) error { rows++; return nil })
	if err == nil && rows != 1 {
		err = errStale
	}
	return kept, err
}

// makeTables makes an index of an empty file.
func makeTables(c *conn, words words) error {
	all := append(slices.Clone(schema), idIndex)
	all = append(all, secondary...)
	if words.kept {
		all = append(all, wordsSchema...)
	}
	for _, text := range append(all, userVersion(words.kept)) {
		if err := c.exec(context.Background(), text); err != nil {
			return fmt.Errorf("making the tables: %w", err)
		}
	}
	return words.write(c)
}
