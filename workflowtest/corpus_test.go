package workflowtest_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clewflow/clew/activity"
	"github.com/clewflow/clew/history"
	"github.com/clewflow/clew/replay"
	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/vault"
	"github.com/clewflow/clew/workflow"
	"github.com/clewflow/clew/workflowtest"
)

// A parcel is what is sent.
type parcel struct {
	Item  string
	Cents int
}

var (
	pack  = activity.Define("pack", func(_ context.Context, p parcel) (string, error) { return p.Item + " in paper", nil })
	weigh = activity.Define("weigh", func(context.Context, parcel) (int, error) { return 7, nil })
	label = workflow.Define("label", func(_ workflow.Context, item string) (string, error) { return "to ann: " + item, nil })
)

// parcels packs; the second version weighs first. Each has a child, which makes the label. dearer is a change to the code.
func parcels(dearer int) (v1, v2 workflow.Type[parcel, string]) {
	send := func(ctx workflow.Context, p parcel) (string, error) {
		p.Cents += dearer
		item, err := workflow.Do(ctx, pack, p)
		if err != nil {
			return "", err
		}
		return workflow.Child(ctx, label, item)
	}
	v1 = workflow.Define("parcel", send, workflow.Version(1))
	v2 = workflow.Define("parcel", func(ctx workflow.Context, p parcel) (string, error) {
		if _, err := workflow.Do(ctx, weigh, p); err != nil {
			return "", err
		}
		return send(ctx, p)
	}, workflow.Version(2))
	return v1, v2
}

// production runs two versions of a workflow and their children, and returns an export of all.
func production(t *testing.T, v *vault.Vault, then ...func(*runtime.Runtime)) []byte {
	t.Helper()
	v1, v2 := parcels(0)
	ctx, cancel := context.WithCancel(t.Context())
	rt, err := runtime.Open(ctx, runtime.Config{Store: "memory:", Namespace: "shop", Vault: v, Logger: slog.New(slog.DiscardHandler)}, v1, v2, pack, weigh, label)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- rt.Run(ctx) }()
	for n, w := range []workflow.Type[parcel, string]{v1, v2} {
		h, err := runtime.Start(ctx, rt, fmt.Sprint("parcel-", n+1), w, parcel{"lamp", 100}, workflow.Version(n+1))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := h.Result(ctx); got != "to ann: lamp in paper" || err != nil {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	for _, do := range then {
		do(rt)
	}
	var lines []byte
	for _, id := range []string{"parcel-1", "parcel-2", "parcel-1~1.2", "parcel-2~1.3"} {
		lines = history.AppendHeading(lines, history.ID{Namespace: "shop", Workflow: id})
		for e, err := range rt.History(ctx, id) {
			if err != nil {
				t.Fatal(err)
			}
			lines = append(history.AppendEntry(lines, e), '\n')
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return lines
}

// folder is a directory of files, by name.
func folder(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, lines := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, lines, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// encrypted is a vault with keys of its own.
func encrypted(t *testing.T) *vault.Vault {
	t.Helper()
	v, err := vault.New(vault.Options{Codecs: []vault.Codec{vault.Zstd(0), vault.Encrypt(new(vault.MemoryKeys))}})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func golden(t *testing.T) []byte {
	t.Helper()
	lines, err := os.ReadFile("testdata/sale.json")
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func TestACorpusOfSeveralVersionsReplays(t *testing.T) {
	dir := folder(t, map[string][]byte{"production.jsonl": production(t, nil), "golden/sale.json": golden(t), "notes.txt": []byte("no history")})
	v1, v2 := parcels(0)
	workflowtest.ReplayDir(t, dir, workflowtest.Use(v1, v2, label, sale, pack))
	workflowtest.ReplayDir(t, filepath.Join(dir, "golden", "sale.json"), workflowtest.Use(sale))
	workflowtest.Replay(t, sale, filepath.Join(dir, "golden", "*"))
}

func TestWhatMayChangeIsPassedOver(t *testing.T) {
	dir := folder(t, map[string][]byte{"production.jsonl": production(t, nil)})
	v1, v2 := parcels(20)
	workflowtest.ReplayDir(t, dir, workflowtest.Use(v1, v2, label), workflowtest.ByName())
	workflowtest.ReplayDir(t, dir, workflowtest.Use(v1, v2, label), workflowtest.Ignore("pack", "$.Cents"))
}

func TestAnEncryptedExportReplaysWithItsKeys(t *testing.T) {
	v := encrypted(t)
	lines := production(t, v)
	if strings.Contains(string(lines), "lamp") {
		t.Error("it is not encrypted")
	}
	v1, v2 := parcels(0)
	workflowtest.ReplayDir(t, folder(t, map[string][]byte{"sealed.jsonl": lines}), workflowtest.Use(v1, v2, label), workflowtest.Sealed(v))
}

func TestWhatFailsACorpus(t *testing.T) {
	v1, v2 := parcels(0)
	dear1, dear2 := parcels(20)
	for name, c := range map[string]struct {
		test func(*testing.T)
		says []string
	}{
		"code that has changed": {
			func(t *testing.T) {
				workflowtest.ReplayDir(t, folder(t, map[string][]byte{"2026/may.jsonl": production(t, nil)}), workflowtest.Use(dear1, dear2, label))
			},
			[]string{
				"--- FAIL: TestWhatFailsACorpus/code_that_has_changed/2026/may.jsonl/parcel-2",
				"activity pack (step 1) is called with another input: they differ at $.Cents, recorded is 100, asked 120",
				`workflowtest.Ignore("pack", "$.Cents")`, "▶ 2    ", "╰─ activity pack (step 1)", "PASS: TestWhatFailsACorpus/code_that_has_changed/2026/may.jsonl/parcel-1~1.2",
			},
		},
		"a version that is missing": {
			func(t *testing.T) {
				workflowtest.ReplayDir(t, folder(t, map[string][]byte{"a.jsonl": production(t, nil)}), workflowtest.Use(v1, label))
			},
			[]string{"no code for workflow parcel version 2; give its definition to ReplayDir, with workflowtest.Use", "PASS: TestWhatFailsACorpus/a_version_that_is_missing/a.jsonl/parcel-1 "},
		},
		"a child that has changed": {
			func(t *testing.T) {
				other := workflow.Define("label", func(_ workflow.Context, item string) (string, error) { return item, nil })
				workflowtest.ReplayDir(t, folder(t, map[string][]byte{"a.jsonl": production(t, nil)}), workflowtest.Use(v1, v2, other))
			},
			[]string{"FAIL: TestWhatFailsACorpus/a_child_that_has_changed/a.jsonl/parcel-1~1.2", "the code returns another result"},
		},
		"a version given twice": {
			func(t *testing.T) { workflowtest.ReplayDir(t, "testdata", workflowtest.Use(v1, v1)) },
			[]string{"workflow parcel version 1 is given twice"},
		},
		"no definitions": {
			func(t *testing.T) { workflowtest.ReplayDir(t, "testdata", workflowtest.Use(pack)) },
			[]string{"no workflow with a body was given"},
		},
		"no keys": {
			func(t *testing.T) {
				workflowtest.ReplayDir(t, folder(t, map[string][]byte{"a.jsonl": production(t, encrypted(t))}), workflowtest.Use(v1, v2, label))
			},
			[]string{"nothing was compared: vault: opening the payload \"input\" of entry 1 of shop/parcel-1: vault: no such codec", "give the vault that opens it to ReplayDir, with workflowtest.Sealed"},
		},
		"a vault that opens nothing": {
			func(t *testing.T) {
				workflowtest.ReplayDir(t, folder(t, map[string][]byte{"a.jsonl": production(t, encrypted(t))}), workflowtest.Use(v1, v2, label), workflowtest.Sealed(nil))
			},
			[]string{"nothing was compared: entry 1 cannot be read: its payload \"input\" is closed (json+aes-256-gcm:"},
		},
		"the keys of somebody else": {
			func(t *testing.T) {
				workflowtest.ReplayDir(t, folder(t, map[string][]byte{"a.jsonl": production(t, encrypted(t))}), workflowtest.Use(v1, v2, label), workflowtest.Sealed(encrypted(t)))
			},
			[]string{"nothing was compared: ", "of entry 1 of shop/parcel-1: ", "no such key"},
		},
		"a key that was destroyed": {
			func(t *testing.T) {
				v := encrypted(t)
				lines := production(t, v, func(rt *runtime.Runtime) {
					if err := rt.Shred(t.Context(), "parcel-1"); err != nil {
						t.Error(err)
					}
				})
				workflowtest.ReplayDir(t, folder(t, map[string][]byte{"a.jsonl": lines}), workflowtest.Use(v1, v2, label), workflowtest.Sealed(v))
				t.Error("to see what was skipped")
			},
			[]string{"nothing was compared: ", "shredded: the key was destroyed", "--- SKIP: TestWhatFailsACorpus/a_key_that_was_destroyed/a.jsonl/parcel-1 ", "--- PASS: TestWhatFailsACorpus/a_key_that_was_destroyed/a.jsonl/parcel-2 "},
		},
		"a value that was redacted": {
			func(t *testing.T) {
				lines := strings.Replace(string(golden(t)), `"payloads":{"value":"ann"}`, `"payloads":{"value":null}`, 1)
				workflowtest.ReplayDir(t, folder(t, map[string][]byte{"a.json": []byte(lines)}), workflowtest.Use(sale))
				t.Error("to see what was skipped")
			},
			[]string{"entries 1 to 7 of 15 were compared: entry 8 cannot be read: its payload \"value\" was redacted", "--- SKIP: "},
		},
		"a file that was edited": {
			func(t *testing.T) {
				lines := strings.Replace(string(golden(t)), `"step":2`, `"step":3`, 1)
				workflowtest.ReplayDir(t, folder(t, map[string][]byte{"a.json": []byte(lines)}), workflowtest.Use(sale))
			},
			[]string{"the file does not hold what was recorded: history: the chain is broken at entry 7"},
		},
		"a file that is none": {
			func(t *testing.T) {
				workflowtest.ReplayDir(t, folder(t, map[string][]byte{"lamps.json": []byte(`{"lamps":3}`), "b.json": history.AppendHeading(nil, history.ID{Workflow: "w"})}), workflowtest.Use(sale))
			},
			[]string{"lamps.json holds no history, want entries as Golden and clew export write them, one a line: line 1: ", "b.json holds no history, want entries as Golden and clew export write them, one a line: no entries"},
		},
		"no files": {
			func(t *testing.T) { workflowtest.ReplayDir(t, t.TempDir(), workflowtest.Use(sale)) },
			[]string{"there is no *.json and no *.jsonl in or below "},
		},
		"a path that is none": {
			func(t *testing.T) {
				workflowtest.ReplayDir(t, "testdata", workflowtest.Use(sale), workflowtest.Ignore("pay", "Cents"))
			},
			[]string{`the field "Cents" of "pay" is no part of a value`},
		},
		"a long history": {
			func(t *testing.T) {
				w := counting(func(i int) int { return i + i/400 })
				workflowtest.ReplayDir(t, folder(t, map[string][]byte{"a.json": history.Marshal(counted(1000))}), workflowtest.Use(w))
			},
			[]string{"… 792 entries …", "▶ 802   0s    activity-scheduled  401   count 400", "╰─ the code no longer asks for activity count (step 401)", "… 1184 entries …", "2002  0s    completed"},
		},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			if os.Getenv(inner) == "" {
				t.Parallel()
			}
			fails(t, c.test, c.says...)
		})
	}
}

var count = activity.Declare[int, int]("count")

// counting asks for an activity as often as it is told, with what of says of the number.
func counting(of func(int) int) workflow.Definition {
	return workflow.Define("counting", func(ctx workflow.Context, n int) (int, error) {
		for i := range n {
			if _, err := workflow.Do(ctx, count, of(i)); err != nil {
				return 0, err
			}
		}
		return n, nil
	})
}

// counted is the history of counting up to n: two entries for each, and two.
func counted(n int) (entries []history.Entry) {
	var last history.Hash
	add := func(told uint64, event history.Event) {
		e := history.Entry{Seq: uint64(len(entries)) + 1, At: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC), Told: told, Event: event}
		history.Seal(last, &e)
		last, entries = e.Hash, append(entries, e)
	}
	number := func(i int) history.Payload { return history.JSON(fmt.Append(nil, i)) }
	add(0, &history.Started{ID: history.ID{Namespace: "test", Workflow: "n"}, Run: "r", Number: 1, Type: "counting", Input: number(n)})
	for i := range n {
		add(uint64(2*i+1), &history.ActivityScheduled{Step: history.Step(i + 1), Name: "count", Input: number(i), Policy: &history.StandardPolicy})
		add(0, &history.ActivityCompleted{Try: history.Try{Step: history.Step(i + 1), Serial: 1, Attempt: 1}, Result: number(i)})
	}
	add(uint64(2*n+1), &history.Completed{Result: number(n)})
	return entries
}

// TestTenThousandEntriesReplayInNoTime: in a tenth of a second on a machine that does nothing else, see BenchmarkReplay.
// The limit leaves room for the race detector and for neighbours, and none for work that grows with the square.
func TestTenThousandEntriesReplayInNoTime(t *testing.T) {
	dir := folder(t, map[string][]byte{"a.json": history.Marshal(counted(4999))})
	began := time.Now()
	workflowtest.ReplayDir(t, dir, workflowtest.Use(counting(func(i int) int { return i })))
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
}

// BenchmarkReplay is one history of 10,000 entries, from its bytes to the verdict.
func BenchmarkReplay(b *testing.B) {
	lines := history.Marshal(counted(4999))
	code, _ := workflow.BodyOf(counting(func(i int) int { return i }))
	check := replay.Check{Codes: func(string, int) workflow.Code { return code.Code }, Level: replay.Strict}
	for b.Loop() {
		all, err := history.UnmarshalExport(lines)
		if err == nil {
			err = check.Verify(all[0].Entries)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
