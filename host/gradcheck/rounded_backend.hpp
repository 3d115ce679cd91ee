#pragma once

#include <deque>
#include <random>

#include "host/reference/backend.hpp"

namespace tern::gradcheck_detail {

/// A change that is far above the rounding errors of f64, and the number of random draws, of which the largest effect
/// counts.
inline constexpr double kRoundedShare = 0x1p-20;
inline constexpr int kRoundedRuns = 8;

/// The reference, with every input of the ops of a step changed by a share of itself, up or down at random: as if it had
/// been rounded. How far results move is what rounding can do to them, however an op computes them: an op in f32 gives
/// the exact results of slightly other inputs. Changing the parameters alone would miss much of it: a change of a weight
/// shifts all rows of a column alike, and a batch normalisation takes that out again.
///
/// Rows that an op divides by their lengths are changed by a share of their length, spread over all elements, instead of a
/// share of each element. An op in f32 rounds the unit row, which is then a little longer or shorter than 1: no change of
/// the row does that, and a change of each element by a share of itself hardly turns a row along an axis.
class RoundedBackend final : public reference::ReferenceBackend {
 public:
  RoundedBackend(double share, Seed seed) : share_(share), random_(seed.value + 5) {}

  void propagate(const Graph& graph, Side to, const Matrix& x, Matrix& y,
                 const PropagateOptions& options) override;
  void linear_relu_batchnorm(const DenseLayer& layer, DenseMode mode, DenseState& state,
                             Matrix& z) override;
  void linear_relu_batchnorm_backward(const DenseLayer& layer, DenseState& state,
                                      const Matrix& grad_z,
                                      const DenseGradients& gradients) override;
  void bpr(Triplets& triplets, const Matrix& users, const Matrix& items, Matrix& grad_users,
           Matrix& grad_items, Matrix& losses) override;
  void in_batch_softmax(Triplets& triplets, const InBatchSoftmaxOptions& options,
                        const Matrix& users, const Matrix& items, Matrix& grad_users,
                        Matrix& grad_items, Matrix& losses) override;
  void alignment_uniformity(Triplets& triplets, const AlignmentUniformityOptions& options,
                            const Matrix& users, const Matrix& items, Matrix& grad_users,
                            Matrix& grad_items, Matrix& losses) override;
  void sampled_contrast(Triplets& triplets, const SampledContrastOptions& options,
                        const Matrix& users, const Matrix& items, Matrix& grad_users,
                        Matrix& grad_items, Matrix& losses) override;
  void info_nce(Triplets& triplets, const InfoNceOptions& options, Side side, const Matrix& views,
                const Matrix& others, Matrix& grad_views, Matrix& grad_others,
                Matrix& losses) override;
  void perturb(const PerturbOptions& options, const Counter& step, Matrix& values,
               const RowSet* rows, const RowSum& sum) override;
  void normalize_rows(const Matrix& x, Matrix& y, const RowSum& sum) override;
  void normalize_rows_backward(const Matrix& x, const Matrix& grad_y, Matrix& grad_x,
                               const RowAddend& addend) override;
  void l2_penalty(Triplets& triplets, double lambda, const Matrix& users, const Matrix& items,
                  Matrix& grad_users, Matrix& grad_items, Matrix& losses) override;

 private:
  /// A changed copy.
  Matrix rounded(const Matrix& matrix);
  /// A copy whose rows are changed by a share of their lengths.
  Matrix turned(const Matrix& matrix);
  /// The layer with changed inputs, which the copies hold.
  DenseLayer rounded(const DenseLayer& layer, std::deque<Matrix>& copies);

  double share_;
  std::mt19937_64 random_;
};

}  // namespace tern::gradcheck_detail
