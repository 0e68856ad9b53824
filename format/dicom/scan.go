package dicom

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"

	"heed/format"
)

// A Folder is what lies in a folder, or in one file.
type Folder struct {
	Root   string
	Series []*Series
	// Other counts files that are not DICOM; Empty those of DICOM without pixels.
	Other, Empty int

	paths []string
}

// MaxFiles is the greatest number of files in a folder.
const MaxFiles = 1 << 20

// Scan reads the headers of all files of a folder and those below it, or of one
// file, and sorts their images into series: by study, series and frame of
// reference, by size and by orientation; by acquisition only where positions
// collide. Series are in the order of their first files.
//
// A file that is damaged ends the scan.
func Scan(root string) (*Folder, error) {
	f := &Folder{Root: root}
	if err := f.list(); err != nil {
		return nil, err
	}
	groups := make(map[key][]slice)
	var keys []key
	for i := range f.paths {
		file, err := f.open(i)
		if err != nil {
			return nil, err
		}
		if file == nil {
			f.Other++
			continue
		}
		list, err := file.slices(i)
		if err != nil {
			return nil, err
		}
		if list == nil {
			f.Empty++
		}
		for _, s := range list {
			k := keyOf(&s)
			if groups[k] == nil {
				keys = append(keys, k)
			}
			groups[k] = append(groups[k], s)
		}
	}
	for _, k := range keys {
		for _, list := range apart(groups[k]) {
			f.Series = append(f.Series, newSeries(f, len(f.Series)+1, list))
		}
	}
	if len(f.Series) == 0 {
		return nil, format.InvalidAt(root, 0, "no DICOM images")
	}
	return f, nil
}

func (f *Folder) list() error {
	err := filepath.WalkDir(f.Root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			if path == f.Root {
				return format.PathError(f.Root, err)
			}
			return format.PathError(f.Root+" (a folder below)", err)
		}
		if d.Type().IsRegular() || path == f.Root && !d.IsDir() {
			f.paths = append(f.paths, path)
		}
		if len(f.paths) > MaxFiles {
			return format.TooLargeAt(f.Root, 0, "more than %d files", MaxFiles)
		}
		return nil
	})
	return err
}

// name stands for a file in messages: its place, not its name.
func (f *Folder) name(i int) string {
	if f.paths[i] == f.Root {
		return f.Root
	}
	return fmt.Sprintf("%s (file %d of %d)", f.Root, i+1, len(f.paths))
}

// open reads file i, nil if it is not DICOM. Only the root itself must be DICOM.
func (f *Folder) open(i int) (*File, error) {
	r, err := os.Open(f.paths[i])
	if err != nil {
		return nil, format.PathError(f.name(i), err)
	}
	defer r.Close()
	in := bufio.NewReaderSize(r, 64<<10)
	if f.paths[i] != f.Root {
		head, err := in.Peek(132)
		if err != nil && err != io.EOF {
			return nil, format.PathError(f.name(i), err)
		}
		if !Is(head) && bare(head) == "" {
			return nil, nil
		}
	}
	plain, err := format.NewReader(f.name(i), in)
	if err != nil {
		return nil, err
	}
	return Reader{}.Read(f.name(i), plain)
}

// A key is what the slices of a volume have in common.
type key struct {
	study, series, frame string
	rows, columns        int
	orientation          [6]int // in 1e-4
	placed               bool
}

func keyOf(s *slice) key {
	k := key{study: s.study, series: s.series, frame: s.frameOfReference, rows: s.layout.rows, columns: s.layout.columns, placed: len(s.missing) == 0}
	for i, x := range s.orientation {
		k.orientation[i] = int(math.Round(x * 1e4))
	}
	return k
}

// same is the distance in mm below which two slices lie at one position.
const same = 1e-2

// apart splits slices that lie at one position by their acquisition, if then no
// two of one acquisition collide.
func apart(list []slice) [][]slice {
	if len(list[0].missing) > 0 || !collide(list) {
		return [][]slice{list}
	}
	var numbers []int
	parts := make(map[int][]slice)
	for _, s := range list {
		if parts[s.acquisition] == nil {
			numbers = append(numbers, s.acquisition)
		}
		parts[s.acquisition] = append(parts[s.acquisition], s)
	}
	slices.Sort(numbers)
	var out [][]slice
	for _, n := range numbers {
		if collide(parts[n]) {
			return [][]slice{list}
		}
		out = append(out, parts[n])
	}
	return out
}

func collide(list []slice) bool {
	list = sorted(list)
	for i := 1; i < len(list); i++ {
		if list[i].along-list[i-1].along < same {
			return true
		}
	}
	return false
}

// sorted orders slices along their normal, never by number or name; those at one
// position by number.
func sorted(list []slice) []slice {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b slice) int {
		if math.Abs(a.along-b.along) >= same {
			return cmp.Compare(a.along, b.along)
		}
		return cmp.Compare(a.instance, b.instance)
	})
	return list
}
