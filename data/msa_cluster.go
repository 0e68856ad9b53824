package data

import (
	"fmt"

	"heed/internal/par"
)

// RowClusters groups the rows of an alignment so that no two rows of different
// clusters are alike: single linkage (Sneath 1957) of pairs whose equal residues
// are at least identity of the residues of the shorter row, as CD-HIT counts it. A
// split that keeps clusters whole (see [ClusteredHoldout]) therefore tests on
// rows of which none has a near copy in the training part. It returns the cluster
// of every row, numbered in order of first appearance. Rows without residues are
// clusters of their own.
//
// Time grows with the square of the rows: 10,000 rows of 100 columns take some
// seconds. The result does not depend on the number of cores.
func RowClusters(rows [][]byte, identity float64) ([]int, error) {
	if !(identity > 0 && identity <= 1) {
		return nil, fmt.Errorf("data: identity of %v; it must be above 0 and at most 1", identity)
	}
	p, err := pack(rows)
	if err != nil {
		return nil, err
	}
	close := make([][]int32, len(rows)) // earlier rows that are alike
	need := make([]int, len(rows))
	for i, n := range p.residues {
		need[i] = max(1, least(identity, n))
	}
	par.Do(len(rows), par.Cores(), func(_, i int) {
		for j := range i {
			if same, _ := p.matches(i, j); same >= min(need[i], need[j]) {
				close[i] = append(close[i], int32(j))
			}
		}
	})
	parent := make([]int, len(rows))
	root := func(i int) int {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	for i := range parent {
		parent[i] = i
		for _, j := range close[i] {
			a, b := root(i), root(int(j))
			parent[max(a, b)] = min(a, b)
		}
	}
	number := map[int]int{}
	out := make([]int, len(rows))
	for i := range out {
		r := root(i)
		if _, ok := number[r]; !ok {
			number[r] = len(number)
		}
		out[i] = number[r]
	}
	return out, nil
}
