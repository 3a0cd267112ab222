package pebble

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/storetest"
)

// small makes logs that are cheap to open.
func small(fs vfs.FS) Options {
	return Options{FS: fs, Cache: 1 << 20, MemTable: 1 << 20, Ballast: 64 << 10, backoff: 1 << 20}
}

func open(t *testing.T, dir string, o Options) *Log {
	t.Helper()
	l, err := Open(dir, o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// crash returns what the disk holds if the power fails now.
func crash(l *Log) *vfs.MemFS {
	return l.opts.FS.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{})
}

var inMemory = storetest.Driver{
	Open: func(t *testing.T) store.Log { return open(t, "db", small(vfs.NewCrashableMem())) },
	Reopen: func(t *testing.T, l store.Log) store.Log {
		require.NoError(t, l.Close())
		return open(t, "db", l.(*Log).opts)
	},
	Abandon: func(t *testing.T, l store.Log) store.Log { return open(t, "db", small(crash(l.(*Log)))) },
}

var onDisk = storetest.Driver{
	Open: func(t *testing.T) store.Log { return open(t, t.TempDir(), small(nil)) },
	Reopen: func(t *testing.T, l store.Log) store.Log {
		require.NoError(t, l.Close())
		return open(t, l.(*Log).dir+"/..", l.(*Log).opts)
	},
}

func TestPebbleIsALog(t *testing.T) {
	t.Run("memory", func(t *testing.T) { storetest.Run(t, inMemory) })
	t.Run("disk", func(t *testing.T) { storetest.Run(t, onDisk) })
}

func TestPebbleAgreesWithMemory(t *testing.T) {
	for seed := range uint64(2) {
		storetest.Differential(t, inMemory, seed)
	}
}
