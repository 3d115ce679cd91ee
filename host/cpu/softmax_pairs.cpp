#include "host/cpu/softmax_pairs.hpp"

#include <cmath>

#include "host/backend/checks.hpp"
#include "host/backend/pair_weight.hpp"

namespace tern::cpu {

/// The loss of a row, and the factors of its gradients.
void SoftmaxPairs::finish_row(std::int64_t t, const ExponentRow& row) const {
  if (row.empty()) {
    work.losses[t] = 0.0;
    work.pulls[t] = work.pushes[t] = 0.0F;
    return;
  }
  const double log_sum = row.largest + static_cast<double>(std::log(row.sum));
  double loss = negative_weight * log_sum - row.own;
  double pull = weight / (static_cast<double>(tables.count) * temperature);
  double push = pull * negative_weight / row.sum;
  if (thresholds != nullptr) {
    const std::int64_t at = t * tables.stride;
    const double cosine = kernels.dot(tables.left + at, tables.right + at, tables.stride);
    const PairFactor factor =
        pair_factor(cosine, thresholds[triplets[layout.triplet(t)].user], weight_temperature);
    pull = factor.weight * pull - weight / static_cast<double>(tables.count) * factor.slope * loss;
    push *= factor.weight;
    loss *= factor.weight;
  }
  work.losses[t] = loss;
  work.pulls[t] = finite_factor(pull);
  work.pushes[t] = finite_factor(push);
}

void SoftmaxPairs::run_strip(const Strip& strip, const RemoveColumns& remove) const {
  exponentiate_strip(tables, strip.begin, strip.rows, remove, strip.values,
                     [&](std::int64_t t, const ExponentRow& row) { finish_row(t, row); });
  const std::int64_t stride = tables.own_stride;
  float* gradients = work.left_gradient.data() + strip.begin * stride;
  float* pushed = work.pushed.data() + strip.begin * stride;
  sum_columns_of_strip(tables, strip.rows, strip.values, gradients);
  for (std::int64_t r = 0; r < strip.rows; ++r) {
    const std::int64_t t = strip.begin + r;
    float* gradient = gradients + r * stride;
    kernels.scale(work.pushes[t], gradient, gradient, stride);
    kernels.add(-work.pulls[t], tables.own_right + t * stride, gradient, stride);
    kernels.scale(work.pushes[t], tables.own_left + t * stride, pushed + r * stride, stride);
  }
  sum_rows_of_strip(tables, strip.rows, strip.values, pushed, !strip.first,
                    right_part(strip.group, 0));
}

void SoftmaxPairs::run(ThreadPool& pool, const RemoveColumns& remove) const {
  for_strips(pool, tables, work.strips.data(),
             [&](const Strip& strip) { run_strip(strip, remove); });
}

void SoftmaxPairs::add_right_gradient(std::int64_t t, float* to) const {
  const std::int64_t groups = pair_groups(tables.count);
  for (std::int64_t group = 0; group < groups; ++group) {
    kernels.add(1.0F, right_part(group, t), to, tables.own_stride);
  }
  if (t >= tables.count) return;  // no row's own column
  kernels.add(-work.pulls[t], tables.own_left + t * tables.own_stride, to, tables.own_stride);
}

}  // namespace tern::cpu
