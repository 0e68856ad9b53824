package ehr

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	"heed/format/meds"
)

func TestStoreInTheWay(t *testing.T) {
	s := newFake(t, 1, 10)
	store := folder(t, map[string]string{"x": "old"})
	_, err := importInto(t, s, store, 1)
	if err == nil || err.Error() != store+": the folder exists" {
		t.Errorf("got %v", err)
	}
	im := importer{Source: s, Kind: "test", Store: store, Memory: 1, Cores: 1, Force: true}
	if _, err := im.run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(store, "x")); !errors.Is(err, os.ErrNotExist) {
		t.Error("the old store is still there")
	}
	if info, err := os.Stat(store); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the store may be read by others: %v, %v", info.Mode(), err)
	}
}

func TestSplitByHash(t *testing.T) {
	of := splitByHash(7, Shares{0.7, 0.1})
	n := map[string]int{}
	for id := range int64(10000) {
		n[of(id)]++
	}
	if math.Abs(float64(n[meds.Train])-7000) > 150 || math.Abs(float64(n[meds.Tuning])-1000) > 100 {
		t.Errorf("got %v", n)
	}
}
