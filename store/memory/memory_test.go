package memory_test

import (
	"testing"

	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/memory"
	"github.com/clewflow/clew/store/storetest"
)

var driver = storetest.Driver{
	Open: func(t *testing.T) store.Log {
		l := memory.New()
		t.Cleanup(func() { _ = l.Close() })
		return l
	},
	Reopen: func(t *testing.T, l store.Log) store.Log {
		_ = l.Close()
		return abandon(t, l)
	},
	Abandon: abandon,
	Virtual: true,
}

func abandon(t *testing.T, l store.Log) store.Log {
	again := l.(*memory.Log).Disk().Open()
	t.Cleanup(func() { _ = again.Close() })
	return again
}

func TestMemoryIsALog(t *testing.T) { storetest.Run(t, driver) }

func TestMemoryAgreesWithItself(t *testing.T) { storetest.Differential(t, driver, 1) }
