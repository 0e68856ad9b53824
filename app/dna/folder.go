package dna

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"heed/format"
	"heed/internal/cli"
)

// A Folder is the folder of a run. A nil Folder keeps nothing.
//
//	job.json            everything that decides the numbers
//	run.jsonl           one line for every step and every evaluation
//	metrics.json        scores with intervals
//	predictions.tsv     the transformer's predictions on the test parts, pooled
//	model.safetensors   the final model
//	checkpoints/        the state of what is under way, for --resume
type Folder struct {
	Path string

	mu  sync.Mutex
	log *os.File
	buf *bufio.Writer
	err error // the first of the log
}

const (
	jobFile         = "job.json"
	logFile         = "run.jsonl"
	metricsFile     = "metrics.json"
	predictionsFile = "predictions.tsv"
	modelFile       = "model.safetensors"
	reportFile      = "report.html"
	checkpointsDir  = "checkpoints"
)

// Create makes a folder for a new run. A folder with something in it is an
// error unless force is set; then the files of the run that it held are removed,
// and no others.
func Create(path string, force bool, j *Job) (*Folder, error) {
	f := &Folder{Path: path}
	switch entries, err := os.ReadDir(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, cli.SystemError(path, err)
	case len(entries) > 0 && !force:
		return nil, cli.Hint(fmt.Errorf("%s: the folder exists", path), "--force replaces the run in it, --resume continues it")
	case len(entries) > 0:
		for _, name := range []string{jobFile, logFile, metricsFile, predictionsFile, modelFile, reportFile, checkpointsDir} {
			if err := os.RemoveAll(f.file(name)); err != nil {
				return nil, cli.SystemError(f.file(name), err)
			}
		}
	}
	if err := os.MkdirAll(f.file(checkpointsDir), 0o777); err != nil {
		return nil, cli.SystemError(path, err)
	}
	if err := writeJSON(f.file(jobFile), j); err != nil {
		return nil, err
	}
	return f, f.openLog()
}

// Resume opens the folder of a run that was cut, and returns its job.
func Resume(path string) (*Folder, *Job, error) {
	f := &Folder{Path: path}
	if !cli.Exists(f.file(jobFile)) {
		return nil, nil, cli.Hint(fmt.Errorf("%s: no run to resume: %s is missing", path, jobFile), "-o FOLDER starts a new run")
	}
	j, err := readJob(f.file(jobFile))
	if err != nil {
		return nil, nil, err
	}
	if cli.Exists(f.file(modelFile)) {
		return nil, nil, cli.Hint(fmt.Errorf("%s: the run is complete", path), "heed dna evaluate and heed dna predict use its model")
	}
	return f, j, f.openLog()
}

// readJob reads a job.json.
func readJob(path string) (*Job, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, cli.SystemError(path, err)
	}
	j := &Job{}
	if err := json.Unmarshal(text, j); err != nil {
		return nil, format.Invalidf(path, 0, "%w", err)
	}
	return j, nil
}

func (f *Folder) file(name string) string { return filepath.Join(f.Path, name) }

// last is the checkpoint of the final model.
func (f *Folder) last() string {
	if f == nil {
		return ""
	}
	return filepath.Join(f.Path, checkpointsDir, "last.safetensors")
}

// fold is the folder of a fold that is under way. Each has its own, because
// folds that run at the same time write at the same time.
func (f *Folder) fold(fold int) string {
	return filepath.Join(f.Path, checkpointsDir, fmt.Sprintf("fold-%03d", fold))
}

// foldCheckpoint makes the folder of a fold and returns the file of its state.
func (f *Folder) foldCheckpoint(fold int) (string, error) {
	if f == nil {
		return "", nil
	}
	if err := os.MkdirAll(f.fold(fold), 0o777); err != nil {
		return "", cli.SystemError(f.fold(fold), err)
	}
	return filepath.Join(f.fold(fold), "last.safetensors"), nil
}

func (f *Folder) foldResult(fold int) string {
	return filepath.Join(f.fold(fold), "result.json")
}

// loadFold returns what a fold that is done predicted, or nil.
func (f *Folder) loadFold(fold int) (*foldResult, error) {
	if f == nil || !cli.Exists(f.foldResult(fold)) {
		return nil, nil
	}
	text, err := os.ReadFile(f.foldResult(fold))
	if err != nil {
		return nil, cli.SystemError(f.foldResult(fold), err)
	}
	r := &foldResult{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, format.Invalidf(f.foldResult(fold), 0, "%w", err)
	}
	return r, nil
}

func (f *Folder) saveFold(fold int, r *foldResult) error {
	if f == nil {
		return nil
	}
	state, err := f.foldCheckpoint(fold)
	if err != nil {
		return err
	}
	if err := writeJSON(f.foldResult(fold), r); err != nil {
		return err
	}
	if err := os.Remove(state); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return cli.SystemError(state, err)
	}
	return nil
}

func (f *Folder) openLog() error {
	log, err := os.OpenFile(f.file(logFile), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return cli.SystemError(f.file(logFile), err)
	}
	f.log, f.buf = log, bufio.NewWriter(log)
	return nil
}

// Log appends a line to run.jsonl. Lines of folds that run at the same time
// are mixed; each says its fold.
func (f *Folder) Log(p Progress) {
	f.mu.Lock()
	defer f.mu.Unlock()
	line, err := json.Marshal(p)
	if err == nil {
		_, err = f.buf.Write(append(line, '\n'))
	}
	if p.Stage == "valid" && err == nil {
		err = f.buf.Flush()
	}
	f.err = errors.Join(f.err, err)
}

// Close ends the log and returns its first error.
func (f *Folder) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.buf.Flush()
	if f.err != nil {
		err = f.err
	}
	if e := f.log.Close(); err == nil {
		err = e
	}
	if err != nil {
		return cli.SystemError(f.file(logFile), err)
	}
	return nil
}

// finish writes the results of a run.
func (f *Folder) finish(o *Outcome) error {
	if err := writeJSON(f.file(metricsFile), o.Summary()); err != nil {
		return err
	}
	if err := cli.WriteFile(f.file(predictionsFile), o.Predictions[0].WriteTSV); err != nil {
		return err
	}
	o.Model.Info = o.info()
	if err := o.Model.Save(f.file(modelFile)); err != nil {
		return err
	}
	for k := range o.Folds {
		if err := os.RemoveAll(f.fold(k + 1)); err != nil {
			return cli.SystemError(f.fold(k+1), err)
		}
	}
	return nil
}

func writeJSON(path string, v any) error {
	return cli.WriteFile(path, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(v)
	})
}
