// App is a program whose code changes from one release to the next, for the tests of "clew check" and "clew replay".
//
// The release before works until all that it has started waits, or has ended. What the others do is looked at alone.
package main

import (
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/clewflow/clew/runtime"
	"github.com/clewflow/clew/vault"
	"github.com/clewflow/clew/workflow"
)

func main() {
	dir := flag.String("dir", "clew.data", "of the store")
	release := flag.String("release", "after", "before, after, gated or wrong")
	sealed := flag.Bool("sealed", false, "payloads are encrypted, under keys beside the store")
	hang := flag.Bool("hang", false, "never get to runtime.Open")
	idle := flag.Bool("idle", false, "start nothing")
	hold := flag.Bool("hold", false, "keep the store open until standard input ends")
	flag.Parse()
	if *hang {
		fmt.Fprintln(os.Stderr, "app: migrating the database")
		select {}
	}
	if flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "app: cannot read", flag.Arg(0))
		os.Exit(3)
	}
	if err := serve(*dir, *release, *sealed, *idle, *hold); err != nil {
		fmt.Fprintln(os.Stderr, "app:", err)
		os.Exit(1)
	}
}

func serve(dir, release string, sealed, idle, hold bool) (err error) {
	ctx := context.Background()
	c := runtime.Config{Store: filepath.Join(dir, "store"), Logger: slog.New(slog.DiscardHandler)}
	if sealed {
		keys, err := vault.OpenKeys(filepath.Join(dir, "keys"), master())
		if err != nil {
			return err
		}
		defer keys.Close()
		if c.Vault, err = vault.New(vault.Options{Codecs: []vault.Codec{vault.Encrypt(keys)}}); err != nil {
			return err
		}
	}
	rt, err := runtime.Open(ctx, c, definitions(release)...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rt.Close()) }()
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- rt.Run(ctx) }()
	if !idle {
		err = work(ctx, rt)
	}
	err = errors.Join(err, held(hold))
	stop()
	return errors.Join(err, <-ended)
}

// long is a text so long that it goes into a file, and that cannot be compressed to less.
func long() string {
	b := make([]byte, 100_000)
	_, _ = rand.NewChaCha8([32]byte{}).Read(b) // never fails
	return hex.EncodeToString(b)
}

func held(hold bool) error {
	if !hold {
		return nil
	}
	fmt.Println("open")
	_, err := os.Stdin.Read(make([]byte, 1))
	if err != nil && err.Error() == "EOF" {
		return nil
	}
	return err
}

// master is a key that everybody knows.
func master() vault.Master {
	m, _ := vault.ParseMaster([]byte(strings.Repeat("00", 32)))
	return m
}

// work starts what the release before has, and waits until nothing goes on by itself.
func work(ctx context.Context, rt *runtime.Runtime) error {
	_, err := runtime.Do(ctx, rt, "hello-1", Greet, long()) // so that Run is at work before the others begin
	errs := []error{err}
	for _, id := range []string{"parcel-1", "parcel-2", "parcel-3"} {
		_, err := runtime.Start(ctx, rt, id, Deliver1, "lamp")
		errs = append(errs, err)
	}
	_, err = runtime.Start(ctx, rt, "return-1", Return, "lamp")
	errs = append(errs, err)
	_, err = runtime.Start(ctx, rt, "audit-1", Audit, "")
	errs = append(errs, err)
	errs = append(errs, err, rt.Signal(ctx, "parcel-3", Courier.With(workflow.None{})))
	for _, id := range []string{"parcel-1", "parcel-2", "parcel-3", "return-1"} {
		for {
			d, err := rt.Describe(ctx, id)
			if err != nil || len(d.Activities) == 0 {
				errs = append(errs, err)
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	return errors.Join(errs...)
}
