package study

import (
	"context"
	"testing"
)

// TestStudies runs every study at its tiny size.
func TestStudies(t *testing.T) {
	for _, s := range All() {
		t.Run(s.Name, func(t *testing.T) {
			f, err := s.Run(context.Background(), &Lab{Seed: 1, Seeds: 1, Tiny: true, Tell: func(what string) { t.Log(what) }})
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range f.Checks {
				t.Log(c)
			}
			for _, tab := range f.Tables {
				t.Log(tab.Title, tab.Columns)
				for _, r := range tab.Rows {
					t.Log(r)
				}
			}
		})
	}
}
