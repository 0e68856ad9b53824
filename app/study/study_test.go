package study

import (
	"context"
	"strings"
	"testing"
)

// decided are the studies whose claims and controls are decided at the tiny size
// already: all their checks must be met, but for those of times.
var decided = map[string]bool{"reach": true, "heads": true, "mask": true, "cost": true, "axial": true, "lenses": true, "rollout": true, "lag": true, "lobes": true, "planted": true, "leak": true}

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
				if decided[s.Name] && !c.Met() && !strings.HasPrefix(c.Name, "time") {
					t.Error(c)
				}
			}
			if len(f.Checks) == 0 || f.Words == "" || decided[s.Name] && len(f.Figures) == 0 {
				t.Errorf("%d checks, %d figures, words %q", len(f.Checks), len(f.Figures), f.Words)
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
