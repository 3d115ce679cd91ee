// The DirectAU loss of a batch of pairs and its gradient, see Backend::alignment_uniformity.
//
// Uniformity is the softmax-like product of one side's unit rows with themselves: the exponent is
// -2 ‖x_t - x_j‖² = 4 x_t·x_j - 2 ‖x_t‖² - 2 ‖x_j‖². The matrix of the powers K is symmetric, so that
// the gradient of a row needs the sum over its own columns alone, at twice the weight:
//
//   unif = log(S / (B (B - 1))),  S = Σ_t Σ_{j≠t} K_tj,  ∂unif/∂x_t = 8/S Σ_{j≠t} K_tj (x_j - x_t)
//
// Two products of B·B·D multiply-adds for each side.

#include <algorithm>
#include <cmath>

#include "host/backend/checks.hpp"
#include "host/cpu/backend.hpp"
#include "host/cpu/batch_pairs.hpp"
#include "host/cpu/pair_strips.hpp"

namespace tern::cpu {
namespace {

/// ‖ê‖² of a row of this norm.
double unit_square(double norm) {
  return norm > kSmallestNorm ? 1.0 : (norm / kSmallestNorm) * (norm / kSmallestNorm);
}

/// Fills work.left_gradient with Σ_j K_tj (x_j - x_t) for the rows of a side, and returns S.
double spread(ThreadPool& pool, const PartialSums* sums, PairWorkspace& work, std::size_t side,
              std::int64_t count, const OwnColumns& own) {
  const RowKernels kernels = choose_row_kernels();
  const float* rows = work.units[side].data();
  const float* own_rows = own_units(sums, work, side);
  const std::vector<double>& norms = work.norms[side];
  float* bias = work.bias.data();
  std::fill_n(bias, padded(count), 0.0F);
  for (std::int64_t j = 0; j < count; ++j) bias[j] = static_cast<float>(-2 * unit_square(norms[j]));
  const PairTables tables{.left = rows,
                          .right = rows,
                          .count = count,
                          .columns = count,
                          .stride = own.whole_stride,
                          .own_left = own_rows,
                          .own_right = own_rows,
                          .own_stride = own.stride,
                          .sharpness = 4.0,
                          .bias = bias,
                          .panels = work.panels.data()};
  const auto remove_own = [](std::int64_t t, float* logits) { logits[t] = kAbsent; };
  for_strips(pool, tables, work.strips.data(), [&](const Strip& strip) {
    exponentiate_strip(tables, strip.begin, strip.rows, remove_own, strip.values,
                       [&](std::int64_t t, const ExponentRow& row) {
                         const double factor =
                             row.empty() ? 0.0 : std::exp(row.largest - 2 * unit_square(norms[t]));
                         work.losses[t] = factor * row.sum;
                         work.pushes[t] = static_cast<float>(factor);
                       });
    float* gradients = work.left_gradient.data() + strip.begin * own.stride;
    sum_columns_of_strip(tables, strip.rows, strip.values, gradients);
    for (std::int64_t r = 0; r < strip.rows; ++r) {
      const std::int64_t t = strip.begin + r;
      float* gradient = gradients + r * own.stride;
      kernels.scale(work.pushes[t], gradient, gradient, own.stride);
      kernels.add(static_cast<float>(-work.losses[t]), own_rows + t * own.stride, gradient,
                  own.stride);
    }
  });
  double sum = 0.0;
  for (std::int64_t t = 0; t < count; ++t) sum += work.losses[t];
  return sum;
}

/// Σ_t ‖û_t - p̂_t‖²
double sum_distances(const PairWorkspace& work, std::int64_t count, std::int64_t stride) {
  const float* users = work.units[0].data();
  const float* items = work.units[1].data();
  double sum = 0.0;
  for (std::int64_t i = 0; i < count * stride; ++i) {
    const double apart = static_cast<double>(users[i]) - items[i];
    sum += apart * apart;
  }
  return sum;
}

}  // namespace

void CpuBackend::alignment_uniformity(Triplets& triplets, const AlignmentUniformityOptions& options,
                                      const Matrix& users, const Matrix& items, Matrix& grad_users,
                                      Matrix& grad_items, Matrix& losses) {
  check_alignment_uniformity(triplets, options, users, items, grad_users, grad_items, losses);
  TripletsStorage& state = storage(triplets);
  check_sampled("alignment_uniformity", state.sampled());
  const auto count = static_cast<std::int64_t>(state.current.size());
  const auto size = static_cast<double>(count);
  const OwnColumns own = own_columns(sums_, view(users));
  PairWorkspace& work = state.pairs;
  work.grow(count, count, own.whole_stride, own.stride, 0,
            pool_.threads() * max_strip_rows(count, count));
  normalize_pairs(pool_, sums_, state, view(users), view(items));
  const RowKernels kernels = choose_row_kernels();
  const auto closer = static_cast<float>(2.0 / size);
  double loss = sum_distances(work, count, own.whole_stride) / size;
  for (const Side side : {Side::kUser, Side::kItem}) {
    const auto s = static_cast<std::size_t>(side);
    const double sum = spread(pool_, sums_, work, s, count, own);
    const bool spreads = count > 1;
    if (spreads) loss += options.uniformity_weight / 2 * std::log(sum / (size * (size - 1)));
    const float apart = spreads ? finite_factor(4 * options.uniformity_weight / sum) : 0.0F;
    gather_pair_gradients(
        pool_, sums_, state, side, view(side == Side::kUser ? grad_users : grad_items),
        [&](std::int32_t t, float* to) {
          const std::int64_t at = t * own.stride;
          kernels.add(apart, work.left_gradient.data() + at, to, own.stride);
          kernels.add(closer, own_units(sums_, work, s) + at, to, own.stride);
          kernels.add(-closer, own_units(sums_, work, 1 - s) + at, to, own.stride);
        });
  }
  project_pair_gradients(pool_, sums_, state, view(grad_users), view(grad_items));
  view(losses)(0, state.batch) = static_cast<float>(loss);
}

}  // namespace tern::cpu
