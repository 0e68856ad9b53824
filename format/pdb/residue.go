package pdb

import "strings"

// aminoAcids has the letter of every residue that is taken for an amino acid,
// modified ones with the letter of what they were made from, and the names that
// force fields give to states of protonation. It is never written to.
var aminoAcids = table(`ALA A ARG R ASN N ASP D CYS C GLN Q GLU E GLY G HIS H ILE I LEU L LYS K MET M PHE F PRO P SER S THR T TRP W TYR Y VAL V
	ASX B GLX Z SEC U PYL O UNK X
	MSE M FME M MHO M SME M CSO C CME C CSD C OCS C CSS C CAS C CSX C SMC C YCM C SCH C SCY C CSU C CAF C
	SEP S TPO T PTR Y TYS Y SAC S MLY K M3L K MLZ K ALY K KCX K LLP K HYP P PCA Q NEP H HIC H AGM R 2MR R CGU E BHD D IAS D SNN N
	TRQ W TRO W DAH F NLE L MLE L AIB A SAR G
	HID H HIE H HIP H HSD H HSE H HSP H CYX C CYM C ASH D GLH E LYN K`)

// nucleotides have a chain of their own kind. The map is never written to.
var nucleotides = table("A A C C G G U U I I N N DA A DC C DG G DT T DU U DI I DN N")

func table(pairs string) map[string]byte {
	words := strings.Fields(pairs)
	t := make(map[string]byte, len(words)/2)
	for i := 0; i < len(words); i += 2 {
		t[words[i]] = words[i+1][0]
	}
	return t
}

// letter returns the letter of an amino acid. modified has names that a file
// itself explains by others.
func letter(name string, modified map[string]string) byte {
	if c, found := aminoAcids[name]; found {
		return c
	}
	if c, found := aminoAcids[modified[name]]; found {
		return c
	}
	return 'X'
}

// A Beta says where a residue is, for contacts. All conventions take the distance
// of C-beta atoms; they differ where there is none, or it is not used.
type Beta uint8

const (
	// RealBeta takes the C-beta of the file and, where it is absent, as in
	// glycine, computes it from N, C-alpha and C.
	RealBeta Beta = iota
	// GlycineAlpha is RealBeta but with the C-alpha of glycine, as CASP has it.
	GlycineAlpha
	// ImputedBeta computes all C-beta atoms, as the published numbers of ESM
	// were made.
	ImputedBeta
)

// Beta returns the position of the C-beta under a convention. It is false if the
// atoms it takes are not there.
func (r *Residue) Beta(b Beta) (Point, bool) {
	if b == GlycineAlpha && r.Letter == 'G' {
		ca := r.Atom("CA")
		if ca == nil {
			return Point{}, false
		}
		return ca.Position, true
	}
	if cb := r.Atom("CB"); cb != nil && b != ImputedBeta {
		return cb.Position, true
	}
	n, ca, c := r.Atom("N"), r.Atom("CA"), r.Atom("C")
	if n == nil || ca == nil || c == nil {
		return Point{}, false
	}
	if b == ImputedBeta {
		return extend(c.Position, n.Position, ca.Position)
	}
	return impute(n.Position, ca.Position, c.Position), true
}

// impute computes a C-beta for ideal tetrahedral geometry: with b = CA-N and
// c = C-CA it is -0.58273431 b×c + 0.56802827 b - 0.54067466 c + CA, the formula
// of trRosetta and ProteinMPNN.
func impute(n, ca, c Point) Point {
	v, w := ca.minus(n), c.minus(ca)
	return v.cross(w).times(-0.58273431).plus(v.times(0.56802827)).plus(w.times(-0.54067466)).plus(ca)
}

// extend computes a C-beta at 1.522 Å from CA, at an angle of 1.927 to N-CA and a
// dihedral of -2.143 to C (radians), as the contact notebook of ESM does. It is
// false if the three atoms are on one line.
func extend(c, n, ca Point) (Point, bool) {
	const length = 1.522
	const cos, sin = -0.34871873311820356, 0.937227424466674    // of 1.927
	const cosD, sinD = -0.5414860115792326, -0.8407097592296733 // of -2.143
	along, ok := n.minus(ca).unit()
	normal, ok2 := n.minus(c).cross(along).unit()
	if !ok || !ok2 {
		return Point{}, false
	}
	p := along.times(length * cos)
	p = p.plus(normal.cross(along).times(length * sin * cosD))
	p = p.plus(normal.times(-length * sin * sinD))
	return p.plus(ca), true
}
