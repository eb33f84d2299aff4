// Load on a cluster with the client's normal policies, until the end of standard input.
//
// usage: load HOST PORT
//
// Adds to counters and reads them back. The last line tells how many requests succeeded, which failed, and
// which of those failures are none of the kinds that a client meets while a node dies.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	as "github.com/aerospike/aerospike-client-go/v8"
	"github.com/aerospike/aerospike-client-go/v8/types"
)

const (
	records = 100
	workers = 2
	pause   = 2 * time.Millisecond
)

// A node that is gone: no answer in time, a broken connection, nobody left to ask; or one that is back, and in
// no cluster yet.
var expected = []types.ResultCode{
	types.TIMEOUT, types.MAX_RETRIES_EXCEEDED, types.NETWORK_ERROR, types.INVALID_NODE_ERROR,
	types.NO_AVAILABLE_CONNECTIONS_TO_NODE, types.SERVER_NOT_AVAILABLE, types.MAX_ERROR_RATE,
	types.PARTITION_UNAVAILABLE,
}

// report is what a worker has seen.
type report struct {
	succeeded          int
	failed, unexpected map[string]int
	lost               []string
}

func main() {
	port, err := strconv.Atoi(os.Args[2])
	if err != nil {
		fail(err)
	}
	client, failure := as.NewClient(os.Args[1], port)
	if failure != nil {
		fail(failure)
	}
	defer client.Close()
	all := report{failed: map[string]int{}, unexpected: map[string]int{}}
	var stop atomic.Bool
	var running sync.WaitGroup
	var parts [workers]report
	for worker := range workers {
		running.Go(func() { parts[worker] = work(client, worker, &stop) })
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	stop.Store(true)
	running.Wait()
	for _, part := range parts {
		all.add(part)
	}
	for _, line := range all.lost[:min(5, len(all.lost))] {
		fmt.Println("LOST", line)
	}
	fmt.Printf("succeeded=%d failed=%s unexpected=%s\n", all.succeeded, shown(all.failed), shown(all.unexpected))
	if len(all.lost) > 0 || all.succeeded == 0 {
		os.Exit(1)
	}
}

func work(client *as.Client, worker int, stop *atomic.Bool) report {
	seen := report{failed: map[string]int{}, unexpected: map[string]int{}}
	var least, most [records]int
	for turn := 0; !stop.Load(); turn++ {
		number := turn % records
		most[number]++
		name := fmt.Sprintf("go-%d-%d", worker, number)
		found, err := step(client, name, func() {
			least[number]++
			seen.succeeded++
		})
		if err != nil {
			seen.note(err)
		} else {
			seen.succeeded++
			if found < least[number] || found > most[number] {
				line := fmt.Sprintf("%s: %d of %d to %d", name, found, least[number], most[number])
				seen.lost = append(seen.lost, line)
			}
		}
		time.Sleep(pause)
	}
	return seen
}

// step adds to a counter, says so when that is done, and reads it.
func step(client *as.Client, name string, added func()) (int, as.Error) {
	key, err := as.NewKey("test", "load", name)
	if err != nil {
		return 0, err
	}
	if err := client.Add(nil, key, as.BinMap{"n": 1}); err != nil {
		return 0, err
	}
	added()
	record, err := client.Get(nil, key)
	if err != nil {
		return 0, err
	}
	found, _ := record.Bins["n"].(int)
	return found, nil
}

func (r *report) note(failure as.Error) {
	var err *as.AerospikeError
	kind := "other"
	if errors.As(failure, &err) {
		kind = fmt.Sprintf("%d %s", err.ResultCode, err.ResultCode)
	}
	r.failed[kind]++
	if !failure.Matches(expected...) {
		// All that the client says of it, on one line.
		r.unexpected[strings.ReplaceAll(failure.Error(), "\n", " ")]++
	}
}

func (r *report) add(part report) {
	r.succeeded += part.succeeded
	r.lost = append(r.lost, part.lost...)
	for kind, count := range part.failed {
		r.failed[kind] += count
	}
	for kind, count := range part.unexpected {
		r.unexpected[kind] += count
	}
}

func shown(kinds map[string]int) string {
	text, err := json.Marshal(kinds)
	if err != nil {
		fail(err)
	}
	return string(text)
}

func fail(err error) {
	fmt.Println("FAIL", err)
	os.Exit(1)
}
