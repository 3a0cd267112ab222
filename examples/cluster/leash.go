package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// endWithin is how long a process has to end once the one who started it is gone. It is longer than an attempt may go on, see work.
const endWithin = 5 * time.Second

// leash ties a process to the one who started it and holds the other end of its standard input. The context ends with that, and
// with SIGINT, SIGTERM and SIGHUP, which a process that was stopped gets together with SIGCONT when its parent dies. Should
// the process still be there some seconds later, it ends at once. The lines are those that came until then.
//
// Nobody waits for the goroutine that reads: what waits for standard input waits until the process ends.
func leash() (ctx context.Context, lines <-chan string, release func()) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	all := make(chan string)
	go func() {
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			select {
			case all <- in.Text():
			case <-ctx.Done():
			}
		}
		stop()
		time.Sleep(endWithin)
		fmt.Fprintln(os.Stderr, "whoever started this process is gone, and it does not end: it is ended")
		os.Exit(3)
	}()
	return ctx, all, stop
}
