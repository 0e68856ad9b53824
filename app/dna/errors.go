package dna

import (
	"errors"
	"strings"

	"heed/format"
	"heed/internal/cli"
)

// tooLong adds a hint to the error of a sequence above the limit.
func tooLong(err error) error {
	if errors.Is(err, format.ErrTooLarge) && strings.Contains(err.Error(), "sequence") {
		return cli.Hint(err, "--max-len raises the limit; time grows with its square")
	}
	return err
}

// columnHint adds a hint to the error of a table without a column.
func columnHint(err error) error {
	if strings.Contains(err.Error(), "no column") {
		return cli.Hint(err, "--sequence-column and --label-column name the columns")
	}
	return err
}
