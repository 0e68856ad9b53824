package heed

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// floors lists the packages from the ground up. A package imports the standard
// library, the modules below and packages on lower floors: never its own floor
// nor a higher one. Tests obey the same rule, but may also use their own
// package.
var floors = [][]string{
	{"internal/clock", "internal/pages", "internal/par", "tensor", "format", "metric"},
	{"internal/kernel", "internal/golden", "format/*", "plot"},
	{"internal/cli", "autograd", "report", "radiomics"},
	{"nn"},
	{"optim", "checkpoint", "data", "data/madeup", "internal/cost"},
	{"model/*", "train", "explain", "motif"},
	{"app/*"},
	{"cmd/heed", "bench/*", "."},
}

// modules are the only ones that may be imported from outside, each with its
// reason; docs/dependencies.md says more.
var modules = map[string]string{
	"golang.org/x/sys":                 "CPU features, the core of a thread",
	"github.com/klauspost/compress":    "gzip, several times as fast as the standard library's",
	"github.com/spf13/cobra":           "commands, completion, help",
	"github.com/spf13/pflag":           "the flags of cobra",
	"github.com/vbauerster/mpb/v8":     "progress bar",
	"gonum.org/v1/gonum":               "optimiser of the logistic floors, quantiles",
	"gonum.org/v1/plot":                "figures",
	"golang.org/x/image":               "outlines of letters for logos",
	"github.com/rogpeppe/go-internal":  "testscript, in tests",
	"github.com/google/go-cmp":         "differences, in tests",
	"github.com/chromedp":              "a headless browser, in tests",
	"github.com/andybalholm/brotli":    "pages of parquet that are packed so, with a limit",
	"go.yaml.in/yaml/v3":               "definitions of tasks and mappings of columns",
	"github.com/parquet-go/parquet-go": "parquet, the files of MEDS and OMOP",
}

// testsMayImport lists what a package's tests need from its own floor or above.
var testsMayImport = map[string][]string{
	"train":          {"model/sequence"},
	"model/baseline": {"train"},
	"model/volume":   {"train"},
	"explain":        {"model/sequence"},
	"motif":          {"explain"},
}

func TestFloors(t *testing.T) {
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && file != "." && strings.ContainsAny(d.Name()[:1], "._") || d.Name() == "testdata" {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(file, ".go") {
			return nil
		}
		pkg := path.Dir(filepath.ToSlash(file))
		here := floor(pkg)
		if here < 0 {
			t.Errorf("%s: package %s stands on no floor: enter it in floors_test.go", file, pkg)
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range f.Imports {
			imp, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			dep, ours := strings.CutPrefix(imp, "heed/")
			switch {
			case ours && strings.HasSuffix(file, "_test.go") && (dep == pkg || allowed(pkg, dep)):
			case ours && floor(dep) >= here:
				t.Errorf("%s (floor %d) imports %s (floor %d)", file, here, dep, floor(dep))
			case !ours && strings.Contains(imp, ".") && !known(imp):
				t.Errorf("%s imports %s, which is not in the list of modules", file, imp)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func floor(pkg string) int {
	for i, f := range floors {
		for _, pattern := range f {
			if ok, _ := path.Match(pattern, pkg); ok {
				return i
			}
		}
	}
	return -1
}

func allowed(pkg, dep string) bool {
	for _, d := range testsMayImport[pkg] {
		if d == dep {
			return true
		}
	}
	return false
}

func known(imp string) bool {
	for m := range modules {
		if imp == m || strings.HasPrefix(imp, m+"/") {
			return true
		}
	}
	return false
}
