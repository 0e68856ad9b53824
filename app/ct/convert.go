package ct

import (
	"fmt"

	"github.com/spf13/cobra"

	"heed/format"
	"heed/format/dicom"
	"heed/internal/cli"
	"heed/radiomics"
)

// badSeries is the error of a folder with a series that cannot be used.
func badSeries(folder *dicom.Folder, s *dicom.Series) error {
	f := s.Bad()
	if f.Kind == "syntax" {
		return cli.Hint(format.UnsupportedAt(folder.Root, 0, "series %d: %s", s.Number, f.Text), plainPixels)
	}
	return format.InvalidAt(folder.Root, 0, "series %d: %s", s.Number, f.Text)
}

// plainPixels is what to do about pixels that are not decoded.
const plainPixels = "dcm2niix makes NIfTI of the folder; gdcmconv --raw IN OUT decodes a single file"

func convertCommand() *cobra.Command {
	var s Source
	var out, orientation string
	c := &cobra.Command{
		Use:   "convert PATH -o FILE",
		Short: "Convert a volume between DICOM, NIfTI, NRRD and NumPy",
		Long: `Convert a volume. PATH is NIfTI, NRRD, NumPy, a DICOM file or a folder of them; the
name of the output says its format: .nii, .nii.gz, .nrrd or .npy.

Values are kept exactly, HU for a CT, in the type they were stored in or the first of
int16, int32 and float32 that holds them. DICOM becomes the volume that dcm2niix
makes. Nothing of the header goes along but size, place and values, so that the
output has no name in it; pixels may still show text or a face.`,
		Example: `  heed ct convert study/ -o ct.nii.gz
  heed ct convert ct.nrrd -o ct.nii --orient RAS
  heed ct convert ct.nii.gz -o ct.npy`,
		Args: exactly(1, "a file or a folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.check(); err != nil {
				return err
			}
			if out == "" {
				return cli.Hint(cli.Usagef("%s needs an output", cmd.CommandPath()), "-o ct.nii.gz")
			}
			if err := checkOutput(out); err != nil {
				return err
			}
			p, err := s.Open(args[0])
			if err != nil {
				return err
			}
			tell(cmd.ErrOrStderr(), p.Findings)
			if orientation != "" {
				if p.Volume, _, _, err = radiomics.Reorient(p.Volume, orientation); err != nil {
					return cli.Usagef("--orient: %v", err)
				}
			}
			if err := writeVolume(out, p.Volume); err != nil {
				return err
			}
			spacing := p.Affine.Spacing()
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d x %d x %d voxels of %.4g x %.4g x %.4g mm, %s, %s\n%s\n",
				p.Shape[0], p.Shape[1], p.Shape[2], spacing[0], spacing[1], spacing[2], p.Affine.Orientation(), p.Fit(), Disclaimer)
			return err
		},
	}
	s.flags(c.Flags())
	c.Flags().StringVarP(&out, "output", "o", "", "file to write: .nii, .nii.gz, .nrrd or .npy")
	c.Flags().StringVar(&orientation, "orient", "", "exchange and turn axes to this orientation, as in RAS; no voxel changes")
	return c
}
