package alignment

// Couplings returns what each of the given pairs of columns (i, j) wants: for every
// amino acid a in column i and b in column j their coupling in nats, (20, 20)
// row-major, less the means of its row and column (the zero-sum gauge, in which
// couplings hold nothing that fields could say).
func (p *Potts) Couplings(pairs [][2]int) [][]float64 {
	width := p.Columns * States
	out := make([][]float64, len(pairs))
	for k, pair := range pairs {
		out[k] = make([]float64, pairSize)
		for a := range Residues {
			for b := range Residues {
				out[k][a*Residues+b] = float64(p.Coupling[(pair[0]*States+a)*width+pair[1]*States+b])
			}
		}
		centre(out[k])
	}
	return out
}

// Couplings is what it is for [Potts].
func (m *Factored) Couplings(pairs [][2]int) [][]float64 {
	l := m.Columns
	out := make([][]float64, len(pairs))
	for k := range out {
		out[k] = make([]float64, pairSize)
	}
	for h := range m.Heads {
		a, v := m.Attention(h), m.Value.Data[h*pairSize:(h+1)*pairSize]
		for k, pair := range pairs {
			there, back := float64(a[pair[0]*l+pair[1]])/2, float64(a[pair[1]*l+pair[0]])/2
			for x := range Residues {
				for y := range Residues {
					out[k][x*Residues+y] += there*float64(v[x*Residues+y]) + back*float64(v[y*Residues+x])
				}
			}
		}
	}
	for _, w := range out {
		centre(w)
	}
	return out
}

// centre takes the means of rows and columns off (20, 20).
func centre(w []float64) {
	var rows, columns [Residues]float64
	all := 0.0
	for a := range Residues {
		for b := range Residues {
			v := w[a*Residues+b] / Residues
			rows[a] += v
			columns[b] += v
			all += v / Residues
		}
	}
	for a := range Residues {
		for b := range Residues {
			w[a*Residues+b] += all - rows[a] - columns[b]
		}
	}
}
