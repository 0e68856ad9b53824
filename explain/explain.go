// Package explain says what a model looked at, and how far that may be
// believed.
//
// Into it flow a model as a function (a score of sequences, a set function, or
// passes on a tape: [Case]) and one input; out of it flow plain numbers. The
// package knows no file and no figure; of models it knows what a probe sees, and,
// where a decomposition must look inside, the layers of package nn ([Encoder]).
//
// The methods answer different questions.
//
//   - What does a change do? [Mutagenesis], [Game] (occlusion, Shapley values,
//     interactions), [AblateHeads] and [PatchPositions] change the input, a head
//     or a hidden state and run the model again: evidence of cause, for the model.
//   - How is the score made up? [IntegratedGradients], [Decompose] and
//     [DirectLogitAttribution] give signed parts that add up; [Gradient] and
//     [GradientAttention] are slopes.
//   - Where could information flow? [Attention], [Fuse] and [Roll] (rollout),
//     [AttentionFlow], [AxialRollout], and with more and more knowledge of what is
//     sent [Encoder.Norms], [Encoder.ALTI] and [Encoder.ValueZeroing]. They have no
//     sign, most are the same for every class, and a position may have weight and
//     no effect.
//
// [Referee] puts maps to the test against random orders, [ParameterTest],
// [RandomLogit] and [SeedStability] ask whether they depend on what they should, and
// [Agree] how far they agree. Nothing here is to be shown without them: the comment
// of each method says what it cannot tell.
//
// Methods that propagate relevance by layer-wise rules (LRP and what is built on it)
// are patented for commercial use and left out; see docs/maths/gradients.md.
package explain
