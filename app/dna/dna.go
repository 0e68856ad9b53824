// Package dna is the application of sequence classification: promoters, splice
// sites, or whatever else the labels of a table say.
//
// Files of labelled sequences flow in ([DataConfig.Load]), are split so that
// nothing leaks from testing to training ([SplitConfig.Split]), and train a
// transformer ([Fit]); out flow a model that can be saved, pooled predictions of
// all folds, and scores with intervals beside those of simple baselines.
// The command line of "heed dna" is in this package too ([Command]).
package dna
