package data_test

import (
	"fmt"
	"math/rand/v2"

	"heed/data"
)

func ExampleKFold() {
	labels := []int{0, 0, 0, 0, 0, 0, 1, 1, 1}
	folds, err := data.KFold(labels, 3, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		fmt.Println(err)
		return
	}
	for fold := range 3 {
		train, test := data.Fold(folds, fold)
		ones := 0
		for _, i := range test {
			ones += labels[i]
		}
		fmt.Printf("train on %d, test on %d, %d of them of label 1\n", len(train), len(test), ones)
	}
	// Output:
	// train on 6, test on 3, 1 of them of label 1
	// train on 6, test on 3, 1 of them of label 1
	// train on 6, test on 3, 1 of them of label 1
}

func ExampleClusters() {
	seqs := [][]byte{
		[]byte("TTGACAATTAATCATCG"),
		[]byte("GGGGCCCCAAAATTTTG"),
		[]byte("CGATGATTAATTGTCAA"), // the first on the other strand
	}
	clusters, err := data.Clusters(seqs, 12)
	fmt.Println(clusters, err)
	// Output: [0 1 0] <nil>
}

func ExampleClusteredKFold() {
	labels := []int{0, 0, 1, 1, 0, 1}
	clusters := []int{0, 0, 1, 1, 2, 3}
	folds, err := data.ClusteredKFold(labels, clusters, 2, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(folds[0] == folds[1], folds[2] == folds[3])
	// Output: true true
}

func ExampleOverlap() {
	train := [][]byte{[]byte("TTGACAATTAATCATCG")}
	test := [][]byte{[]byte("ttgacaattaatcatcg"), []byte("AAAATTGACAATTAATC"), []byte("GGGGCCCCAAAATTTTG")}
	leak, err := data.Overlap(train, test, 12)
	fmt.Println(leak.Exact, leak.Related, err)
	// Output: [0] [0 1] <nil>
}

func ExamplePacks() {
	lengths := []int{50, 80, 20, 60, 40, 10}
	order := data.Shuffle(len(lengths), 1, 0) // of epoch 0
	for _, batch := range data.Packs(order, lengths, 130) {
		fmt.Println(batch, data.Leaves(batch, lengths, 2))
	}
	// Output:
	// [1 2 5] [[1] [2 5]]
	// [4 0] [[0] [4]]
	// [3] [[3]]
}

func ExampleRowWeights() {
	rows := [][]byte{[]byte("MKTAYIAKQR"), []byte("MKTAYIAKQK"), []byte("MLSAWLPRHR")}
	weights, err := data.RowWeights(rows, data.MSAIdentity, data.GapsCount)
	fmt.Println(weights, data.Neff(weights), err)
	// Output: [0.5 0.5 1] 2 <nil>
}

func ExampleRowFilter_Filter() {
	rows := [][]byte{[]byte("MKTAYIAKQR"), []byte("MKTAYIAKQR"), []byte("MK--------"), []byte("MLSAWLPRHR")}
	got, err := data.RowFilter{MinCoverage: 0.75, MaxIdentity: 0.9}.Filter(rows)
	fmt.Printf("%+v %v\n", got, err)
	// Output: {Kept:[0 3] LowCoverage:[2] FarFromQuery:[] TooSimilar:[1]} <nil>
}
