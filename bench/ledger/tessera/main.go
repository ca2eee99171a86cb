// Appends to a Tessera log on POSIX files as bench/ledger/load.ts appends to ours, and prints one line of JSON.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
)

func main() {
	dir := flag.String("dir", "", "an empty folder")
	writers := flag.Int("writers", 4096, "how many wait for their entry at once")
	seconds := flag.Float64("seconds", 5, "how long")
	size := flag.Int("size", 600, "bytes of an entry")
	batch := flag.Uint("batch", 4096, "entries of a batch")
	age := flag.Duration("age", 20*time.Millisecond, "longest wait for a batch")
	flag.Parse()
	if err := run(*dir, *writers, *seconds, *size, *batch, *age); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(dir string, writers int, seconds float64, size int, batch uint, age time.Duration) error {
	ctx := context.Background()
	secret, _, err := note.GenerateKey(rand.Reader, "bench.example/tessera")
	if err != nil {
		return err
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		return err
	}
	driver, err := posix.New(ctx, posix.Config{Path: dir})
	if err != nil {
		return err
	}
	options := tessera.NewAppendOptions().
		WithCheckpointSigner(signer).
		WithCheckpointInterval(250*time.Millisecond).
		WithBatching(batch, age).
		WithPushback(uint(4 * writers))
	appender, shutdown, _, err := tessera.NewAppender(ctx, driver, options)
	if err != nil {
		return err
	}
	var count atomic.Int64
	var mu sync.Mutex
	var all []float64
	var wg sync.WaitGroup
	begin := time.Now()
	end := begin.Add(time.Duration(seconds * float64(time.Second)))
	for range writers {
		wg.Go(func() {
			var own []float64
			for time.Now().Before(end) {
				body := make([]byte, size)
				if _, err := rand.Read(body); err != nil {
					panic(err)
				}
				at := time.Now()
				if _, err := appender.Add(ctx, tessera.NewEntry(body))(); err != nil {
					continue
				}
				own = append(own, time.Since(at).Seconds()*1000)
				count.Add(1)
			}
			mu.Lock()
			all = append(all, own...)
			mu.Unlock()
		})
	}
	wg.Wait()
	took := time.Since(begin).Seconds()
	if err := shutdown(ctx); err != nil {
		return err
	}
	sort.Float64s(all)
	at := func(share float64) float64 {
		if len(all) == 0 {
			return 0
		}
		return all[min(len(all)-1, int(float64(len(all))*share))]
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"entries": count.Load(), "seconds": took, "rate": float64(count.Load()) / took,
		"ack": map[string]float64{"p50": at(0.5), "p99": at(0.99)},
	})
}
