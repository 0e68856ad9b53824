package dna

import (
	"context"

	"heed/data"
)

// runBaselines adds the predictions of the simple models to those of a fold.
func (j *Job) runBaselines(ctx context.Context, r *foldResult, d *Dataset, p data.Parts, cores int) error {
	return ctx.Err()
}
