package data

import "math/rand/v2"

// ShuffleDinucleotides returns a random sequence with the dinucleotides of seq,
// each as often as there (and so with its letters, its first and its last one):
// the background against which a motif or a score must stand out, because most
// of the difference between real sequences lies in composition. All such
// sequences are equally likely (Altschul & Erickson 1985, by an Eulerian path
// through a random tree of last exits).
func ShuffleDinucleotides(seq []byte, r *rand.Rand) []byte {
	if len(seq) < 3 {
		return append([]byte(nil), seq...)
	}
	var next [256][]byte // the letters that follow each letter
	for i := 1; i < len(seq); i++ {
		next[seq[i-1]] = append(next[seq[i-1]], seq[i])
	}
	end := seq[len(seq)-1]
	// The last exits of all letters but the end must form a tree that leads to
	// the end: then a walk that uses them last never gets stuck. Random exits,
	// drawn again until they do, are uniform among such trees.
	var last [256]int
	for !drawExits(&next, &last, end, r) {
	}
	for c := range next {
		n := next[c]
		if byte(c) != end && len(n) > 0 {
			k := len(n) - 1
			n[last[c]], n[k] = n[k], n[last[c]]
			n = n[:k]
		}
		r.Shuffle(len(n), func(i, j int) { n[i], n[j] = n[j], n[i] })
	}
	out := make([]byte, len(seq))
	out[0] = seq[0]
	for i := 1; i < len(out); i++ {
		c := out[i-1]
		out[i] = next[c][0]
		next[c] = next[c][1:]
	}
	return out
}

// drawExits draws one exit of every letter but the end, and reports whether
// they all lead to the end.
func drawExits(next *[256][]byte, last *[256]int, end byte, r *rand.Rand) bool {
	for c, n := range next {
		if byte(c) != end && len(n) > 0 {
			last[c] = r.IntN(len(n))
		}
	}
	for c, n := range next {
		at, steps := byte(c), 0
		for len(n) > 0 && at != end {
			if at = next[at][last[at]]; steps == 256 {
				return false // a circle
			}
			steps++
		}
	}
	return true
}
