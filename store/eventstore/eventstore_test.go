package eventstore

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/clewflow/clew/store"
	"github.com/clewflow/clew/store/storetest"
)

func open(t testing.TB, url string, o Options) *Log {
	t.Helper()
	l, err := Open(t.Context(), url, o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func driver(o Options) storetest.Driver {
	urls := map[store.Log]string{}
	return storetest.Driver{
		Open: func(t *testing.T) store.Log {
			url := newFake(t, 1).url()
			l := open(t, url, o)
			urls[l] = url
			return l
		},
		Reopen: func(t *testing.T, l store.Log) store.Log {
			require.NoError(t, l.Close())
			again := open(t, urls[l], o)
			urls[again] = urls[l]
			return again
		},
		Abandon: func(t *testing.T, l store.Log) store.Log {
			again := open(t, urls[l], o)
			urls[again] = urls[l]
			return again
		},
	}
}

func TestEventStoreIsALog(t *testing.T) { storetest.Run(t, driver(Options{})) }

func TestEventStoreAgreesWithMemory(t *testing.T) {
	for seed := range uint64(2) {
		storetest.Differential(t, driver(Options{}), seed)
	}
}
