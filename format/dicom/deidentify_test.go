package dicom

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

var profile = Profile{Key: []byte("sixteen bytes...")}

func phantom(t testing.TB, name string) *File {
	f, err := Open("testdata/" + name + ".dcm")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func bytesOf(t testing.TB, f *File) []byte {
	var b bytes.Buffer
	if err := Write(&b, f); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestDeidentify plants a name in ten places, in every coding, and looks for it in
// what is written.
func TestDeidentify(t *testing.T) {
	for _, name := range []string{"phantom", "implicit", "big", "deflated", "bare", "rle", "lossless", "jpegls"} {
		f := phantom(t, name)
		plant := func(tag Tag, vr, v string) { f.set(Element{Tag: tag, VR: vr, Value: []byte(v)}) }
		plant(0x00204000, "LT", "seen by planted-id-77's wife") // ImageComments
		plant(0x00081090, "LO", "Scanner of Mr Planted ")       // ManufacturerModelName, else kept
		plant(0x00180015, "CS", "PLANTED ")                     // BodyPartExamined, else kept
		plant(0x00081048, "PN", "PLANTED^DOCTOR")
		plant(0x00104000, "LT", "PLANTED")
		plant(0x60000010, "US", "\x01\x00")
		plant(0x60003000, "OW", "PLANTED ")
		plant(0x00091010, "UN", "PLANTED ")
		want, _ := f.Pixels(0)
		changes, err := Deidentify(f, profile)
		if err != nil {
			t.Fatal(err)
		}
		b := bytesOf(t, f)
		upper := bytes.ToUpper(b)
		for _, secret := range []string{planted, "20200102", "19500607", "070Y", "2.25.101", "2.25.99"} {
			if bytes.Contains(upper, []byte(secret)) {
				t.Errorf("%s: %s is in the file", name, secret)
			}
		}
		again, err := Reader{}.Read("again", bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := again.Pixels(0); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: other pixels", name)
		}
		if id := again.Text(tagPatientID); !strings.HasPrefix(id, "HEED-") || id != again.Text(tagPatientName) {
			t.Errorf("%s: pseudonym %q", name, id)
		}
		codes := again.Find(0x00120064).Items
		if again.Text(0x00120062) != "YES" || len(codes) != 1 || codes[0].Text(0x00080100) != "113100" || again.Text(0x00280303) != "REMOVED" {
			t.Errorf("%s: stamps are missing", name)
		}
		source := again.Find(0x00082112).Items[0]
		if got := source.Text(0x00081155); !strings.HasPrefix(got, "2.25.") || len(got) > 64 || source.Text(0x00081150) != "1.2.840.10008.5.1.4.1.1.2" {
			t.Errorf("%s: reference %q", name, got)
		}
		report := fmt.Sprint(changes)
		if strings.Contains(strings.ToUpper(report), planted) {
			t.Errorf("%s: the report holds a value", name)
		}
		for _, c := range []string{
			"PatientName", "StudyDate", "PatientAge", "RequestAttributesSequence", "SeriesInstanceUID", "ImageComments",
		} {
			if !strings.Contains(report, c) {
				t.Errorf("%s: nothing about %s in the report", name, c)
			}
		}
		for _, tag := range []Tag{tagRows, tagPosition, tagSlope, tagPixelSpacing, tagModality} {
			if again.Find(tag) == nil {
				t.Errorf("%s: %s is gone", name, describe(tag))
			}
		}
		for _, e := range again.Elements {
			if e.Tag.Private() {
				t.Errorf("%s: private %s", name, e.Tag)
			}
		}
	}
}

// TestKey checks that pseudonyms follow from the key alone.
func TestKey(t *testing.T) {
	get := func(key string) (string, string) {
		f := phantom(t, "phantom")
		if _, err := Deidentify(f, Profile{Key: []byte(key)}); err != nil {
			t.Fatal(err)
		}
		return f.Text(tagPatientID), f.Text(tagStudy)
	}
	a, u := get("sixteen bytes...")
	b, v := get("sixteen bytes...")
	c, w := get("other bytes.....")
	if a != b || u != v || a == c || u == w {
		t.Error(a, b, c, u, v, w)
	}
	if _, err := Deidentify(phantom(t, "phantom"), Profile{Key: []byte("short")}); errString(err) != "dicom: key of 5 bytes, want 16 or more" {
		t.Error(err)
	}
}

func TestShift(t *testing.T) {
	f := phantom(t, "phantom")
	if _, err := Deidentify(f, Profile{Key: profile.Key, ShiftDates: true}); err != nil {
		t.Fatal(err)
	}
	date := f.Text(0x00080020)
	if len(date) != 8 || date == "20200102" || date >= "20200102" || date < "2010" {
		t.Errorf("date %q", date)
	}
	if f.Text(0x00080030) != "030405" || f.Text(0x00280303) != "MODIFIED" || len(f.Find(0x00120064).Items) != 2 || f.Text(0x00100030) != "" {
		t.Error("time or stamps")
	}
}

func TestRefused(t *testing.T) {
	for _, test := range []struct {
		tag   Tag
		value string
		want  string
	}{
		{tagBurnedIn, "YES", "text is burned into the pixels, which may name the patient"},
		{tagSOPClass, "1.2.840.10008.5.1.4.1.1.7", "a screen capture (secondary capture), whose pixels may name the patient"},
		{tagSOPClass, "1.2.840.10008.5.1.4.1.1.88.67", "a report (structured report), whose text may name the patient"},
		{tagSOPClass, "1.2.840.10008.5.1.4.1.1.104.1", "a document, whose text may name the patient"},
	} {
		f := phantom(t, "phantom")
		vr, _ := Lookup(test.tag)
		f.set(Element{Tag: test.tag, VR: vr, Value: []byte(test.value)})
		_, err := Deidentify(f, profile)
		var refused *Identified
		if !errors.As(err, &refused) || err.Error() != test.want {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
	f := phantom(t, "phantom")
	f.set(Element{Tag: tagBurnedIn, VR: "CS"})
	f.set(Element{Tag: tagBodyPart, VR: "CS", Value: []byte("HEAD")})
	if got := f.Warnings(); len(got) != 2 {
		t.Error(got)
	}
}

// FuzzDeidentify checks that whatever is read and de-identified can be read again
// and does not hold the planted name outside of the pixels.
func FuzzDeidentify(f *testing.F) {
	for _, name := range []string{"phantom", "implicit", "big"} {
		f.Add(bytesOf(f, phantom(f, name)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := Reader{MaxBytes: 1 << 20}.Read("f.dcm", bytes.NewReader(b))
		if err != nil {
			return
		}
		if _, err := Deidentify(file, profile); err != nil {
			return
		}
		var out bytes.Buffer
		if err := Write(&out, file); err != nil {
			return // a value that its representation cannot hold
		}
		again, err := Reader{}.Read("again", bytes.NewReader(out.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range again.Elements {
			if e.Tag.Private() {
				t.Fatalf("private %s", e.Tag)
			}
			if e.Tag == tagPatientName && !strings.HasPrefix(string(e.Value), "HEED-") {
				t.Fatal("name")
			}
		}
	})
}

// TestComments plants a name in a comment of JPEG and of JPEG 2000.
func TestComments(t *testing.T) {
	f := phantom(t, "lossless")
	e := f.Find(tagPixels)
	jpeg := e.Fragments[1]
	comment := "\xff\xfe\x00\x09PLANTED\xff\xe1\x00\x09PLANTED"
	e.Fragments[1] = []byte(string(jpeg[:2]) + comment + string(jpeg[2:]))
	want, err := f.Pixels(0)
	if err != nil {
		t.Fatal(err)
	}
	changes, err := Deidentify(f, profile)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := f.Pixels(0); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Error("other pixels", err)
	}
	if bytes.Contains(bytesOf(t, f), []byte(planted)) || !strings.Contains(fmt.Sprint(changes), "comments within") {
		t.Error("a comment is left")
	}
	if got := scrubbed([]byte("\xff\x4f\xff\x64\x00\x0b\x00\x01PLANTED\xff\x90PLANTED")); string(got) != "\xff\x4f\xff\x64\x00\x0b\x00\x01\x00\x00\x00\x00\x00\x00\x00\xff\x90PLANTED" {
		t.Errorf("%q", got)
	}
	for _, s := range []string{"", "\xff\xd8\xff\xfe", "\xff\xd8\xff\xfe\xff\xff", "text of no image"} {
		if scrubbed([]byte(s)) != nil {
			t.Errorf("%q", s)
		}
	}
}
