// Package protein is the application of protein families: contacts between the
// residues of a protein, from nothing but the alignment of its family.
//
// An alignment flows in ([FamilyConfig.Load]), and models of its columns are fitted
// to it ([FitConfig.Fit]); out flow scores of pairs, compared with a structure, if
// there is one ([StructureConfig.Load]), beside simple floors ([Compare]), and for
// factored attention what each head attends to ([DescribeHeads]). The command line
// of "heed protein" is in this package too ([Command]).
package protein
