package audit_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	raw "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/audit"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/memory"
	"github.com/clewflow/clew/store/pebble"
)

// A tampering is found if verification says so, or if the store or the export says that it cannot be read. One that leaves all that can
// be read as it was has changed nothing, and is counted apart.

const tamperings = 1000

func seed(t *testing.T) *rand.Rand {
	n := rand.Uint64()
	if s := os.Getenv("CLEW_SEED"); s != "" {
		given, err := strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
		n = given
	}
	t.Logf("seed %d; CLEW_SEED gives it again", n)
	return rand.New(rand.NewPCG(n, 0))
}

// tally counts what became of tamperings, by their kind.
type tally map[string]*[3]int // found, found by the anchor alone, nothing changed

func (c tally) count(t *testing.T, kind string, found, byAnchor, changed bool, what string) {
	t.Helper()
	if c[kind] == nil {
		c[kind] = &[3]int{}
	}
	switch {
	case found:
		c[kind][0]++
	case byAnchor:
		c[kind][1]++
	case !changed:
		c[kind][2]++
	default:
		t.Errorf("not found: %s: %s", kind, what)
	}
}

func (c tally) log(t *testing.T) {
	var kinds []string
	sum := [3]int{}
	for kind, n := range c {
		kinds = append(kinds, kind)
		for i := range n {
			sum[i] += n[i]
		}
	}
	slices.Sort(kinds)
	for _, kind := range kinds {
		t.Logf("%-22s %4d found, %3d of them by the anchor alone; %3d changed nothing", kind, c[kind][0]+c[kind][1], c[kind][1], c[kind][2])
	}
	t.Logf("%-22s %4d found, %3d of them by the anchor alone; %3d changed nothing", "all", sum[0]+sum[1], sum[1], sum[2])
	require.Positive(t, sum[0])
}

// resealed is a line with another event, and hashes that fit from there on: what only an anchor can find.
func resealed(lines []string, at int) []string {
	var prev history.Hash
	out := slices.Clone(lines)
	for i := at; i < len(lines) && !strings.HasPrefix(lines[i], `{"execution"`); i++ {
		e, err := history.UnmarshalEntry([]byte(strings.TrimSpace(lines[i])))
		if err != nil {
			return nil
		}
		if i == at {
			e.By = "somebody"
			if before, err := history.UnmarshalEntry([]byte(strings.TrimSpace(lines[i-1]))); err == nil {
				prev = before.Hash
			} else if e.Seq > 1 {
				return nil // its front was cut off
			}
		}
		e = history.Entry{Seq: e.Seq, At: e.At, By: e.By, Node: e.Node, Build: e.Build, Told: e.Told, Request: e.Request, Event: e.Event}
		history.Seal(prev, &e)
		prev, out[i] = e.Hash, string(history.AppendEntry(nil, e))+"\n"
	}
	return out
}

var exportTamperings = map[string]func(r *rand.Rand, text string) string{
	"flip a bit": func(r *rand.Rand, text string) string {
		b := []byte(text)
		b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		return string(b)
	},
	"delete lines": func(r *rand.Rand, text string) string {
		l := strings.SplitAfter(text, "\n")
		i := r.IntN(len(l) - 1)
		return strings.Join(slices.Delete(l, i, min(i+1+r.IntN(3), len(l)-1)), "")
	},
	"swap lines": func(r *rand.Rand, text string) string {
		l := strings.SplitAfter(text, "\n")
		i, j := r.IntN(len(l)-1), r.IntN(len(l)-1)
		l[i], l[j] = l[j], l[i]
		return strings.Join(l, "")
	},
	"insert a copy": func(r *rand.Rand, text string) string {
		l := strings.SplitAfter(text, "\n")
		return strings.Join(slices.Insert(l, r.IntN(len(l)), l[r.IntN(len(l)-1)]), "")
	},
	"truncate": func(r *rand.Rand, text string) string { return text[:r.IntN(len(text))] },
	"change a payload": func(r *rand.Rand, text string) string {
		return replaceOne(r, text, []string{`"charge 0"`, `"paid 0"`, `"charged 0"`, `"done"`}, `"forged"`)
	},
	"take a payload away": func(r *rand.Rand, text string) string {
		return replaceOne(r, text, []string{`:"\"charge 0\""`, `:"charge 0"`, `:"paid 0"`, `:"charged 0"`, `:"done"`}, `:null`)
	},
	"change who or when": func(r *rand.Rand, text string) string {
		return replaceOne(r, text, []string{`"by":"client"`, `"node":"n-1"`, `T12:00:0`, `"request":"q"`}, `"by":"nobody"`)
	},
	"rename an execution": func(r *rand.Rand, text string) string {
		return replaceOne(r, text, []string{`"id":"order-1"`, `"id":"order-4"`, `"id":"runs"`}, `"id":"other"`)
	},
	"write anew": func(r *rand.Rand, text string) string {
		l := strings.SplitAfter(text, "\n")
		i := 1 + r.IntN(len(l)-2)
		if strings.HasPrefix(l[i], `{"execution"`) {
			return text
		}
		if out := resealed(l, i); out != nil {
			return strings.Join(out, "")
		}
		return text
	},
	"remove an execution": func(r *rand.Rand, text string) string {
		all := strings.Split(text, `{"execution"`)
		i := 1 + r.IntN(len(all)-1)
		return strings.Join(slices.Delete(all, i, i+1), `{"execution"`)
	},
}

// replaceOne replaces one of the places at which one of some texts stands.
func replaceOne(r *rand.Rand, text string, olds []string, with string) string {
	old := olds[r.IntN(len(olds))]
	n := strings.Count(text, old)
	if n == 0 {
		return text
	}
	at := 0
	for range 1 + r.IntN(n) {
		at += strings.Index(text[at:], old) + len(old)
	}
	return text[:at-len(old)] + with + text[at:]
}

// meaning is what can be read of an export; it is empty if it cannot be read whole.
func meaning(text string) string {
	all, err := history.UnmarshalExport([]byte(text))
	if err != nil {
		return ""
	}
	slices.SortStableFunc(all, func(a, b history.Exported) int { return strings.Compare(a.ID.String(), b.ID.String()) })
	var b strings.Builder
	for _, x := range all {
		if len(x.Entries) > 0 {
			fmt.Fprintf(&b, "%s\n%s", x.ID, history.Marshal(x.Entries))
		}
	}
	return b.String()
}

func TestATamperedExportIsFound(t *testing.T) {
	log := memory.New()
	world(t, log)
	good := export(t, log, true)
	anchor, _ := anchorOf(t, log, nil)
	about := history.AdminOf("shop")
	for of := range anchor.Heads { // an export holds no streams of clew's own but this
		if of.Family() != "" && of != about {
			delete(anchor.Heads, of)
		}
	}
	r, kinds, c := seed(t), sortedKeys(exportTamperings), tally{}
	for n := range tamperings {
		kind := kinds[n%len(kinds)]
		bad := exportTamperings[kind](r, good)
		report, err := verifyExport(bad, audit.Scope{})
		found := err != nil || report.Bad > 0
		report, err = verifyExport(bad, audit.Scope{Against: anchor})
		c.count(t, kind, found, err != nil || report.Bad > 0, meaning(bad) != meaning(good), diff(good, bad))
	}
	c.log(t)
}

func sortedKeys[V any](m map[string]V) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// diff is where two texts begin to differ.
func diff(a, b string) string {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	from := max(i-60, 0)
	return fmt.Sprintf("at byte %d: %.120q became %.120q", i, a[from:], b[from:])
}

// row is a key of the database with its value.
type row struct{ key, value []byte }

func (x row) String() string { return fmt.Sprintf("%q = %.100q", x.key, x.value) }

// rows are those of histories, of their order, and of what was cut off. The rows of open executions are left alone: they are made from
// histories, and say nothing more.
func rows(t *testing.T, fs vfs.FS) (all []row) {
	db, err := raw.Open("db/log", &raw.Options{FS: fs, ReadOnly: true, Logger: quiet{}})
	require.NoError(t, err)
	defer db.Close()
	it, err := db.NewIter(nil)
	require.NoError(t, err)
	defer it.Close()
	for it.First(); it.Valid(); it.Next() {
		if it.Key()[0] != 't' {
			all = append(all, row{bytes.Clone(it.Key()), bytes.Clone(it.Value())})
		}
	}
	require.NoError(t, it.Error())
	return all
}

type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(f string, a ...any) {
	panic(fmt.Sprintf(f, a...))
}

var storeTamperings = map[string]func(r *rand.Rand, all []row, b *raw.Batch) string{
	"flip a bit": func(r *rand.Rand, all []row, b *raw.Batch) string {
		x := all[r.IntN(len(all))]
		v := bytes.Clone(x.value)
		v[r.IntN(len(v))] ^= 1 << r.IntN(8)
		_ = b.Set(x.key, v, nil)
		return x.String()
	},
	"flip a bit of a key": func(r *rand.Rand, all []row, b *raw.Batch) string {
		x := all[r.IntN(len(all))]
		k := bytes.Clone(x.key)
		k[r.IntN(len(k))] ^= 1 << r.IntN(8)
		_, _ = b.Delete(x.key, nil), b.Set(k, x.value, nil)
		return x.String()
	},
	"delete": func(r *rand.Rand, all []row, b *raw.Batch) string {
		x := all[r.IntN(len(all))]
		_ = b.Delete(x.key, nil)
		return x.String()
	},
	"delete with its place": func(r *rand.Rand, all []row, b *raw.Batch) string {
		x := histories(all)[r.IntN(len(histories(all)))]
		_ = b.Delete(x.key, nil)
		for _, y := range all {
			if bytes.Equal(y.value, x.key) {
				_ = b.Delete(y.key, nil)
			}
		}
		return x.String()
	},
	"swap": func(r *rand.Rand, all []row, b *raw.Batch) string {
		x, y := all[r.IntN(len(all))], all[r.IntN(len(all))]
		_, _ = b.Set(x.key, y.value, nil), b.Set(y.key, x.value, nil)
		return x.String() + " and " + y.String()
	},
	"insert a copy": func(r *rand.Rand, all []row, b *raw.Batch) string {
		x := histories(all)[r.IntN(len(histories(all)))]
		k := bytes.Clone(x.key)
		k[len(k)-1] += byte(1 + r.IntN(20))
		_ = b.Set(k, x.value, nil)
		return x.String()
	},
	"truncate": func(r *rand.Rand, all []row, b *raw.Batch) string {
		x := all[r.IntN(len(all))]
		_ = b.Set(x.key, x.value[:r.IntN(len(x.value))], nil)
		return x.String()
	},
	"change a payload": func(r *rand.Rand, all []row, b *raw.Batch) string {
		return replaceIn(r, all, b, []string{`charge 0`, `paid 0`, `charged 0`}, func(old string) string { return strings.Repeat("x", len(old)) })
	},
	"change who or when": func(r *rand.Rand, all []row, b *raw.Batch) string {
		return replaceIn(r, all, b, []string{`"client"`, `"n-1"`, `T12:00:0`, `"q"`}, func(old string) string { return old[:1] + strings.Repeat("9", len(old)-2) + old[len(old)-1:] })
	},
	"change an event": func(r *rand.Rand, all []row, b *raw.Batch) string {
		return replaceIn(r, all, b, []string{`charge`, `paid`, `"step":1`, `asked for`}, func(old string) string { return old[:len(old)-1] + "2" })
	},
	"remove an execution": func(r *rand.Rand, all []row, b *raw.Batch) string {
		name := fmt.Sprint("order-", r.IntN(8))
		for _, x := range all {
			if bytes.Contains(x.key, []byte(name)) || x.key[0] == 'p' && bytes.Contains(x.value, []byte(name)) {
				_ = b.Delete(x.key, nil)
			}
		}
		_ = b.Delete([]byte("tshop\x00\x01"+name+"\x00\x01"), nil)
		return name
	},
	"cut off the newest": func(r *rand.Rand, all []row, b *raw.Batch) string {
		name := fmt.Sprint("order-", r.IntN(8))
		for _, x := range slices.Backward(all) {
			if x.key[0] == 's' && bytes.Contains(x.key, []byte(name)) {
				_ = b.Delete(x.key, nil)
				for _, y := range all {
					if bytes.Equal(y.value, x.key) {
						_ = b.Set(y.key, []byte{'x', 1}, nil)
					}
				}
				_ = b.Delete([]byte("tshop\x00\x01"+name+"\x00\x01"), nil)
				return x.String()
			}
		}
		return ""
	},
}

func histories(all []row) (some []row) {
	for _, x := range all {
		if x.key[0] == 's' {
			some = append(some, x)
		}
	}
	return some
}

func replaceIn(r *rand.Rand, all []row, b *raw.Batch, olds []string, with func(string) string) string {
	old := olds[r.IntN(len(olds))]
	var some []row
	for _, x := range all {
		if x.key[0] == 's' && bytes.Contains(x.value, []byte(old)) {
			some = append(some, x)
		}
	}
	x := some[r.IntN(len(some))]
	_ = b.Set(x.key, bytes.Replace(x.value, []byte(old), []byte(with(old)), 1), nil)
	return old + " in " + x.String()
}

// read is all that can be read of a store; it is empty if something cannot.
func readAll(t *testing.T, fs vfs.FS) string {
	log, err := pebble.Open("db", small(fs, true))
	if err != nil {
		return ""
	}
	defer log.Close()
	var b strings.Builder
	for s, err := range log.Streams(t.Context()) {
		if err != nil {
			return ""
		}
		for r, err := range log.Read(t.Context(), s.ID, 1) {
			if err != nil {
				return ""
			}
			fmt.Fprintf(&b, "%s %s %s\n", r.Position, s.ID, history.AppendEntry(nil, r.Entry))
		}
	}
	return b.String()
}

func TestATamperedStoreIsFound(t *testing.T) {
	fs, anchor := filled(t)
	report, err := verified(t.Context(), fs, audit.Scope{Against: anchor})
	require.NoError(t, err)
	require.Empty(t, report.Findings)
	good, all := readAll(t, fs), rows(t, fs)
	r, kinds, c := seed(t), sortedKeys(storeTamperings), tally{}
	for n := range tamperings {
		kind := kinds[n%len(kinds)]
		bad := fs.CrashClone(vfs.CrashCloneCfg{})
		db, err := raw.Open("db/log", &raw.Options{FS: bad, Logger: quiet{}, FormatMajorVersion: raw.FormatNewest})
		require.NoError(t, err)
		b := db.NewBatch()
		what := storeTamperings[kind](r, all, b)
		require.NoError(t, db.Apply(b, raw.Sync))
		require.NoError(t, b.Close())
		require.NoError(t, db.Flush())
		require.NoError(t, db.Close())
		alone, failed := verified(t.Context(), bad, audit.Scope{})
		found := isFound(t, alone, failed)
		against, failed := verified(t.Context(), bad, audit.Scope{Against: anchor})
		c.count(t, kind, found, isFound(t, against, failed), readAll(t, bad) != good, what)
	}
	c.log(t)
}

func isFound(t *testing.T, report audit.Report, err error) bool {
	require.True(t, err == nil || errors.Is(err, store.ErrCorrupt), "%v", err)
	return err != nil || report.Bad > 0
}

func TestAFlippedByteOfAFileIsFound(t *testing.T) {
	fs, anchor := filled(t)
	good := readAll(t, fs)
	names, err := fs.List("db/log")
	require.NoError(t, err)
	slices.Sort(names)
	names = slices.DeleteFunc(names, func(name string) bool {
		info, err := fs.Stat("db/log/" + name)
		return err != nil || info.Size() == 0 || info.IsDir()
	})
	r, c := seed(t), tally{}
	for n := range tamperings {
		name := names[n%len(names)]
		bad := fs.CrashClone(vfs.CrashCloneCfg{})
		content := contentOf(t, bad, "db/log/"+name)
		at := r.IntN(len(content))
		content[at] ^= 1 << r.IntN(8)
		f, err := bad.Create("db/log/"+name, "test")
		require.NoError(t, err)
		_, err = f.Write(content)
		require.NoError(t, errors.Join(err, f.Close()))
		report, failed := verified(t.Context(), bad, audit.Scope{Against: anchor})
		kind := name[strings.LastIndexByte(name, '.')+1:]
		if kind == name {
			kind, _, _ = strings.Cut(name, "-")
		}
		c.count(t, kind, failed != nil || report.Bad > 0, false, readAll(t, bad) != good, fmt.Sprintf("byte %d of %s", at, name))
	}
	c.log(t)
}

func contentOf(t *testing.T, fs vfs.FS, name string) []byte {
	f, err := fs.Open(name)
	require.NoError(t, err)
	content, err := io.ReadAll(f)
	require.NoError(t, errors.Join(err, f.Close()))
	return content
}
