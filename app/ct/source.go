package ct

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"heed/format"
	"heed/format/dicom"
	"heed/format/nifti"
	"heed/format/npy"
	"heed/format/nrrd"
	"heed/internal/cli"
)

// A Finding is something unusual about a volume or the files it comes from. It never
// holds a value that could name somebody.
type Finding struct {
	Kind string `json:"kind"`
	Bad  bool   `json:"bad"` // keeps the volume from being used
	Text string `json:"text"`
}

// A Source says what to read of a path.
type Source struct {
	Series int  // of a folder of DICOM, from 1; 0 wants one
	Frame  int  // of a NIfTI file of several volumes, from 1; 0 wants one
	QForm  bool // NIfTI: let the qform count
	Uneven bool // DICOM: interpolate where slices are missing or unequal
}

// flags adds the flags of a source.
func (s *Source) flags(fs *pflag.FlagSet) {
	fs.IntVar(&s.Series, "series", 0, "which series of a DICOM folder, by its number in heed ct info")
	fs.IntVar(&s.Frame, "frame", 0, "which volume of a NIfTI file of several, from 1")
	fs.BoolVar(&s.QForm, "qform", false, "NIfTI: place voxels by the qform, as ITK does, not by the sform")
	fs.BoolVar(&s.Uneven, "interpolate-gaps", false, "DICOM: interpolate where slices are missing or unequal")
}

func (s *Source) check() error {
	if s.Series < 0 || s.Frame < 0 {
		return cli.Usagef("--series and --frame: want a number from 1")
	}
	return nil
}

// A Picture is a volume with what is known of where it comes from. It has no name.
type Picture struct {
	*format.Volume
	Format   string
	Modality string // of DICOM, "" elsewhere
	Findings []Finding
}

func (p *Picture) find(kind string, bad bool, text string, args ...any) {
	p.Findings = append(p.Findings, Finding{kind, bad, fmt.Sprintf(text, args...)})
}

// Open reads a volume: NIfTI, NRRD, NumPy, a DICOM file or a folder of them, told
// apart by content.
func (s Source) Open(path string) (*Picture, error) {
	kind, err := sniff(path)
	if err != nil {
		return nil, err
	}
	p := &Picture{}
	switch kind {
	case "nifti":
		err = p.nifti(path, s)
	case "nrrd":
		err = p.nrrd(path)
	case "npy":
		err = p.npy(path)
	default:
		err = p.dicom(path, s)
	}
	if err != nil {
		return nil, err
	}
	if p.Rounded > 0 {
		p.find("rounded", false, "%d voxels are integers beyond 2^24, rounded to float32", p.Rounded)
	}
	return p, nil
}

// sniff names the format of a path.
func sniff(path string) (string, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return "dicom", nil
	}
	r, err := format.Open(path)
	if err != nil {
		return "", err
	}
	defer r.Close()
	head, err := bufio.NewReaderSize(r, 1024).Peek(1024)
	if err != nil && err != io.EOF && len(head) == 0 {
		return "", err
	}
	switch {
	case len(head) == 0 && err == io.EOF:
		return "", format.InvalidAt(path, 0, "file is empty")
	case nrrd.Is(head):
		return "nrrd", nil
	case strings.HasPrefix(string(head), "\x93NUMPY"):
		return "npy", nil
	case dicom.Is(head):
		return "dicom", nil
	case nifti.Is(head), strings.HasSuffix(strings.TrimSuffix(strings.ToLower(path), ".gz"), ".nii"):
		return "nifti", nil
	}
	return "dicom", nil // old files without a preamble; its reader refuses all else
}

func (p *Picture) nifti(path string, s Source) error {
	im, err := nifti.Reader{Frame: s.Frame, QForm: s.QForm}.Open(path)
	if err != nil {
		if errors.Is(err, format.ErrUnsupported) && strings.Contains(err.Error(), "choose one") {
			return cli.Hint(err, "--frame chooses one")
		}
		return err
	}
	p.Volume, p.Format = &im.Volume, fmt.Sprintf("NIfTI-%d", im.Version)
	if mm, degrees := im.Disagreement(); mm > .01 {
		p.find("place", false, "sform and qform put voxels up to %.3g mm and %.3g degrees apart; the %s counts (--qform: nibabel and FSL take the sform, ITK the qform)", mm, degrees, im.Place)
	}
	if im.Place == "voxel sizes" {
		p.find("place", false, "neither sform nor qform: position and orientation are unknown, left and right too")
	}
	if im.Unit == "unknown" {
		p.find("unit", false, "the header names no unit of length; taken as mm")
	}
	if im.Trailing > 0 {
		p.find("trailing", false, "%d bytes after the voxels", im.Trailing)
	}
	return nil
}

func (p *Picture) nrrd(path string) error {
	im, err := nrrd.Open(path)
	if err != nil {
		return err
	}
	p.Volume, p.Format = &im.Volume, "NRRD"
	if !im.Placed {
		p.find("place", false, "the header gives no position in space: taken as LPS")
	}
	return nil
}

func (p *Picture) npy(path string) error {
	r, err := format.Open(path)
	if err != nil {
		return err
	}
	a, err := npy.Read(path, r)
	if err = errors.Join(err, r.Close()); err != nil {
		return err
	}
	if len(a.Shape) != 3 || a.Len() == 0 {
		return format.UnsupportedAt(path, 0, "array of shape %v: want three axes (z, y, x)", a.Shape)
	}
	v := &format.Volume{Shape: [3]int{a.Shape[2], a.Shape[1], a.Shape[0]}, Data: a.Float32s()}
	if _, err := format.CountVoxels(v.Shape, format.MaxVoxels); err != nil {
		return format.TooLargeAt(path, 0, "%w", err)
	}
	for i := range 3 {
		v.Affine[i][i] = 1
	}
	p.Volume, p.Format = v, "NumPy"
	p.find("place", false, "an array has no place: voxels are taken as 1 mm, RAS")
	return nil
}

func (p *Picture) dicom(path string, s Source) error {
	folder, err := dicom.Scan(path)
	if err != nil {
		return err
	}
	series, err := choose(folder, s.Series)
	if err != nil {
		return err
	}
	p.Format, p.Modality = "DICOM", series.Modality
	p.Findings = findings(series)
	load := series.Load
	if s.Uneven {
		load = series.LoadUneven
	}
	p.Volume, err = load()
	if err != nil {
		if bad := series.Bad(); bad != nil && bad.Kind == "gap" {
			return cli.Hint(err, "--interpolate-gaps makes up what is missing, which is no measurement")
		} else if bad != nil && bad.Kind == "syntax" {
			return cli.Hint(err, plainPixels)
		}
		return err
	}
	return nil
}

// choose returns the series that is asked for, or the only one.
func choose(folder *dicom.Folder, number int) (*dicom.Series, error) {
	if number > len(folder.Series) {
		return nil, format.InvalidAt(folder.Root, 0, "no series %d: there are %d", number, len(folder.Series))
	}
	if number > 0 {
		return folder.Series[number-1], nil
	}
	if len(folder.Series) > 1 {
		return nil, cli.Hint(format.InvalidAt(folder.Root, 0, "%d series in one folder", len(folder.Series)),
			"heed ct info lists them, --series chooses one")
	}
	return folder.Series[0], nil
}

func findings(s *dicom.Series) []Finding {
	var out []Finding
	for _, f := range s.Findings {
		out = append(out, Finding{f.Kind, f.Bad, f.Text})
	}
	return out
}

// tell prints findings as warnings.
func tell(w io.Writer, list []Finding) {
	for _, f := range list {
		fmt.Fprintf(w, "heed: warning: %s\n", f.Text)
	}
}

// checkOutput refuses names of files that no writer has, before any work.
func checkOutput(path string) error {
	if _, err := writerOf(path); err != nil {
		return err
	}
	return nil
}

// writerOf returns the function that writes a file of this name.
func writerOf(path string) (func(path string, v *format.Volume) error, error) {
	name := strings.ToLower(filepath.Base(path))
	switch {
	case strings.HasSuffix(name, ".nii"), strings.HasSuffix(name, ".nii.gz"):
		return nifti.WriteFile, nil
	case strings.HasSuffix(name, ".nrrd"):
		return nrrd.WriteFile, nil
	case strings.HasSuffix(name, ".npy"):
		return writeArray, nil
	}
	return nil, cli.Hint(cli.Usagef("output: what format is wanted?"), "end the name in .nii, .nii.gz, .nrrd or .npy")
}

// writeVolume writes a volume in the format that the name asks for.
func writeVolume(path string, v *format.Volume) error {
	write, err := writerOf(path)
	if err != nil {
		return err
	}
	if err := v.Check(); err != nil {
		return err
	}
	err = write(path, v)
	var e *format.Error
	if errors.As(err, &e) { // of the system: no bad input
		return fmt.Errorf("%s: %w", path, e.Err)
	}
	return err
}

// writeArray writes the voxels as NumPy, axes (z, y, x), without their place.
func writeArray(path string, v *format.Volume) error {
	shape := []int{v.Shape[2], v.Shape[1], v.Shape[0]}
	var data any = v.Data
	switch v.Fit() {
	case format.Uint8:
		data = as[uint8](v.Data)
	case format.Int8:
		data = as[int8](v.Data)
	case format.Int16:
		data = as[int16](v.Data)
	case format.Uint16:
		data = as[uint16](v.Data)
	case format.Int32, format.Uint32, format.Int64, format.Uint64:
		data = as[int64](v.Data)
	}
	return format.WriteFile(path, func(w io.Writer) error { return npy.Write(w, data, shape...) })
}

func as[T uint8 | int8 | int16 | uint16 | int64](x []float32) []T {
	out := make([]T, len(x))
	for i, v := range x {
		out[i] = T(v)
	}
	return out
}

// exactly wants a number of arguments.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return cli.Usagef("%s needs %s", cmd.CommandPath(), what)
		}
		return nil
	}
}
