package report

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// helix is a molecule of 30 residues, and pairs of it.
func helix() Structure {
	s := Structure{Name: "helix", Alt: "Contact map of a helix, predictions above the diagonal", Caption: "A helix."}
	atom := 0
	var pdb strings.Builder
	for i := range 30 {
		for k, name := range []string{"N", "CA", "C", "O"} {
			atom++
			angle := (float64(i) + [...]float64{-0.3, 0, 0.3, 0.35}[k]) * 100 / 180 * math.Pi
			r := [...]float64{1.6, 2.3, 1.7, 2.0}[k]
			z := 1.5*float64(i) + [...]float64{-0.9, 0, 1.0, 2.2}[k]
			fmt.Fprintf(&pdb, "ATOM  %5d  %-3s ALA A%4d    %8.3f%8.3f%8.3f  1.00  0.00           %s\n", atom, name, i+1, r*math.Cos(angle), r*math.Sin(angle), z, name[:1])
		}
		s.Residues, s.Labels = append(s.Residues, i+1), append(s.Labels, fmt.Sprintf("A%d", i+1))
	}
	s.PDB = []byte(pdb.String() + "END\n")
	s.Residues[29] = 0 // not seen
	s.Predicted = []StructurePair{{2, 9, 0.91, InContact, 7.5}, {4, 24, 0.5, NotInContact, 30.1}, {6, 29, 0.25, NotKnown, 0}}
	s.Contacts = [][2]int{{2, 9}, {10, 17}}
	return s
}

func linked(t *testing.T) string {
	t.Helper()
	return write(t, htmlOf(t, &Report{Title: "Linked", Sections: []Section{{"Structure", []Block{helix()}}}}))
}

func TestStructureIsChecked(t *testing.T) {
	page := htmlOf(t, &Report{Title: "Linked", Sections: []Section{{"Structure", []Block{helix()}}}})
	for _, want := range []string{"3Dmol.js 2.5.5", "University of Pittsburgh", "A3 A10", "no contact"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if plain := htmlOf(t, &Report{Title: "Plain", Sections: []Section{{"Text", []Block{Text("a")}}}}); strings.Contains(string(plain), "3Dmol.js 2.5.5") {
		t.Error("a page without a structure carries 3Dmol")
	}
	for want, change := range map[string]func(s *Structure){
		"has no atoms":                            func(s *Structure) { s.PDB = nil },
		"of 30 positions and 29 labels":           func(s *Structure) { s.Labels = s.Labels[1:] },
		"of 30 positions has the pair 9, 2":       func(s *Structure) { s.Predicted[0].I, s.Predicted[0].J = 9, 2 },
		"of 30 positions has the pair 3, 30":      func(s *Structure) { s.Contacts[0] = [2]int{3, 30} },
		"has no text for those who cannot see it": func(s *Structure) { s.Alt = "" },
	} {
		s := helix()
		change(&s)
		if _, err := (&Report{Title: "x", Sections: []Section{{"y", []Block{s}}}}).HTML(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want %q", err, want)
		}
	}
}

// With WebGL, in software, a pair that is pressed is drawn in the structure.
func TestBrowserStructure(t *testing.T) {
	ctx := browser(t, chromedp.Flag("disable-gpu", false), chromedp.Flag("use-gl", "angle"), chromedp.Flag("use-angle", "swiftshader"), chromedp.Flag("enable-unsafe-swiftshader", true))
	tab, w := open(t, ctx, linked(t), chromedp.EmulateViewport(1000, 800))
	if ask(t, tab, `String(!!document.createElement("canvas").getContext("webgl2"))`) != "true" {
		t.Skip("this Chromium has no WebGL in software")
	}
	const figure = `document.querySelector(".structure")`
	press := func(key string) {
		t.Helper()
		ask(t, tab, fmt.Sprintf(`%s.querySelector(".stage canvas").dispatchEvent(new KeyboardEvent("keydown", { key: %q, bubbles: true, cancelable: true }))`, figure, key))
	}
	readout := figure + `.querySelector(".readout").textContent`
	expect(t, tab, `String(`+figure+`.querySelectorAll(".molecule canvas").length > 0)`, "true")
	press("n")
	expect(t, tab, readout, "A3 and A10, separation 7: predicted, score 0.910; in the structure: contact, 7.5 Å.")
	expect(t, tab, figure+`.dataset.shapes`, "3") // a line and two residues
	picture(t, tab, "structure")
	press("n")
	press("n")
	expect(t, tab, readout, "A7 and A30, separation 23: predicted, score 0.250; in the structure: not known. The structure lacks one of them.")
	expect(t, tab, figure+`.dataset.shapes`, "1")
	press("p")
	press("ArrowUp")
	expect(t, tab, readout, "A4 and A25, separation 21: not among the predicted pairs, and no contact known.")
	// A press near a marked cell means that cell.
	ask(t, tab, `(() => { const c = `+figure+`.querySelector(".stage canvas"), r = c.getBoundingClientRect(), u = (r.width - 34) / 30;
		c.dispatchEvent(new MouseEvent("click", { clientX: r.left + 34 + 10.5 * u + 1, clientY: r.top + 34 + 17.5 * u + 2, bubbles: true })); })()`)
	expect(t, tab, readout, "A11 and A18, separation 7: a contact of the structure that is not among the predicted pairs.")
	ask(t, tab, `[...`+figure+`.querySelectorAll("button")].find((b) => b.textContent === "All pairs").click()`)
	expect(t, tab, figure+`.dataset.shapes`, "5") // two pairs of the structure, the chosen one, two residues
	picture(t, tab, "structure-all")
	w.none(t, "structure")
}

// Without WebGL the map works and says why there is no structure.
func TestBrowserWithoutWebGL(t *testing.T) {
	tab, w := open(t, browser(t, chromedp.Flag("disable-3d-apis", true)), linked(t), chromedp.EmulateViewport(1000, 800))
	const figure = `document.querySelector(".structure")`
	if got := ask(t, tab, figure+`.querySelector(".molecule").textContent`); !strings.HasPrefix(got, "This browser has no WebGL") {
		t.Errorf("in place of the structure it says %q", got)
	}
	ask(t, tab, figure+`.querySelector(".stage canvas").dispatchEvent(new KeyboardEvent("keydown", { key: "n", bubbles: true }))`)
	expect(t, tab, figure+`.querySelector(".readout").textContent`, "A3 and A10, separation 7: predicted, score 0.910; in the structure: contact, 7.5 Å.")
	picture(t, tab, "structure-flat")
	w.none(t, "structure without WebGL")
}
