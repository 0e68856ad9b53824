package ehr

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"heed/format"
	"heed/format/meds"
	"heed/internal/cli"
)

// Stays reads the in-hospital mortality task of the PhysioNet/CinC Challenge
// 2012: 48 hours of each stay in intensive care, one file a stay in
// set-a.tar.gz, set-b.tar.gz and set-c.tar.gz (or those of them that exist), and
// Outcomes-a.txt and so on. The prediction is made 48 hours after admission; scores
// that stand among the outcomes are never read.
type Stays struct {
	Folder string
	// Splits are three lists of stays (training, tuning, held out) whose first
	// column is the record, as the published split of SeFT has them; empty for
	// none. Stays on no list are left out.
	Splits [3]string

	hash  string
	cases []Case
}

const stayHours = 48

// Cases reads all stays. Height, Weight and Gender of -1 are missing; rows
// without a parameter name, values that are no number and stays without any
// measurement are left out and counted.
func (s *Stays) Cases() ([]Case, map[string]int, error) {
	left := map[string]int{}
	sum := sha256.New()
	splits, err := s.splits(sum)
	if err != nil {
		return nil, nil, err
	}
	var cases []Case
	for _, set := range []string{"a", "b", "c"} {
		path := filepath.Join(s.Folder, "set-"+set+".tar.gz")
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			continue
		}
		died, err := readOutcomes(filepath.Join(s.Folder, "Outcomes-"+set+".txt"), sum)
		if err != nil {
			return nil, nil, err
		}
		err = eachStay(path, func(n int, id int64, text []byte) error {
			sum.Write(text)
			positive, known := died[id]
			split := splits[id]
			switch {
			case !known:
				left["stays without an outcome"]++
				return nil
			case splits != nil && split == "":
				left["stays on no list of the split"]++
				return nil
			}
			c := Case{Patient: id, Positive: positive, Split: split, At: "1970-01-03T00:00:00", Micros: 2 * meds.Day, Age: float32(math.NaN()), Days: stayHours / 24, Groups: map[string]string{}}
			if err := c.readStay(fmt.Sprintf("%s: file %d", path, n), text, left); err != nil {
				return err
			}
			if c.Happenings == nil {
				left["stays without a measurement"]++
				return nil
			}
			cases = append(cases, c)
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
	}
	if len(cases) == 0 {
		return nil, nil, format.Invalidf(s.Folder, 0, "no stays: want set-a.tar.gz and Outcomes-a.txt")
	}
	slices.SortFunc(cases, func(a, b Case) int { return int(a.Patient - b.Patient) })
	s.hash, s.cases = hex.EncodeToString(sum.Sum(nil)), cases
	return cases, left, nil
}

// Subjects returns the stays that Cases read, as heed ehr import p12 tells their time:
// they begin at 1970-01-01.
func (s *Stays) Subjects(v *meds.Vocabulary) iter.Seq2[*meds.Columns, error] {
	return func(yield func(*meds.Columns, error) bool) {
		var c meds.Columns
		for i := range s.cases {
			c.Reset()
			for _, statics := range []bool{true, false} { // those stand first
				for _, h := range s.cases[i].Happenings {
					e := meds.Event{Subject: s.cases[i].Patient, Time: int64((stayHours/24. - h.Days) * float64(meds.Day)), Code: h.Code, Value: h.Value, Available: meds.Static}
					if e.Time == 0 && p12Statics[h.Code] {
						e.Time = meds.Static
					}
					if (e.Time == meds.Static) != statics {
						continue
					}
					if h.Code == "Gender" || h.Code == "ICUType" { // classes, not quantities
						e.Code = fmt.Sprintf("%s//%g", h.Code, h.Value)
					}
					c.Add(&e, v.ID(e.Code))
				}
			}
			if !yield(&c, nil) {
				return
			}
		}
	}
}

// Hash returns the SHA-256 of all that Cases read.
func (s *Stays) Hash() string { return s.hash }

func (s *Stays) splits(sum io.Writer) (map[int64]string, error) {
	if s.Splits == [3]string{} {
		return nil, nil
	}
	split := map[int64]string{}
	for i, name := range []string{"train", "tuning", "held_out"} {
		err := eachRow(s.Splits[i], sum, func(line int, row []string) error {
			id, err := strconv.ParseInt(row[0], 10, 64)
			if err != nil {
				return format.Invalidf(s.Splits[i], line, "the record is no number")
			}
			if split[id] != "" {
				return format.Invalidf(s.Splits[i], line, "the stay is in two parts")
			}
			split[id] = name
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return split, nil
}

// eachRow calls f with the rows of a CSV file after its header.
func eachRow(path string, sum io.Writer, f func(line int, row []string) error) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return cli.SystemError(path, err)
	}
	sum.Write(text)
	r := csv.NewReader(bytes.NewReader(text))
	r.FieldsPerRecord = -1
	for line := 1; ; line++ {
		row, err := r.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return format.Invalidf(path, line, "%w", err)
		}
		if line > 1 {
			if err := f(line, row); err != nil {
				return err
			}
		}
	}
}

func readOutcomes(path string, sum io.Writer) (map[int64]bool, error) {
	died := map[int64]bool{}
	err := eachRow(path, sum, func(line int, row []string) error {
		if len(row) != 6 {
			return format.Invalidf(path, line, "%d fields, want 6", len(row))
		}
		id, err := strconv.ParseInt(row[0], 10, 64)
		if err != nil || row[5] != "0" && row[5] != "1" {
			return format.Invalidf(path, line, "want a number of a record and an outcome, 0 or 1")
		}
		died[id] = row[5] == "1"
		return nil
	})
	return died, err
}

// eachStay calls f with every file of an archive and its number, from 1: its name is
// that of a patient.
func eachStay(path string, f func(n int, id int64, text []byte) error) error {
	file, err := format.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	t := tar.NewReader(file)
	for n := 1; ; n++ {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return format.Invalidf(path, 0, "%w", err)
		}
		name := strings.TrimSuffix(filepath.Base(h.Name), ".txt")
		id, err := strconv.ParseInt(name, 10, 64)
		if h.Typeflag != tar.TypeReg || err != nil {
			continue
		}
		if h.Size > 1<<24 {
			return &format.Error{Name: path, Err: fmt.Errorf("file %d: %d bytes: %w", n, h.Size, format.ErrTooLarge)}
		}
		text, err := io.ReadAll(t)
		if err != nil {
			return format.Invalidf(path, 0, "file %d: %w", n, err)
		}
		if err := f(n, id, text); err != nil {
			return err
		}
	}
}

// readStay reads "hh:mm,Parameter,Value" lines.
func (c *Case) readStay(name string, text []byte, left map[string]int) error {
	measured := false
	for i, line := range strings.Split(strings.TrimRight(string(text), "\r\n"), "\n") {
		if i == 0 {
			continue
		}
		field := strings.Split(strings.TrimRight(line, "\r"), ",")
		if len(field) != 3 {
			return format.Invalidf(name, i+1, "%d fields, want time, parameter and value", len(field))
		}
		hour, minute, ok := strings.Cut(field[0], ":")
		h, err1 := strconv.Atoi(hour)
		m, err2 := strconv.Atoi(minute)
		if !ok || err1 != nil || err2 != nil || h < 0 || h > stayHours || m < 0 || m > 59 {
			return format.Invalidf(name, i+1, "time: want hh:mm, up to 48:00")
		}
		v, err := strconv.ParseFloat(field[2], 32)
		switch static := h == 0 && m == 0; {
		case field[1] == "":
			left["rows without a parameter"]++
			continue
		case err != nil || math.IsNaN(v) || math.IsInf(v, 0):
			left["rows whose value is no number"]++
			continue
		case field[1] == "RecordID":
			continue
		case v < 0 && (field[1] == "Height" || field[1] == "Weight" || field[1] == "Gender"):
			left["rows with -1 for missing"]++
			continue
		case static && field[1] == "Age":
			c.Age = float32(v)
			c.Groups["age"] = ageBand(v)
		case static && field[1] == "Gender":
			c.Groups["sex"] = map[float64]string{0: "female", 1: "male"}[v]
		case static && field[1] == "ICUType":
			c.Groups["unit"] = unitNames[fmt.Sprintf("ICUType//%g", v)]
		case static && field[1] == "Height":
		default:
			measured = true
		}
		c.Happenings = append(c.Happenings, Happening{
			Code: field[1], Value: float32(v), Days: (stayHours - float64(h) - float64(m)/60) / 24,
		})
	}
	if !measured {
		c.Happenings = nil
	}
	slices.SortStableFunc(c.Happenings, func(a, b Happening) int {
		switch {
		case a.Days > b.Days:
			return -1
		case a.Days < b.Days:
			return 1
		}
		return 0
	})
	return nil
}

// unitNames are what the numbers of PhysioNet 2012 mean.
var unitNames = map[string]string{"ICUType//1": "coronary", "ICUType//2": "cardiac surgery", "ICUType//3": "medical", "ICUType//4": "surgical"}

func ageBand(years float64) string {
	switch {
	case years < 45:
		return "under 45"
	case years < 65:
		return "45-64"
	case years < 80:
		return "65-79"
	}
	return "80 and over"
}
