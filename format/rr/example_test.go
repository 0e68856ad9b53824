package rr_test

import (
	"fmt"
	"os"
	"strings"

	"heed/format/rr"
)

func ExampleWrite() {
	p := &rr.Prediction{Target: "T0001", Methods: []string{"attention of ESM-2 8M"}, Sequence: []byte("MKTAYIAKQR"),
		Contacts: []rr.Contact{{I: 1, J: 8, Max: 8, P: 0.25}, {I: 2, J: 10, Max: 8, P: 0.75}}}
	if err := rr.Write(os.Stdout, p); err != nil {
		fmt.Println(err)
	}
	// Output:
	// PFRMAT RR
	// TARGET T0001
	// METHOD attention of ESM-2 8M
	// MODEL 1
	// MKTAYIAKQR
	// 2 10 0 8 0.750000
	// 1 8 0 8 0.250000
	// END
}

func ExampleRead() {
	p, err := rr.Read("p.rr", strings.NewReader("PFRMAT RR\nTARGET T0001\nMODEL 1\nMKTAYIAKQR\n1 8 0 8 0.25\nEND\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.Target, len(p.Sequence), p.Contacts[0].I, p.Contacts[0].J, p.Contacts[0].P)

	_, err = rr.Read("p.rr", strings.NewReader("8 1 0 8 0.25\n"))
	fmt.Println(err)
	// Output:
	// T0001 10 1 8 0.25
	// p.rr:1: invalid: pair 8 1: want i < j, from 1
}
