package pdb

import (
	"cmp"
	"slices"

	"heed/format"
)

// complete adds the missing residues of a chain.
func (b *builder) complete(c *chain, seen []Residue, parts []part) ([]Residue, error) {
	indexed := true // as in mmCIF
	for i := range seen {
		indexed = indexed && seen[i].Index > 0
	}
	switch {
	case indexed:
		// The file may have the residues in another order.
		slices.SortStableFunc(seen, func(a, b Residue) int { return cmp.Compare(a.Index, b.Index) })
		for i := 1; i < len(seen); i++ {
			if seen[i].Index == seen[i-1].Index {
				return nil, format.Invalidf(b.name, seen[i].Atoms[0].Line, "residue %d of chain %q is both %s and %s", seen[i].Index, c.label, seen[i-1].label(), seen[i].label())
			}
		}
	case len(parts) > 0:
		places, err := b.embed(c, seen, parts)
		if err != nil {
			return nil, err
		}
		for i := range seen {
			seen[i].Index = places[i] + 1
		}
	default:
		place(seen)
	}
	n := max(len(parts), seen[len(seen)-1].Index)
	if b.residues += n - len(seen); b.residues > b.MaxResidues {
		return nil, b.tooMany(0)
	}
	all := make([]Residue, n)
	for i := range all {
		all[i] = Residue{Letter: 'X', Index: i + 1}
		if i < len(parts) {
			all[i].Name, all[i].Letter = parts[i].name, letter(parts[i].name, b.modified)
		}
	}
	for i, r := range seen {
		if r.Index <= len(parts) && parts[r.Index-1].name != r.Name && !c.has(r, parts[r.Index-1].name) {
			return nil, format.Invalidf(b.name, r.Atoms[0].Line, "residue %s of chain %q is %s in the sequence of the chain", r.label(), c.id, parts[r.Index-1].name)
		}
		all[r.Index-1] = seen[i]
	}
	return all, nil
}

// has reports whether a conformation of the residue has that name: then the
// sequence has one amino acid and the atoms that were kept another.
func (c *chain) has(r Residue, name string) bool {
	for _, index := range []int{r.Index, 0} {
		if i, found := c.byKey[key{r.Number, index, r.Insertion}]; found {
			for j := range c.groups[i].atoms {
				if c.groups[i].atoms[j].residue == name {
					return true
				}
			}
		}
	}
	return false
}

// maxEmbed bounds the work of embed: cells of its table.
const maxEmbed = 32 << 20

// embed returns the place in the sequence of each residue seen. They keep their
// order; where there is a choice, residues with consecutive numbers stay
// together.
func (b *builder) embed(c *chain, seen []Residue, parts []part) ([]int, error) {
	fits := func(i, j int) bool {
		return seen[i].Name == parts[j].name || c.has(seen[i], parts[j].name)
	}
	n, m := len(seen), len(parts)
	// Mostly the numbers count along the sequence.
	for shift := -seen[0].Number; shift+seen[0].Number < m; shift++ {
		i := 0
		for i < n && seen[i].Insertion == 0 && seen[i].Number+shift >= 0 && seen[i].Number+shift < m && fits(i, seen[i].Number+shift) &&
			(i == 0 || seen[i].Number > seen[i-1].Number) {
			i++
		}
		if i == n {
			places := make([]int, n)
			for i := range places {
				places[i] = seen[i].Number + shift
			}
			return places, nil
		}
	}
	if n > maxEmbed/(m+1) {
		return nil, format.TooLargef(b.name, seen[0].Atoms[0].Line, "chain %q has too many residues for its irregular numbers", c.id)
	}
	// cost[j] is the least number of breaks if residue i is at place j; before is
	// the place of the residue before it then.
	const never = 1 << 30
	cost, next := make([]int, m), make([]int, m)
	before := make([]int32, n*m)
	for j := range m {
		cost[j] = never
		if fits(0, j) {
			cost[j] = 0
		}
	}
	for i := 1; i < n; i++ {
		step := seen[i].Number - seen[i-1].Number
		best := -1 // place with the least cost, up to j-1
		ok := false
		for j := range m {
			next[j] = never
			if best >= 0 && cost[best] < never && fits(i, j) {
				next[j], before[i*m+j] = cost[best]+1, int32(best)
				if k := j - max(1, step); k >= 0 && step >= 0 && cost[k] < next[j] {
					next[j], before[i*m+j] = cost[k], int32(k)
				}
				ok = true
			}
			if best < 0 || cost[j] < cost[best] {
				best = j
			}
		}
		if !ok {
			return nil, format.Invalidf(b.name, seen[i].Atoms[0].Line, "residue %s of chain %q does not fit SEQRES, in line %d", seen[i].label(), c.id, parts[0].line)
		}
		cost, next = next, cost
	}
	places := make([]int, n)
	for j := range m {
		if cost[j] < cost[places[n-1]] {
			places[n-1] = j
		}
	}
	if cost[places[n-1]] >= never {
		return nil, format.Invalidf(b.name, seen[0].Atoms[0].Line, "residue %s of chain %q does not fit SEQRES, in line %d", seen[0].label(), c.id, parts[0].line)
	}
	for i := n - 1; i > 0; i-- {
		places[i-1] = int(before[i*m+places[i]])
	}
	return places, nil
}

// place numbers the residues of a chain whose sequence is not known. Where the
// numbers step over some and the peptide bond is broken, those are missing.
func place(seen []Residue) {
	const longest = 10000 // a greater step is another way to count
	for i := range seen {
		if i == 0 {
			seen[i].Index = 1
			continue
		}
		seen[i].Index = seen[i-1].Index + 1
		step := seen[i].Number - seen[i-1].Number
		if step > 1 && step <= longest && !bonded(&seen[i-1], &seen[i]) {
			seen[i].Index += step - 1
		}
	}
}

// bonded reports whether there is a peptide bond, which is 1.33 Å long, from a to
// b.
func bonded(a, b *Residue) bool {
	c, n := a.Atom("C"), b.Atom("N")
	if c == nil || n == nil {
		ca, cb := a.Atom("CA"), b.Atom("CA")
		return ca != nil && cb != nil && ca.Position.distance(cb.Position) < 4.5
	}
	return c.Position.distance(n.Position) < 2
}
