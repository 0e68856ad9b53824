package report_test

import (
	"bytes"
	"fmt"
	"log"

	"heed/plot"
	"heed/report"
)

// A page with a table, a figure and the attention of one head.
func Example() {
	f, err := plot.Confusion{
		Title:   "Confusion",
		Classes: []string{"no promoter", "promoter"},
		Counts:  [][]int{{51, 2}, {2, 51}},
	}.Figure()
	if err != nil {
		log.Fatal(err)
	}
	r := &report.Report{
		Title: "Promoters",
		Lead:  "4 errors of 106.",
		Sections: []report.Section{{Title: "Results", Blocks: []report.Block{
			report.Table{
				Columns: []report.Column{{Name: "Method"}, {Name: "Errors", Numeric: true}},
				Rows: []report.TableRow{
					{Cells: []string{"transformer", "4"}, Highlight: true},
					{Cells: []string{"GC content", "33"}},
				},
			},
			report.Figure{Name: "confusion", Alt: "51 of 53 right in each class", Caption: "All folds pooled.", SVG: f.SVG()},
			report.HeatmapSet{Layers: 1, Heads: 1, Maps: []report.AttentionMap{{
				Name: "one", Tokens: []string{"[CLS]", "A"}, Positions: []int{0, -1}, Weights: []float32{0.2, 0.8, 0.5, 0.5},
			}}},
		}}},
	}
	var page bytes.Buffer // or a file
	if _, err := r.WriteTo(&page); err != nil {
		log.Fatal(err)
	}
	fmt.Println(bytes.Contains(page.Bytes(), []byte("<title>Promoters</title>")))
	// Output: true
}
