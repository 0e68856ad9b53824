package dicom

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

var writeProfile = flag.Bool("write-profile", false, "write what the rules do into testdata/basic_profile.tsv")

// TestBasicProfile goes through all attributes of the basic profile (PS3.15, table
// E.1-1, edition 2024b) and checks that what the rules do is what the table asks for,
// or stricter. testdata/basic_profile.tsv holds the table and, per attribute, what is
// done; docs/ct.md says where the table comes from.
func TestBasicProfile(t *testing.T) {
	const path = "testdata/basic_profile.tsv"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]string{ // removing is always allowed: nothing is safer
		"X": "X", "Z": "ZDX", "D": "DUX", "U": "UX", "X/Z": "XZ", "X/D": "XD", "X/Z/D": "XZD", "Z/D": "ZDX",
		"X/Z/U": "XZR", // R: kept, and the UIDs within replaced
	}
	standard, ours, stricter := map[string]int{}, map[string]int{}, 0
	var out bytes.Buffer
	for i, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		if strings.HasPrefix(line, "#") || strings.HasPrefix(line, "tag\t") {
			fmt.Fprintln(&out, line)
			continue
		}
		col := strings.Split(line, "\t")
		if len(col) != 6 {
			t.Fatalf("line %d: %d columns", i+1, len(col))
		}
		row, action, sources := col[0], col[2], col[3]
		standard[action]++
		var did, dates, keyword string
		for k, tag := range tagsOf(t, row) {
			_, word := Lookup(tag)
			a, b := does(tag, false), does(tag, true)
			if k == 0 {
				did, dates, keyword = a, b, word
			}
			if a != did || b != dates {
				t.Errorf("%s: %s does %s and %s, not %s and %s", row, tag, a, b, did, dates)
			}
		}
		if !strings.Contains(allowed[action], did) {
			t.Errorf("%s %s: the profile says %s, the rules do %s", row, keyword, action, did)
		}
		// With dates shifted, dates and times alone may be treated in another way.
		if dates != did {
			vr, _ := Lookup(tagsOf(t, row)[0])
			if vr != "DA" && vr != "DT" && vr != "TM" {
				t.Errorf("%s %s (%s): %s with dates shifted, otherwise %s", row, keyword, vr, dates, did)
			}
		}
		if did == "X" && !strings.Contains(action, "X") {
			stricter++
		}
		ours[did]++
		fmt.Fprintf(&out, "%s\t%s\t%s\t%s\t%s\t%s\n", row, keyword, action, sources, did, dates)
	}
	if *writeProfile {
		if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if out.String() != string(text) {
		t.Errorf("%s does not say what the rules do: go test ./format/dicom -run BasicProfile -write-profile, and look at the difference", path)
	}
	want := "map[D:92 U:54 X:383 X/D:22 X/Z:11 X/Z/D:8 X/Z/U:2 Z:42 Z/D:6]"
	if got := fmt.Sprint(standard); got != want {
		t.Errorf("the table has %s, want %s", got, want)
	}
	t.Logf("the rules do %v; %d stricter", ours, stricter)
}

// tagsOf returns the tag of a row, some of those of a repeating group.
func tagsOf(t *testing.T, row string) []Tag {
	t.Helper()
	if !strings.ContainsAny(row, "x") {
		n, err := strconv.ParseUint(row, 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		return []Tag{Tag(n)}
	}
	var out []Tag
	for _, group := range []string{"00", "02", "1e", "fe"} {
		elements := []string{"0010", "3000", "4000"}
		if !strings.HasSuffix(row, "xxxx") {
			elements = []string{row[4:]}
		}
		for _, e := range elements {
			n, err := strconv.ParseUint(row[:2]+group+e, 16, 32)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, Tag(n))
		}
	}
	return out
}

// does returns the letter of what the rules do with an attribute: R for a sequence
// that is kept with each attribute within by its own rule.
func does(tag Tag, shift bool) string {
	vr, _ := Lookup(tag)
	d := deidentifier{Profile: Profile{ShiftDates: shift}}
	action, _ := d.rule(&Element{Tag: tag, VR: vr})
	if action == Keep && vr == "SQ" {
		return "R"
	}
	return string(rune(action))
}

// TestProfileObject plants a value into every attribute of the basic profile, at the
// top of an object and within a sequence that is kept, and looks for it in what is
// written. The value is no part of the patient's name, so that only rules remove it.
func TestProfileObject(t *testing.T) {
	text, err := os.ReadFile("testdata/basic_profile.tsv")
	if err != nil {
		t.Fatal(err)
	}
	const secret, uid = "ZEBRA77 ", "2.25.987654321987654321"
	f := phantom(t, "phantom")
	inner := &Dataset{order: f.order}
	planted := 0
	for _, line := range strings.Split(string(text), "\n") {
		row, _, _ := strings.Cut(line, "\t")
		if strings.HasPrefix(line, "#") || row == "tag" || row == "" || strings.HasPrefix(row, "0000") || strings.HasPrefix(row, "0002") {
			continue
		}
		for _, tag := range tagsOf(t, row) {
			vr, keyword := Lookup(tag)
			e := Element{Tag: tag, VR: vr, Value: []byte(secret)}
			switch {
			case keyword == "":
				e.VR = "LO"
			case vr == "UI":
				e.Value = []byte(uid)
			case vr == "DA" || vr == "DT":
				e.Value = []byte("19770707")
			case vr == "SQ":
				e.Value, e.Items = nil, []*Dataset{{order: f.order, Elements: []Element{
					{Tag: tagPatientName, VR: "PN", Value: []byte(secret)}, {Tag: 0x00081155, VR: "UI", Value: []byte(uid)}}}}
			}
			f.set(e)
			inner.set(e)
			planted++
		}
	}
	f.set(Element{Tag: 0x00091001, VR: "LO", Value: []byte(secret)})
	inner.set(Element{Tag: 0x00091001, VR: "LO", Value: []byte(secret)})
	f.set(Element{Tag: 0x00081115, VR: "SQ", Items: []*Dataset{inner}}) // ReferencedSeriesSequence
	if _, err := Deidentify(f, profile); err != nil {
		t.Fatal(err)
	}
	b := bytesOf(t, f)
	for _, s := range []string{strings.TrimSpace(secret), uid, "19770707"} {
		if n := bytes.Count(b, []byte(s)); n > 0 {
			t.Errorf("%s: %d times in the file", s, n)
		}
	}
	// A UID becomes the same one wherever it stands.
	again, err := Reader{}.Read("again", bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	series := again.Find(0x00081115).Items[0]
	if a, b := again.Text(tagStudy), series.Text(0x00081155); a == "" || a != b || series.Text(0x00120062) != "" {
		t.Errorf("one UID became %q and %q", a, b)
	}
	if planted < 620 {
		t.Errorf("%d attributes planted", planted)
	}
}
