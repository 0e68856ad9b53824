package ehr

import (
	"strconv"

	"github.com/spf13/pflag"
)

// subjectNames says what outputs call subjects: pseudonyms, if nobody asks for more.
type subjectNames struct {
	safe, plain bool
	path        string
	names       *Pseudonymizer
}

func (n *subjectNames) flags(fs *pflag.FlagSet) {
	fs.BoolVar(&n.safe, "phi-safe", true, "write pseudonyms in place of subject_id, and no dates")
	fs.StringVar(&n.path, "key", "", "file with the key of pseudonyms, 16 bytes or more; without, each run draws one and forgets it")
}

// check reads the key, or draws one.
func (n *subjectNames) check() (err error) {
	n.plain = !n.safe
	n.names, err = NewPseudonymizer(n.path)
	return err
}

// of returns the name that heed ehr alert gives the subject with the same key.
func (n *subjectNames) of(subject int64) string {
	id := strconv.FormatInt(subject, 10)
	if n.plain {
		return id
	}
	return n.names.Name(id)
}

// column is the heading above the names.
func (n *subjectNames) column() string {
	if n.plain {
		return "subject_id"
	}
	return "subject"
}
