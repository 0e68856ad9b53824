package ehr

import (
	"errors"
	"fmt"
	"io/fs"
)

func systemError(path string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return fmt.Errorf("%s: %w", path, err)
}
