// Command events measures "heed ehr import meds" on synthetic events: how many per
// second, and how much memory at most.
//
//	go build -o heed ./cmd/heed
//	go run ./bench/events -heed ./heed -dir DIR -events 80000000
//
// The data set has one million events in a file. Sorted, it is as MEDS prescribes; with
// -disorder, the events of each subject lie scattered over all files, and every one of
// them must be moved.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"heed/format/meds"
)

func main() {
	var (
		heed     = flag.String("heed", "heed", "the program to measure")
		dir      = flag.String("dir", "", "folder for the data, some 12 bytes for each event twice, and 30 for sorting")
		events   = flag.Int("events", 8_000_000, "number of events")
		subjects = flag.Int("subjects", 0, "number of subjects (default one for 800 events)")
		disorder = flag.Bool("disorder", false, "scatter the events of each subject")
		limit    = flag.String("mem-limit", "512MB", "passed on")
	)
	flag.Parse()
	if *subjects == 0 {
		*subjects = max(*events/800, 1)
	}
	if err := run(*heed, *dir, *events, *subjects, *disorder, *limit); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(heed, dir string, events, subjects int, disorder bool, limit string) error {
	if dir == "" {
		return errors.New("-dir is needed")
	}
	src := filepath.Join(dir, fmt.Sprintf("events-%d-%v", events, disorder))
	if _, err := os.Stat(src); err != nil {
		if err := generate(src, events, subjects, disorder); err != nil {
			return err
		}
	}
	out := filepath.Join(dir, "store")
	cmd := exec.Command(heed, "ehr", "import", "meds", src, "-o", out, "--force", "--mem-limit", limit)
	cmd.Stderr = os.Stderr
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return err
	}
	wall := time.Since(start)
	peak := int64(0)
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		peak = u.Maxrss >> 10
	}
	fmt.Printf("%d events, disorder %v: %.1f s, %.2f million events per second, CPU %.1f s, at most %d MiB resident\n", events, disorder,
		wall.Seconds(), float64(events)/1e6/wall.Seconds(), (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds(), peak)
	return nil
}

// generate writes events with 3,000 codes of unequal frequency, of which two thirds
// have a value, and times that rise by minutes to weeks.
func generate(dir string, events, subjects int, disorder bool) error {
	const perFile = 1_000_000
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	v := meds.NewVocabulary()
	for i := range 3000 {
		v.ID(fmt.Sprintf("LAB//%05d//mg/dL", i))
	}
	rng := rand.New(rand.NewPCG(1, 2))
	each := (events + subjects - 1) / subjects
	files := (events + perFile - 1) / perFile
	clock := make([]int64, subjects)
	for file := range files {
		var c meds.Columns
		lo, hi := file*perFile, min((file+1)*perFile, events)
		for i := lo; i < hi; i++ {
			id := i / each
			if disorder { // every file holds some events of every subject
				id = (i - lo) * subjects / perFile
			}
			clock[id] += int64(math.Exp(rng.NormFloat64()*2+4)) * meds.Minute
			e := meds.Event{Subject: int64(id), Time: clock[id], Value: float32(math.NaN()), Available: meds.Static}
			code := int32(2999 * math.Pow(rng.Float64(), 3))
			if code%3 > 0 {
				e.Value = float32(rng.IntN(2000)) / 10
			}
			c.Add(&e, code)
		}
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%d.parquet", file)))
		if err != nil {
			return err
		}
		b := bufio.NewWriterSize(f, 1<<20)
		w := meds.NewWriter(b, v, false, 2)
		for _, end := range []func() error{func() error { return w.Write(&c) }, w.Close, b.Flush, f.Close} {
			if err := end(); err != nil {
				return err
			}
		}
	}
	return nil
}
