package ct

import (
	"errors"
	"fmt"
	"math"

	"github.com/spf13/cobra"

	"heed/format"
	"heed/internal/cli"
	"heed/radiomics"
)

// A Preparation is what heed ct prepare does to a volume, in this order.
type Preparation struct {
	Spacing float64 // mm of isotropic voxels; 0 keeps them
	Lungs   bool    // find the lungs
	Crop    float64 // mm around the mask, negative for the whole volume
	Outside bool    // make air of what is outside of the mask
	Window  string  // of HU, to 0 to 1; "" keeps HU, clipped to -1024 to 3071
}

// A Prepared volume, with the mask it was cropped by.
type Prepared struct {
	Volume   *format.Volume
	Mask     *radiomics.Mask // nil without one
	Findings []string
}

// check refuses what makes no sense, before any work.
func (j Preparation) check(hasMask bool) error {
	if j.Window != "" {
		if _, ok := radiomics.WindowNamed(j.Window); !ok {
			return cli.Hint(cli.Usagef("--window %q: no such window", j.Window), "windows are lung, mediastinum, bone, soft, brain and wide")
		}
	}
	switch {
	case j.Spacing < 0 || math.IsNaN(j.Spacing) || math.IsInf(j.Spacing, 0):
		return cli.Usagef("--spacing %v: want a positive number of mm", j.Spacing)
	case j.Spacing > 0 && j.Spacing < .05:
		return cli.Usagef("--spacing %v: want at least 0.05 mm", j.Spacing)
	case hasMask && j.Lungs:
		return cli.Usagef("--lungs and --mask: want one of them")
	case !hasMask && !j.Lungs && (j.Crop >= 0 || j.Outside):
		return cli.Usagef("--crop and --air-outside need a mask: --lungs or --mask")
	}
	return nil
}

// Run prepares a volume. The mask, which may be nil, must lie on its voxels.
func (j Preparation) Run(v *format.Volume, mask *radiomics.Mask) (*Prepared, error) {
	p := &Prepared{Volume: v, Mask: mask}
	if j.Lungs {
		l, err := radiomics.FindLungs(v)
		if err != nil {
			return nil, err
		}
		p.Mask, p.Findings = l.Mask, l.Findings
	}
	if j.Spacing > 0 {
		g, err := radiomics.Isotropic(v, j.Spacing)
		if err != nil {
			return nil, err
		}
		p.Volume = radiomics.Resample(v, g, -1024)
		if p.Mask != nil {
			p.Mask = radiomics.ResampleMask(p.Mask, g)
		}
	} else {
		w := *v
		w.Data = append([]float32(nil), v.Data...)
		p.Volume = &w
	}
	if j.Crop >= 0 {
		box, ok := p.Mask.Bounds(j.Crop)
		if !ok {
			return nil, fmt.Errorf("the mask is empty")
		}
		p.Volume = radiomics.Crop(p.Volume, box)
		m, err := radiomics.MaskOf(radiomics.Crop(p.Mask.Volume(), box))
		if err != nil {
			return nil, err
		}
		p.Mask = m
	}
	for i, x := range p.Volume.Data {
		x = max(-1024, min(3071, x))
		if x != x || j.Outside && p.Mask.Data[i] == 0 {
			x = -1024
		}
		p.Volume.Data[i] = x
	}
	if w, ok := radiomics.WindowNamed(j.Window); ok {
		w.Apply(p.Volume.Data)
	}
	return p, nil
}

// unsound is the error of a volume that cannot be measured or prepared.
func unsound(path string, reason error) error {
	err := format.InvalidAt(path, 0, "%w", reason)
	if errors.Is(reason, radiomics.ErrNoLungs) {
		return cli.Hint(err, "lungs that touch the sides of the volume (a tight crop) are not found; --mask takes lungs or lobes of another program")
	}
	return err
}

// openMask reads a mask that must lie on the voxels of an image.
func openMask(s Source, path string, v *format.Volume) (*radiomics.Mask, error) {
	p, err := s.Open(path)
	if err != nil {
		return nil, err
	}
	if err := v.SameGrid(p.Volume, .1); err != nil {
		return nil, cli.Hint(format.InvalidAt(path, 0, "mask does not match its image: %w", err), "heed ct info shows where each lies")
	}
	m, err := radiomics.MaskOf(p.Volume)
	if err != nil {
		return nil, format.InvalidAt(path, 0, "%w", err)
	}
	return m, nil
}

func prepareCommand() *cobra.Command {
	var s Source
	var j Preparation
	var out, maskFile, maskOut string
	c := &cobra.Command{
		Use:   "prepare PATH -o FILE",
		Short: "Resample, window, mask and crop a CT for a model",
		Long: `Prepare a CT for a model, in this order: find the lungs or take a mask, resample to
cubes (trilinear, blurred first where voxels grow; masks by the nearest voxel), crop
to the mask, make air of what is outside, clip to -1024 to 3071 HU, and map a window
of HU to 0 to 1.

The lungs are found without any model: air within the body by a threshold of -320 HU,
without airways and bowel, edges closed by 5 mm. Dense lungs are missed: look at the
mask (--mask-output).

Windows (center, width): lung -600, 1500; mediastinum 40, 350; bone 400, 1800; soft 50,
400; brain 40, 80; wide -200, 1600.`,
		Example: `  heed ct prepare ct.nii.gz --spacing 1.5 --lungs --crop 10 --window lung -o lungs.nii.gz
  heed ct prepare study/ --spacing 2 -o ct.npy
  heed ct prepare ct.nii --mask tumour.nii.gz --crop 20 --air-outside -o tumour.nrrd`,
		Args: exactly(1, "a file or a folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.check(); err != nil {
				return err
			}
			if out == "" {
				return cli.Hint(cli.Usagef("%s needs an output", cmd.CommandPath()), "-o ct.nii.gz")
			}
			if err := j.check(maskFile != ""); err != nil {
				return err
			}
			for _, path := range []string{out, maskOut} {
				if path != "" {
					if err := checkOutput(path); err != nil {
						return err
					}
				}
			}
			if maskOut != "" && maskFile == "" && !j.Lungs {
				return cli.Usagef("--mask-output needs a mask: --lungs or --mask")
			}
			p, err := s.Open(args[0])
			if err != nil {
				return err
			}
			tell(cmd.ErrOrStderr(), p.Findings)
			var mask *radiomics.Mask
			if maskFile != "" {
				if mask, err = openMask(Source{}, maskFile, p.Volume); err != nil {
					return err
				}
			}
			r, err := j.Run(p.Volume, mask)
			if err != nil {
				return unsound(args[0], err)
			}
			for _, text := range r.Findings {
				fmt.Fprintf(cmd.ErrOrStderr(), "heed: warning: %s\n", text)
			}
			if err := writeVolume(out, r.Volume); err != nil {
				return err
			}
			if maskOut != "" {
				if err := writeVolume(maskOut, r.Mask.Volume()); err != nil {
					return err
				}
			}
			spacing := r.Volume.Affine.Spacing()
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d x %d x %d voxels of %.4g x %.4g x %.4g mm\n%s\n",
				r.Volume.Shape[0], r.Volume.Shape[1], r.Volume.Shape[2], spacing[0], spacing[1], spacing[2], Disclaimer)
			return err
		},
	}
	s.flags(c.Flags())
	fs := c.Flags()
	fs.StringVarP(&out, "output", "o", "", "file to write: .nii, .nii.gz, .nrrd or .npy")
	fs.Float64Var(&j.Spacing, "spacing", 0, "edge of the voxels in mm (default as they are)")
	fs.BoolVar(&j.Lungs, "lungs", false, "find the lungs")
	fs.StringVar(&maskFile, "mask", "", "mask on the voxels of PATH")
	fs.Float64Var(&j.Crop, "crop", -1, "crop to the mask and this many mm around it")
	fs.BoolVar(&j.Outside, "air-outside", false, "make air of what is outside of the mask")
	fs.StringVar(&j.Window, "window", "", "map a window of HU to 0 to 1: lung, mediastinum, bone, soft, brain or wide")
	fs.StringVar(&maskOut, "mask-output", "", "write the mask, on the voxels of the output")
	return c
}
