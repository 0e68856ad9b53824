// Package explain says what a model looked at, and how far that may be
// believed.
//
// Into it flow a model as a function (a score of sequences, or a run on a tape)
// and one input; out of it flow plain numbers: the effect of every single
// substitution ([Mutagenesis]), the attention weights of every layer and head
// ([Attention]), and their rollout to the input ([Rollout]) with a measure of
// how little a rollout says ([Uniformity]). The package knows no model, no file
// and no figure.
//
// The methods answer different questions. Mutagenesis changes the input and
// measures what the model does: it is evidence of cause, for the model, one
// letter at a time. Attention and its rollout describe where information could
// flow: they have no sign, they are the same for every class, and a position
// may have weight and no effect. Show them beside each other, with their rank
// correlation.
package explain
