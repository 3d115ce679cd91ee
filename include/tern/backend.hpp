#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tern/dense_layer.hpp"
#include "tern/interactions.hpp"
#include "tern/op_options.hpp"
#include "tern/sampling.hpp"
#include "tern/statistics.hpp"
#include "tern/storage.hpp"
#include "tern/types.hpp"

namespace tern {

// The seam: models, trainer and program use only this class, and never know which backend they run
// on. The ops are coarse and fused, so that virtual calls cost nothing. An op's name is the name of
// its files: host/reference/<op>.cpp (f64, the oracle), host/cpu/<op>.cpp (f32),
// cuda/ops/<op>.cu (f32), tests/ops/<op>_test.cpp, bench/ops/<op>_bench.cpp. CONTRIBUTING.md lists
// every file of an op.
//
// All ops check shapes (ShapeError), make no persistent allocations, and may return before the work
// is done (synchronize() or a download waits). They are bitwise reproducible: the same inputs give
// the same bits on the same backend, whatever the number of threads. Only a backend made with
// Reproducibility::kNone may give other bits.

/// Both moments have the parameter's shape and start at zero.
struct AdamState {
  Matrix first_moment;
  Matrix second_moment;
  /// Only if adam gets rows: which steps the rows of parameter and moments have had.
  RowSteps row_steps = {};
};

/// The velocity has the parameter's shape and starts at zero; it stays empty without momentum.
struct SgdState {
  Matrix velocity;
};

/// The k best items of each query, best first, ties by ascending item id. Both arrays are
/// (queries, k) row-major; if a query has fewer candidates, the rest is item -1, score -inf.
struct TopItems {
  std::int64_t k = 0;
  std::vector<NodeId> items;
  std::vector<float> scores;
};

/// A sequence of ops that can be run again: a captured graph on a GPU, the function on a CPU.
class Recording {
 public:
  virtual ~Recording() = default;
  virtual void replay() = 0;
};

/// Whether equal runs give equal bits.
enum class Reproducibility : std::uint8_t {
  kBitwise,
  /// A GPU may add in any order. A CPU is bitwise reproducible in any case.
  kNone,
};

struct DeviceDescription {
  std::string name;       // the processor's name, as it reports it
  std::string precision;  // "f64", "f32"
  std::string details;    // instruction set, threads, libraries
};

/// Memory of a device, in bytes.
struct MemoryInfo {
  std::int64_t free = 0;
  std::int64_t total = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;

  /// "reference", "cpu" or "cuda:N".
  virtual std::string name() const = 0;
  virtual DeviceDescription describe() const = 0;

  // --- Memory ------------------------------------------------------------------------------------

  /// The device's memory now, including the use by other processes; for a CPU, host_memory() of
  /// tern/memory.hpp. Throws DeviceError if the device does not answer.
  virtual MemoryInfo memory() const = 0;
  /// A (rows, cols) matrix of zeros. Throws ShapeError on a negative size, DeviceError if memory is
  /// short, with the need in bytes, ConfigError on a precision that the backend does not have.
  virtual Matrix allocate(std::int64_t rows, std::int64_t cols,
                          const MatrixOptions& options = {}) = 0;
  /// values.size() == to.size(), row-major.
  virtual void upload(std::span<const float> values, Matrix& to) = 0;
  virtual void upload(std::span<const double> values, Matrix& to) = 0;
  /// Waits for all work submitted before. values.size() == from.size().
  virtual void download(const Matrix& from, std::span<float> values) = 0;
  virtual void download(const Matrix& from, std::span<double> values) = 0;
  virtual void copy(const Matrix& from, Matrix& to) = 0;
  virtual void fill(Matrix& matrix, double value) = 0;

  virtual Graph make_graph(const Interactions& interactions) = 0;
  /// rows: any order, repeats kept once; each in [0, num_nodes).
  virtual RowSet make_row_set(NodeId num_nodes, std::span<const NodeId> rows) = 0;
  /// The rows that the set holds now, ascending. Waits.
  virtual std::vector<NodeId> get_rows(const RowSet& rows) = 0;

  virtual Counter make_counter(std::int64_t value = 0) = 0;
  virtual void set(Counter& counter, std::int64_t value) = 0;
  virtual std::int64_t get(const Counter& counter) = 0;
  /// A step op: adds one.
  virtual void increment(Counter& counter) = 0;

  /// For a table of this many rows, all at step 0. Throws as allocate() does.
  virtual RowSteps make_row_steps(std::int64_t rows) = 0;
  /// All rows are at this step.
  virtual void set(RowSteps& steps, std::int64_t step) = 0;

  /// Waits until all submitted work is done.
  virtual void synchronize() = 0;
  /// Runs the work, waits for it, and returns the seconds that the device took: by a steady clock
  /// on a CPU, by events on a GPU, which leave out the time that the host takes to launch.
  virtual double seconds(const std::function<void()>& work) = 0;
  /// Runs nothing yet; replay() runs the ops of step(). The step calls ops and step ops, copy, fill and
  /// increment; everything that they refer to must outlive the recording. All that makes or reads
  /// something, or waits, throws ShapeError within a step, on every backend: allocate, make_...,
  /// upload, download, set, get, get_..., batch_number, sample, set_triplets, score_topk,
  /// embedding_statistics, synchronize, seconds, record, replay. A GPU captures the step, so that what
  /// the host computes in it, such as an if, is that of the first replays.
  virtual std::unique_ptr<Recording> record(std::function<void()> step) = 0;

  // --- Sampling ----------------------------------------------------------------------------------

  /// Room for one epoch of triplets drawn from the graph, and the tables that drawing needs. The
  /// graph must outlive them. Throws ConfigError on options out of range, or if no user can be
  /// sampled.
  virtual Triplets make_triplets(const Graph& graph, const SamplingOptions& options,
                                 std::int64_t batch_size) = 0;
  virtual SamplingCounts sampling_counts(const Triplets& triplets) const = 0;

  /// Draws the epoch's triplets and makes batch 0 current. Participants are the users that have an
  /// interaction and lack an item, in ascending order. Triplet t = (u, p, n) of epoch e, with
  /// q = t / max(1, negatives_per_positive) and streams as in tern/random.hpp:
  ///
  ///   positives by user:         P = stream(positive, e, q);
  ///                              u = participants[P.below(#participants)];
  ///                              p = row(u)[P.below(deg u)]
  ///   positives by interaction:  (u, p) = number Permutation(seed, e, E')(q) of the E'
  ///                              interactions of participants, in CSR order
  ///   uniform negatives:         Q = stream(negative, e, t);
  ///                              n = the Q.below(I - deg u)-th item that is absent from row(u)
  ///   negatives by popularity:   Q likewise; up to `popularity_tries` times
  ///                              c = Q.below(I), w = Q.next(),
  ///                              n = w < threshold[c] ? c : alias[c], until n is absent from
  ///                              row(u); then uniform, from the same Q.
  ///                              The tables are those of make_alias_table(degrees, exponent).
  ///   negatives_per_positive 0:  n = kNoItem, whatever the law of negatives; u and p are those
  ///                              drawn with one negative. The batch's items are its positives.
  ///
  /// Exact integers: the same triplets on every backend. Source: positives by user as in He et
  /// al. 2020; negatives without rejection: the r-th absent item is r + #{k : c_k - k <= r}, with
  /// c_0, c_1, ... the items of row(u).
  virtual void sample(Triplets& triplets, std::uint32_t epoch) = 0;
  /// Replaces the epoch's triplets by these (as many as size()); batch 0 becomes current.
  /// Throws ShapeError on an id out of range, and if the negative of a pair is not kNoItem.
  virtual void set_triplets(Triplets& triplets, std::span<const Triplet> values) = 0;
  virtual std::vector<Triplet> get_triplets(const Triplets& triplets) = 0;
  /// The number of the current batch in the epoch, from 0: the column of losses that step ops write.
  /// Throws ShapeError before the first sample().
  virtual std::int64_t batch_number(const Triplets& triplets) const = 0;
  /// The triplets of the current batch. Throws likewise. Waits.
  virtual std::vector<Triplet> get_batch(const Triplets& triplets) = 0;
  /// A step op: makes the next batch current; after the last one, the first.
  virtual void next_batch(Triplets& triplets) = 0;

  // --- Ops ---------------------------------------------------------------------------------------

  /// y = scale · (s_to ⊙ (A (s_from ⊙ x)) + addend): one degree-normalised propagation to one side.
  /// A is R for to = kUser, Rᵀ for kItem; x: (nodes of the other side, D), y: (nodes of `to`, D),
  /// y overwritten and distinct from x; scales s as options.normalization says: 1/sqrt(degree),
  /// ones, or given ones, which are finite. The backward pass of a propagation is the propagation to
  /// the other side, with the given scales exchanged. Neighbours are summed in CSR order. The elements
  /// of x are read in the precision that x was allocated with (MatrixOptions); scales, addend, sums
  /// and y have the backend's own. Source: He et al. 2020, eq. 7; the addend is one step of Horner's
  /// rule on Σ Âˡ.
  virtual void propagate(const Graph& graph, Side to, const Matrix& x, Matrix& y,
                         const PropagateOptions& options = {}) = 0;

  /// Room for the forward and backward pass of a layer of (rows, cols). Throws as allocate() does.
  virtual DenseState make_dense_state(std::int64_t rows, std::int64_t cols) = 0;

  /// z = BN(f(f(inner) + outer)), the dense layer of a GC-MC encoder; see DenseLayer for its other
  /// forms. z: (N, C), overwritten, distinct from every input; state: (N, C).
  /// Statistics of a batch: mean and population variance of every column of a, merged pairwise over
  /// stretches of rows that depend on N alone (Chan's rule; never raw sums of squares);
  /// z = γ (a - mean) / sqrt(variance + ε) + β.
  /// Throws ShapeError if batch normalisation has fewer than two rows in training.
  /// Source: Kipf and Welling's GC-MC (van den Berg et al. 2017), eq. 2 and 3; Ioffe and Szegedy
  /// 2015; Chan, Golub and LeVeque 1983.
  virtual void linear_relu_batchnorm(const DenseLayer& layer, DenseMode mode, DenseState& state,
                                     Matrix& z) = 0;

  /// The gradients of the layer, from grad_z, (N, C), and the state of the last forward pass in
  /// training; inputs, weights and γ are unchanged since. With x̂ = (a - mean) / sqrt(variance +
  /// ε): ∂γ = Σ grad_z ⊙ x̂, ∂β = Σ grad_z, ∂a = γ / sqrt(variance + ε) (grad_z - ∂β/N - x̂ ⊙
  /// ∂γ/N); ∂outer = ∂a ⊙ [a > 0] (∂a without activation), ∂inner = ∂outer ⊙ [f(inner) > 0];
  /// within a sum: ∂weight = inputᵀ ∂, ∂input = ∂ weightᵀ, ∂addend = ∂, ∂bias = Σ_rows ∂.
  /// ReLU's gradient at 0 is 0, and it keeps NaN. grad_z and all outputs are distinct matrices.
  virtual void linear_relu_batchnorm_backward(const DenseLayer& layer, DenseState& state,
                                              const Matrix& grad_z,
                                              const DenseGradients& gradients) = 0;

  /// Drops elements or rows of values, in place, a step op; the backward pass is the same op on the
  /// gradient with the same count. With i the row-major index of the element, or the row:
  /// i is kept if word i % 4 of stream(dropout, step mod 2³², place · 2⁴⁸ + i / 4) is at least
  /// round(probability · 2³²); the rest becomes 0. The same on every backend.
  /// Throws ConfigError on options out of range. Source: Srivastava et al. 2014; rows: Volkovs et
  /// al. 2017, "DropoutNet".
  virtual void dropout(const DropoutOptions& options, const Counter& step, Matrix& values) = 0;

  /// The BPR loss of the current batch and its gradient with respect to the final embeddings.
  /// loss = 1/B Σ_t softplus(u_t·n_t - u_t·p_t), B = triplets in the current batch;
  /// ∂/∂u = 1/B Σ σ_t (n_t - p_t), ∂/∂p = -1/B Σ σ_t u_t, ∂/∂n = 1/B Σ σ_t u_t,
  /// σ_t = sigmoid(u_t·n_t - u_t·p_t).
  /// users: (U, D), items: (I, D), read at the batch's rows; gradients of the same shapes,
  /// overwritten at the batch's rows, untouched elsewhere. losses: (2, num_batches), or
  /// (4, num_batches) with those of info_nce; element (0, current batch) is overwritten. Throws
  /// ShapeError on pairs, which have no negatives.
  /// Source: Rendle et al. 2009, eq. 4.
  virtual void bpr(Triplets& triplets, const Matrix& users, const Matrix& items, Matrix& grad_users,
                   Matrix& grad_items, Matrix& losses) = 0;

  /// The softmax loss of the current batch's pairs (u_t, p_t), each with the other pairs' items as
  /// negatives, and its gradient with respect to the final embeddings.
  /// With ê = e / max(‖e‖, 1e-12), s_tj = û_t·p̂_j and logits l_tj = s_tj / τ - c log q_j, where
  /// q_j = degree(p_j) / E, at least 1/E:
  /// loss = 1/B Σ_t w_t ℓ_t, ℓ_t = -s_tt / τ + t₂ log Σ_{j in C_t} exp(l_tj), C_t = all columns but t
  /// and those that options.mask takes away; a row without columns adds nothing.
  /// w_t = 1, or with thresholds sigmoid((s_tt - β_u) / τ_w), β_u that of the pair's user.
  /// ∂/∂s_tj = w_t t₂/(Bτ) exp(l_tj) / Σ_{C_t} exp(l), ∂/∂s_tt = -w_t/(Bτ) + ℓ_t/B ∂w_t/∂s_tt, with
  /// ∂w_t/∂s_tt = w_t (1 - w_t) / τ_w, 0 without thresholds; with g the gradient of a row's ê, summed
  /// over its occurrences: ∂/∂e = (g - ê (ê·g)) / ‖e‖ if ‖e‖ > 1e-12, else g / 1e-12.
  /// Negatives of the triplets are ignored, unless options.columns is kPairsAndNegatives. Then the M =
  /// negatives_per_positive consecutive triplets of a pair are one row t, of P = B / M, which replaces
  /// B in the equations. Column j < P is the item of pair j; another P·M columns, which all rows share,
  /// are the sampled negatives. Masks hold for these too, and q_j is the share of a mixture,
  /// (degree(p_j) / E + M r_j) / (1 + M), with the degree at least 1 and r_j the probability that the
  /// sampler draws the item if no item is left out. Throws ShapeError if the triplets have no
  /// negatives, or if the batch size is no multiple of M.
  /// Shapes, rows and losses as for bpr; a matrix of all logits never exists. Norms are taken in f64,
  /// and the largest logit of a row leaves its exponents, so that nothing overflows.
  /// Source: Wu et al. 2024, "On the Effectiveness of Sampled Softmax Loss for Item Recommendation"
  /// (SL) and "BSL: Understanding and Improving Softmax Loss for Recommendation"; correction: Yi et
  /// al. 2019; thresholds: Yang et al. 2025, "Breaking the Top-K Barrier" (SL@K); sampled columns: Yang
  /// et al. 2020, "Mixed Negative Sampling for Learning Two-tower Neural Networks in Recommendations".
  virtual void in_batch_softmax(Triplets& triplets, const InBatchSoftmaxOptions& options,
                                const Matrix& users, const Matrix& items, Matrix& grad_users,
                                Matrix& grad_items, Matrix& losses) = 0;

  /// The DirectAU loss of the current batch's pairs (u_t, p_t) and its gradient with respect to the
  /// final embeddings. With ê = e / max(‖e‖, 1e-12):
  /// loss = 1/B Σ_t ‖û_t - p̂_t‖² + γ/2 (unif(û) + unif(p̂)),
  /// unif(x) = log( 2 / (B (B - 1)) Σ_{t<j} exp(-2 ‖x_t - x_j‖²) ), 0 if B = 1.
  /// ∂unif/∂x_t = 4 / Z Σ_{j≠t} exp(-2 ‖x_t - x_j‖²) (x_j - x_t), Z = the sum over t < j; on to e as
  /// in in_batch_softmax. Pairs are counted with their repeats; negatives of the triplets are
  /// ignored. Shapes, rows and losses as for bpr; the B×B matrix never exists. A row of norm 0 has
  /// ê = 0, at a distance of 1 from every other row.
  /// Source: Wang et al. 2022, "Towards Representation Alignment and Uniformity in Collaborative
  /// Filtering" (DirectAU).
  virtual void alignment_uniformity(Triplets& triplets, const AlignmentUniformityOptions& options,
                                    const Matrix& users, const Matrix& items, Matrix& grad_users,
                                    Matrix& grad_items, Matrix& losses) = 0;

  /// A loss of the current batch over each positive pair (u, p) and its M = negatives_per_positive
  /// sampled negatives n_1..n_M, which are consecutive triplets, and its gradient with respect to
  /// the final embeddings. s⁺ = û·p̂, s_k = û·n̂_k with ê = e / max(‖e‖, 1e-12); P = B / M pairs:
  /// softmax:             loss = 1/P Σ w [ -s⁺/τ + t₂ log Σ_k exp(s_k / τ) ], w as in in_batch_softmax
  /// cosine contrastive:  loss = 1/P Σ [ (1 - s⁺) + w/M Σ_k max(0, s_k - m) ], gradient 0 at s_k = m
  /// expression:          loss = 1/P Σ f(s⁺, s_1..s_M), f and its derivatives by options.program, in f64
  /// With kDot, s⁺ = u·p and s_k = u·n_k: e takes the place of ê, and g is the gradient of e.
  /// Gradients go on to e as in in_batch_softmax. A batch begins with the first negative of a pair
  /// and ends with the last; throws ShapeError if the batch size is no multiple of M, or on pairs
  /// without negatives. Of triplets that the caller set, each M consecutive ones, from the first, must
  /// have one user and one positive item, which is not checked; else the result is undefined. Shapes,
  /// rows and losses as for bpr. The largest s_k of a pair leaves its exponents, so that nothing
  /// overflows in the first two. Throws ConfigError on thresholds without softmax, and on a program or
  /// kDot for another loss than expression, which needs a program.
  /// Source: Wu et al. 2024, "On the Effectiveness of Sampled Softmax Loss for Item Recommendation";
  /// Mao et al. 2021, "SimpleX" (CCL); thresholds: Yang et al. 2025 (SL@K).
  virtual void sampled_contrast(Triplets& triplets, const SampledContrastOptions& options,
                                const Matrix& users, const Matrix& items, Matrix& grad_users,
                                Matrix& grad_items, Matrix& losses) = 0;

  /// Contrasts two views of the distinct nodes of one side in the current batch, users or positive
  /// items, and adds its gradients. With x, y the unit rows of `views` and `others` as in
  /// in_batch_softmax, over the n distinct nodes:
  /// loss = λ/n Σ_a [ -x_a·y_a / τ + log Σ_b exp(x_a·y_b / τ) ].
  /// The gradients with respect to views and others are added to grad_views and grad_others at
  /// these nodes' rows. All matrices: (nodes of the side, D). Negatives are ignored. Element
  /// (2 + side, current batch) of losses, (4, num_batches), is overwritten. Nothing overflows, and
  /// the n×n matrix never exists.
  /// Source: van den Oord et al. 2018 (InfoNCE); Yu et al. 2023, "XSimGCL".
  virtual void info_nce(Triplets& triplets, const InfoNceOptions& options, Side side,
                        const Matrix& views, const Matrix& others, Matrix& grad_views,
                        Matrix& grad_others, Matrix& losses) = 0;

  /// values += ε · sign(values) ⊙ r / max(‖r‖, 1e-12), row by row, in place, a step op. r: one
  /// number in (0, 1] for each element; with i the row-major index of the element, word i % 4 of
  /// stream(perturb, step mod 2³², place · 2⁴⁸ + i / 4), as (word + 1) / 2³². sign(0) = 0.
  /// Its derivative is the identity. rows: only these rows change; null: every row. Then
  /// sum += weight · values in the rows that both sets have. The draws are the same on every backend.
  /// Throws ConfigError on options out of range.
  /// Source: Yu et al. 2022, "Are Graph Augmentations Necessary?" (SimGCL); Yu et al. 2023
  /// (XSimGCL).
  virtual void perturb(const PerturbOptions& options, const Counter& step, Matrix& values,
                       const RowSet* rows = nullptr, const RowSum& sum = {}) = 0;

  /// y = x̂, row by row: x / max(‖x‖, 1e-12), norms as in in_batch_softmax. Then sum += weight · x in
  /// the rows of the sum. x, y, sum: (any number of rows, D), distinct; y is overwritten.
  /// Throws ConfigError on a weight that is not finite. Source: PyTorch's
  /// torch.nn.functional.normalize; Lee, Kim and Shin 2024 (LightGCN++).
  virtual void normalize_rows(const Matrix& x, Matrix& y, const RowSum& sum = {}) = 0;

  /// The gradient of x from that of x̂, which is not read:
  /// grad_x = (grad_y - x̂ (x̂·grad_y)) / ‖x‖ if ‖x‖ > 1e-12, else grad_y / 1e-12; plus weight · addend.
  /// All matrices have the shape of x; grad_x is overwritten, and may be grad_y itself.
  /// Throws ShapeError on other shapes, ConfigError on a weight that is not finite.
  virtual void normalize_rows_backward(const Matrix& x, const Matrix& grad_y, Matrix& grad_x,
                                       const RowAddend& addend = {}) = 0;

  /// loss = λ/(2B) Σ_t (‖u_t‖² + ‖p_t‖² + ‖n_t‖²) over the current batch, repeats counted; adds its
  /// gradient λ/B · occurrences(row) · row to the batch's rows of grad_*. Pairs have no term of n_t.
  /// Shapes as for bpr; element (1, current batch) of losses is overwritten. Source:
  /// LightGCN-PyTorch's regulariser.
  virtual void l2_penalty(Triplets& triplets, double lambda, const Matrix& users,
                          const Matrix& items, Matrix& grad_users, Matrix& grad_items,
                          Matrix& losses) = 0;

  /// One step of Adam, t = step (1 at the first):
  /// g = gradient + weight_decay · parameter; m = β1 m + (1-β1) g; v = β2 v + (1-β2) g²;
  /// parameter -= lr / (1-β1ᵗ) · m / (sqrt(v / (1-β2ᵗ)) + ε).
  /// With rows: only these rows are read and written, moments included, and state.row_steps of them
  /// becomes t. The gradient of all other rows counts as 0; adam_catch_up makes the step there.
  /// The rows must be at step t - 1, which not every backend checks (Error). Without rows,
  /// state.row_steps must be empty.
  /// fault, a counter other than step, records the first faulty step: if fault is 0 and this step
  /// writes a non-finite element of the parameter or the moments, fault becomes t. Only written
  /// rows are checked.
  /// Source: Kingma and Ba 2015; PyTorch's torch.optim.Adam.
  virtual void adam(const AdamOptions& options, const Counter& step, const Matrix& gradient,
                    Matrix& parameter, AdamState& state, const RowSet* rows = nullptr,
                    Counter* fault = nullptr) = 0;

  /// Makes the steps of adam that rows have missed: steps state.row_steps[r] + 1 .. step of row r
  /// with gradient 0, one after the other in adam's own arithmetic, so that parameter and moments
  /// get the bits of adam over every row in every step. state.row_steps[r] becomes step; rows at
  /// step or later stay as they are. The options must be those of the missed steps.
  /// rows: only these; null: every row. Faulty steps are recorded as by adam, but an earlier one
  /// takes the place of a later one.
  virtual void adam_catch_up(const AdamOptions& options, const Counter& step, Matrix& parameter,
                             AdamState& state, const RowSet* rows = nullptr,
                             Counter* fault = nullptr) = 0;

  /// g = gradient + weight_decay · parameter; v = momentum v + g; parameter -= lr · v.
  /// Without momentum v is g and the state stays empty. With rows: only these rows are read and
  /// written. step and fault as for adam; the update itself does not depend on step.
  /// Source: PyTorch's torch.optim.SGD with dampening 0.
  virtual void sgd(const SgdOptions& options, const Counter& step, const Matrix& gradient,
                   Matrix& parameter, SgdState& state, const RowSet* rows = nullptr,
                   Counter* fault = nullptr) = 0;

  /// The k items of greatest score users[q]·items[i] for each query row q, without items that q has
  /// in any graph of `observed`, and without scores of NaN or -inf. users: (any number of rows,
  /// D); items: (I, D); a graph in `observed` has as many users as `users` has rows, and I items.
  /// Never holds more than a block of queries × I scores. top is resized to (queries, k). Throws
  /// ShapeError unless 1 <= k.
  virtual void score_topk(const Matrix& users, const Matrix& items, std::span<const NodeId> queries,
                          std::span<const Graph* const> observed, std::int64_t k,
                          TopItems& top) = 0;

  /// Norms, mean pairwise cosine, column deviations and Gram matrix of the rows, or the norms alone,
  /// which have the same bits. The table stays on the device.
  virtual EmbeddingStatistics embedding_statistics(
      const Matrix& embeddings, StatisticsFigures figures = StatisticsFigures::kAll) = 0;
};

}  // namespace tern
