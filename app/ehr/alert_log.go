package ehr

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"heed/format"
	"heed/internal/cli"
)

// A Pseudonymizer gives every subject a name that only who has the key can find
// again: the first 16 hexadecimal digits of HMAC-SHA256.
type Pseudonymizer struct{ key []byte }

// minKey is the shortest key, in bytes.
const minKey = 16

// NewPseudonymizer reads a key from a file, or draws one if path is empty: then the
// names of two runs have nothing to do with each other.
func NewPseudonymizer(path string) (*Pseudonymizer, error) {
	if path == "" {
		key := make([]byte, 32)
		rand.Read(key)
		return &Pseudonymizer{key}, nil
	}
	key, err := os.ReadFile(path)
	if err != nil {
		return nil, cli.SystemError(path, err)
	}
	if key = bytes.TrimSpace(key); len(key) < minKey {
		return nil, format.Invalidf(path, 0, "a key of %d bytes, want %d or more", len(key), minKey)
	}
	return &Pseudonymizer{key}, nil
}

// Name returns the pseudonym of a subject.
func (p *Pseudonymizer) Name(subject string) string {
	h := hmac.New(sha256.New, p.key)
	io.WriteString(h, subject)
	return hex.EncodeToString(h.Sum(nil))[:16]
}

// A LogRecord is one prediction in an audit log. It holds neither an identifier nor a
// value of a patient.
type LogRecord struct {
	N           int     `json:"n"`       // from 1
	Written     string  `json:"written"` // by the clock of the machine, UTC
	Model       string  `json:"model_sha256"`
	Subject     string  `json:"subject"` // a pseudonym
	Events      int     `json:"events"`  // that the prediction knew
	Probability float64 `json:"probability"`
	Alert       bool    `json:"alert"`
	Previous    string  `json:"previous"` // Hash of the record before; zeros at first
	Hash        string  `json:"hash"`     // SHA-256 of the record as JSON with an empty hash
}

func (r LogRecord) sum() string {
	r.Hash = ""
	text, err := json.Marshal(r)
	if err != nil {
		panic(err) // a probability is finite
	}
	h := sha256.Sum256(text)
	return hex.EncodeToString(h[:])
}

var firstHash = strings.Repeat("0", 2*sha256.Size)

// An AuditLog is a file of records, one a line, each of which holds the hash of the
// one before it: no record can be changed, taken out or moved without all that follow
// it being written anew. Whoever keeps the last hash elsewhere sees that too, and
// whether the end was cut off. There is no way to write into its middle.
type AuditLog struct {
	file *os.File
	n    int
	last string
	now  func() time.Time
}

// OpenAuditLog opens a log to append to, or begins one, which its owner alone may
// read. A log whose chain is broken is not continued.
func OpenAuditLog(path string) (*AuditLog, error) {
	n, last := 0, firstHash
	f, err := os.Open(path)
	switch {
	case err == nil:
		n, last, err = VerifyAuditLog(path, f)
		f.Close()
		if err != nil {
			return nil, err
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, cli.SystemError(path, err)
	}
	if f, err = os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return nil, cli.SystemError(path, err)
	}
	return &AuditLog{f, n, last, time.Now}, nil
}

// Append writes one record. N, Written and the hashes are those of the log.
func (l *AuditLog) Append(r LogRecord) error {
	r.N, r.Written, r.Previous = l.n+1, l.now().UTC().Format(time.RFC3339Nano), l.last
	r.Hash = r.sum()
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if _, err := l.file.Write(append(text, '\n')); err != nil {
		return cli.SystemError(l.file.Name(), err)
	}
	l.n, l.last = r.N, r.Hash
	return nil
}

// Head returns the number of records and the last hash.
func (l *AuditLog) Head() (int, string) { return l.n, l.last }

// Close makes sure that what was appended is on the disk.
func (l *AuditLog) Close() error {
	err := l.file.Sync()
	return cli.SystemError(l.file.Name(), errors.Join(err, l.file.Close()))
}

// VerifyAuditLog reads a log and returns the number of records and the last hash. The
// error names the first line that does not fit.
func VerifyAuditLog(name string, r io.Reader) (n int, last string, err error) {
	b := bufio.NewReader(r)
	last = firstHash
	for {
		line, err := b.ReadBytes('\n')
		if err == io.EOF && len(line) == 0 {
			return n, last, nil
		}
		if err == io.EOF {
			return n, last, format.Invalidf(name, n+1, "the last record is cut off")
		}
		if err != nil {
			return n, last, cli.SystemError(name, err)
		}
		var x LogRecord
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&x); err != nil {
			return n, last, format.Invalidf(name, n+1, "no record: %w", err)
		}
		again, err := json.Marshal(x)
		if err != nil {
			return n, last, format.Invalidf(name, n+1, "no record: %w", err)
		}
		switch {
		case x.Hash != x.sum() || !bytes.Equal(again, bytes.TrimSuffix(line, []byte("\n"))):
			return n, last, format.Invalidf(name, n+1, "record %d was changed: its hash is another", x.N)
		case x.Previous != last || x.N != n+1:
			return n, last, format.Invalidf(name, n+1, "the chain is broken: record %d does not follow record %d", x.N, n)
		}
		n, last = x.N, x.Hash
	}
}

func auditLogCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "audit-log",
		Short: "Audit logs of predictions",
		Args:  noArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var head string
	verify := &cobra.Command{
		Use:   "verify FILE",
		Short: "Check that no record of an audit log was changed, taken out or moved",
		Long: `Check an audit log that heed ehr alert --audit wrote: every record holds the hash of
the one before it. The command prints the number of records and the last hash. Keep
that elsewhere and give it with --head: a log that was written anew from some record on,
or cut off at its end, is found out by it alone.`,
		Example: `  heed ehr audit-log verify alerts.log --head 3f2a...`,
		Args:    oneArgument("an audit log"),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := os.Open(args[0])
			if err != nil {
				return cli.SystemError(args[0], err)
			}
			defer f.Close()
			w := &watcher{Reader: f, want: head}
			n, last, err := VerifyAuditLog(args[0], w)
			if err != nil {
				return err
			}
			if head != "" && last != head && !w.seen {
				return format.Invalidf(args[0], 0, "no record has the hash %s: the log was written anew, or its end was cut off", head)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d records, the chain holds; last hash %s\n", n, last)
			return err
		},
	}
	verify.Flags().StringVar(&head, "head", "", "a hash that some record must have")
	c.AddCommand(verify)
	return c
}

// A watcher looks for a hash in lines that are read through it.
type watcher struct {
	io.Reader
	want string
	tail []byte
	seen bool
}

// Read reads and looks.
func (w *watcher) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if w.want != "" && !w.seen {
		w.tail = append(w.tail, p[:n]...)
		needle := []byte(`"hash":"` + w.want + `"`)
		w.seen = bytes.Contains(w.tail, needle)
		w.tail = w.tail[max(0, len(w.tail)-len(needle)):]
	}
	return n, err
}
