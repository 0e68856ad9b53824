package ct

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"heed/format/dicom"
)

// Info is what heed ct info tells of a volume.
type Info struct {
	Notice      string        `json:"notice"`
	Format      string        `json:"format"`
	Modality    string        `json:"modality,omitempty"`
	Shape       [3]int        `json:"shape"`
	Spacing     [3]float64    `json:"spacing_mm"`
	Size        [3]float64    `json:"size_mm"`
	Orientation string        `json:"orientation"`
	Obliquity   float64       `json:"obliquity_degrees"`
	Skew        float64       `json:"skew_degrees"`
	Affine      [3][4]float64 `json:"affine_ras"`
	Stored      string        `json:"stored"`
	Min         float64       `json:"min"`
	Max         float64       `json:"max"`
	Mean        float64       `json:"mean"`
	NotFinite   int           `json:"not_finite"`
	Histogram   []Bin         `json:"histogram"`
	Findings    []Finding     `json:"findings"`
}

// A Bin counts the voxels from From (inclusive) to To HU.
type Bin struct {
	Name    string  `json:"name"`
	From    float64 `json:"from"`
	To      float64 `json:"to"`
	Voxels  int     `json:"voxels"`
	Percent float64 `json:"percent"`
}

// tissues are ranges of HU by what is mostly found in them.
var tissues = []Bin{
	{Name: "below air", From: -1e9, To: -1024},
	{Name: "air", From: -1024, To: -950},
	{Name: "lung", From: -950, To: -600},
	{Name: "dense lung", From: -600, To: -200},
	{Name: "fat", From: -200, To: -30},
	{Name: "water and soft tissue", From: -30, To: 100},
	{Name: "contrast and spongy bone", From: 100, To: 400},
	{Name: "bone", From: 400, To: 2000},
	{Name: "metal", From: 2000, To: 1e9},
}

// Describe measures a volume.
func (p *Picture) Describe() *Info {
	i := &Info{Notice: Disclaimer, Format: p.Format, Modality: p.Modality, Shape: p.Shape, Spacing: p.Affine.Spacing(), Orientation: p.Affine.Orientation(),
		Obliquity: p.Affine.Obliquity(), Skew: p.Affine.Skew(), Affine: p.Affine, Stored: p.Stored.String(),
		Min: math.Inf(1), Max: math.Inf(-1), Histogram: append([]Bin{}, tissues...), Findings: append([]Finding{}, p.Findings...)}
	for k, s := range i.Spacing {
		i.Size[k] = s * float64(p.Shape[k])
	}
	sum, n := 0., 0
	for _, x := range p.Data {
		v := float64(x)
		if math.IsNaN(v) || math.IsInf(v, 0) {
			i.NotFinite++
			continue
		}
		n++
		sum += v
		i.Min, i.Max = math.Min(i.Min, v), math.Max(i.Max, v)
		for k := range i.Histogram {
			if b := &i.Histogram[k]; v >= b.From && v < b.To {
				b.Voxels++
				break
			}
		}
	}
	if n == 0 {
		i.Min, i.Max = 0, 0
	} else {
		i.Mean = sum / float64(n)
	}
	for k := range i.Histogram {
		i.Histogram[k].Percent = 100 * float64(i.Histogram[k].Voxels) / float64(len(p.Data))
	}
	if i.NotFinite > 0 {
		i.Findings = append(i.Findings, Finding{"values", false, fmt.Sprintf("%d voxels are no finite numbers", i.NotFinite)})
	}
	if i.Skew > .05 {
		i.Findings = append(i.Findings, Finding{"skew", false, fmt.Sprintf("voxel axes are %.2f degrees off right angles, which programs that want a rotation refuse", i.Skew)})
	}
	return i
}

func (i *Info) write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "format\t%s %s\n", i.Format, i.Modality)
	fmt.Fprintf(t, "voxels\t%d x %d x %d, %s\n", i.Shape[0], i.Shape[1], i.Shape[2], i.Stored)
	fmt.Fprintf(t, "spacing\t%.6g x %.6g x %.6g mm\n", i.Spacing[0], i.Spacing[1], i.Spacing[2])
	fmt.Fprintf(t, "size\t%.1f x %.1f x %.1f mm\n", i.Size[0], i.Size[1], i.Size[2])
	fmt.Fprintf(t, "orientation\t%s, %.2f degrees oblique\n", i.Orientation, i.Obliquity)
	for r, row := range i.Affine {
		fmt.Fprintf(t, "%s\t%.6g\t%.6g\t%.6g\t%.6g\n", [3]string{"affine, RAS", "", ""}[r], row[0], row[1], row[2], row[3])
	}
	fmt.Fprintf(t, "values\t%.6g to %.6g, mean %.6g\n", i.Min, i.Max, i.Mean)
	for _, b := range i.Histogram {
		if b.Voxels > 0 {
			fmt.Fprintf(t, "  %s\t%.2f %%\n", b.Name, b.Percent)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, f := range i.Findings {
		fmt.Fprintf(w, "finding: %s\n", f.Text)
	}
	_, err := fmt.Fprintln(w, Disclaimer)
	return err
}

// A seriesInfo is what heed ct info tells of a series without its pixels.
type seriesInfo struct {
	Number   int        `json:"number"`
	Modality string     `json:"modality"`
	Syntax   string     `json:"transfer_syntax"`
	Slices   int        `json:"slices"`
	Rows     int        `json:"rows"`
	Columns  int        `json:"columns"`
	Spacing  [3]float64 `json:"spacing_mm"`
	Findings []Finding  `json:"findings"`
}

func infoCommand() *cobra.Command {
	var asJSON bool
	var s Source
	c := &cobra.Command{
		Use:   "info PATH",
		Short: "Say what a volume is and where it lies, and what is wrong with it",
		Long: `Say what a volume is: size, spacing, orientation, affine, values by tissue, and what
is unusual about it. PATH is NIfTI, NRRD, NumPy, a DICOM file or a folder of them.

Of a folder of DICOM, all series are listed with their findings: missing slices,
duplicates, a tilted gantry, missing tags. Slices are ordered by their position, never
by number or name. The exit code is 65 if a series cannot be used.

No name, number or date of a patient is shown, nor the name of a file in the folder.`,
		Example: `  heed ct info ct.nii.gz
  heed ct info study/ --json
  heed ct info study/ --series 2`,
		Args: exactly(1, "a file or a folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := s.check(); err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			kind, err := sniff(args[0])
			if err != nil {
				return err
			}
			if kind == "dicom" && s.Series == 0 {
				folder, err := dicom.Scan(args[0])
				if err != nil {
					return err
				}
				if len(folder.Series) > 1 || folder.Series[0].Bad() != nil && !s.Uneven {
					return writeSeries(w, folder, asJSON)
				}
			}
			p, err := s.Open(args[0])
			if err != nil {
				return err
			}
			i := p.Describe()
			if asJSON {
				return printJSON(w, i)
			}
			return i.write(w)
		},
	}
	s.flags(c.Flags())
	c.Flags().BoolVar(&asJSON, "json", false, "print everything as JSON")
	return c
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func writeSeries(w io.Writer, folder *dicom.Folder, asJSON bool) error {
	var list []seriesInfo
	var bad error
	for _, s := range folder.Series {
		list = append(list, seriesInfo{s.Number, s.Modality, s.Syntax, s.Slices, s.Rows, s.Columns, s.Spacing, append([]Finding{}, findings(s)...)})
		if s.Bad() != nil && bad == nil {
			bad = badSeries(folder, s)
		}
	}
	if asJSON {
		err := printJSON(w, struct {
			Notice string       `json:"notice"`
			Series []seriesInfo `json:"series"`
			Other  int          `json:"files_not_dicom"`
			Empty  int          `json:"files_without_pixels"`
		}{Disclaimer, list, folder.Other, folder.Empty})
		if err != nil {
			return err
		}
		return bad
	}
	for _, s := range list {
		fmt.Fprintf(w, "series %d: %s, %d slices of %d x %d, %.4g x %.4g x %.4g mm, %s\n", s.Number, s.Modality, s.Slices, s.Columns, s.Rows,
			s.Spacing[0], s.Spacing[1], s.Spacing[2], s.Syntax)
		for _, f := range s.Findings {
			fmt.Fprintf(w, "  finding: %s\n", f.Text)
		}
	}
	if folder.Other+folder.Empty > 0 {
		fmt.Fprintf(w, "%d files are not DICOM, %d have no pixels\n", folder.Other, folder.Empty)
	}
	fmt.Fprintln(w, Disclaimer)
	return bad
}
