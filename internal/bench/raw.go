package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Raw is what a plain file does: appends of one size from many callers, written together and synced with fdatasync.
type Raw struct {
	AppendsPerSecond float64 `json:"appends_per_second"`
	P50              float64 `json:"p50_us"`
	P99              float64 `json:"p99_us"`
}

// MeasureRaw measures for about two seconds.
func MeasureRaw(c Config, inFlight, size int) (Raw, error) {
	dir, err := os.MkdirTemp(c.Dir, "clew-raw-")
	if err != nil {
		return Raw{}, fmt.Errorf("bench: making a directory for the plain file: %w", err)
	}
	defer os.RemoveAll(dir)
	f, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return Raw{}, fmt.Errorf("bench: making the plain file: %w", err)
	}
	defer f.Close()
	g := &grouped{file: f, entry: make([]byte, size), more: make(chan struct{}, 1)}
	stop := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() { g.write(stop) })
	deadline := time.Now().Add(2 * time.Second)
	var mu sync.Mutex
	var took []time.Duration
	began := time.Now()
	var all sync.WaitGroup
	for range inFlight {
		all.Go(func() {
			var mine []time.Duration
			done := make(chan error, 1)
			for time.Now().Before(deadline) {
				began := time.Now()
				if g.append(done) != nil {
					break
				}
				mine = append(mine, time.Since(began))
			}
			mu.Lock()
			took = append(took, mine...)
			mu.Unlock()
		})
	}
	all.Wait()
	elapsed := time.Since(began)
	close(stop)
	writer.Wait()
	var r Report
	r.latency(took)
	return Raw{AppendsPerSecond: float64(len(took)) / elapsed.Seconds(), P50: r.P50, P99: r.P99}, g.err
}

// grouped writes what has come together and syncs once.
type grouped struct {
	file    *os.File
	entry   []byte
	mu      sync.Mutex
	waiting []chan error
	more    chan struct{}
	err     error
}

func (g *grouped) append(done chan error) error {
	g.mu.Lock()
	g.waiting = append(g.waiting, done)
	g.mu.Unlock()
	select {
	case g.more <- struct{}{}:
	default:
	}
	return <-done
}

func (g *grouped) write(stop chan struct{}) {
	var buffer []byte
	for {
		select {
		case <-g.more:
		case <-stop:
			return
		}
		g.mu.Lock()
		group := g.waiting
		g.waiting = nil
		g.mu.Unlock()
		buffer = buffer[:0]
		for range group {
			buffer = append(buffer, g.entry...)
		}
		_, err := g.file.Write(buffer)
		if err == nil {
			err = syscall.Fdatasync(int(g.file.Fd()))
		}
		if err != nil {
			g.err = err
		}
		for _, done := range group {
			done <- err
		}
	}
}
