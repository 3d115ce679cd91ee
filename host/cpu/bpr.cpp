// The BPR loss of a batch and its gradient, see Backend::bpr.
//
// Two passes. The first computes for each triplet one dot product u·(n - p), which gives its loss
// and its weight σ/B. The second gathers the gradient of each distinct row through its list of
// occurrences, one thread a row in a fixed order, so that no atomics are needed. A backend with a part
// of the columns completes the dot products in between.

#include <algorithm>
#include <cmath>
#include <span>

#include "host/backend/checks.hpp"
#include "host/cpu/backend.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/bpr.cpp"
#include <hwy/foreach_target.h>  // after HWY_TARGET_INCLUDE
#include <hwy/highway.h>         // after foreach_target.h

HWY_BEFORE_NAMESPACE();
namespace tern::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;
using Tag = hn::CappedTag<float, kBlock>;
}  // namespace

/// Σ_f u_f (n_f - p_f) over whole blocks.
float score_difference(const float* HWY_RESTRICT user, const float* HWY_RESTRICT positive,
                       const float* HWY_RESTRICT negative, std::int64_t stride) {
  const Tag tag;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  auto sum = hn::Zero(tag);
  for (std::int64_t f = 0; f < stride; f += lanes) {
    sum = hn::MulAdd(hn::Load(tag, user + f),
                     hn::Sub(hn::Load(tag, negative + f), hn::Load(tag, positive + f)), sum);
  }
  return hn::GetLane(hn::SumOfLanes(tag, sum));
}

/// The gradient of one user: Σ w_t (n_t - p_t) over the triplets in which it occurs.
void user_gradient(const Triplet* batch, const float* weights, const std::int32_t* begin,
                   const std::int32_t* end, MatrixView<const float> items,
                   float* HWY_RESTRICT out) {
  const Tag tag;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  for (std::int64_t f = 0; f < items.stride; f += lanes) {
    auto sum = hn::Zero(tag);
    for (const std::int32_t* o = begin; o < end; ++o) {
      const Triplet& t = batch[*o];
      sum = hn::MulAdd(hn::Set(tag, weights[*o]),
                       hn::Sub(hn::Load(tag, items.row(t.negative) + f),
                               hn::Load(tag, items.row(t.positive) + f)),
                       sum);
    }
    hn::Store(sum, tag, out + f);
  }
}

/// The gradient of one item: Σ ±w_t u_t, minus where it is the positive (even occurrences).
void item_gradient(const Triplet* batch, const float* weights, const std::int32_t* begin,
                   const std::int32_t* end, MatrixView<const float> users,
                   float* HWY_RESTRICT out) {
  const Tag tag;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  for (std::int64_t f = 0; f < users.stride; f += lanes) {
    auto sum = hn::Zero(tag);
    for (const std::int32_t* o = begin; o < end; ++o) {
      const std::int32_t t = *o / 2;
      const float weight = *o % 2 == 0 ? -weights[t] : weights[t];
      sum = hn::MulAdd(hn::Set(tag, weight), hn::Load(tag, users.row(batch[t].user) + f), sum);
    }
    hn::Store(sum, tag, out + f);
  }
}

}  // namespace tern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tern::cpu {
HWY_EXPORT(score_difference);
HWY_EXPORT(user_gradient);
HWY_EXPORT(item_gradient);

namespace {

MatrixView<const float> read_only(MatrixView<float> m) {
  return {m.data, m.rows, m.cols, m.stride};
}

/// softplus(x) = ln(1 + eˣ) without overflow.
double softplus(double x) {
  return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
}

double sigmoid(double x) {
  return 1.0 / (1.0 + std::exp(-x));
}

}  // namespace

void CpuBackend::bpr(Triplets& triplets, const Matrix& users, const Matrix& items,
                     Matrix& grad_users, Matrix& grad_items, Matrix& losses) {
  check_bpr(triplets, users, items, grad_users, grad_items, losses);
  TripletsStorage& state = storage(triplets);
  check_sampled("bpr", state.sampled());
  const auto u = read_only(view(users));
  const auto i = read_only(view(items));
  const auto grad_u = view(grad_users);
  const auto grad_i = view(grad_items);
  const Triplet* batch = state.current.data();
  const auto count = static_cast<std::int64_t>(state.current.size());
  const Occurrences& of_users = state.occurrences[0];
  const Occurrences& of_items = state.occurrences[1];
  const auto user_rows = static_cast<std::int64_t>(of_users.set->rows.size());
  const auto item_rows = static_cast<std::int64_t>(of_items.set->rows.size());
  const auto score_difference = HWY_DYNAMIC_DISPATCH(score_difference);
  const auto user_gradient = HWY_DYNAMIC_DISPATCH(user_gradient);
  const auto item_gradient = HWY_DYNAMIC_DISPATCH(item_gradient);

  const auto score = [&](std::int64_t t) -> double {
    return score_difference(u.row(batch[t].user), i.row(batch[t].positive),
                            i.row(batch[t].negative), u.stride);
  };
  const auto weigh = [&](std::int64_t t, double x) {
    state.losses[t] = softplus(x);
    state.weights[t] = static_cast<float>(sigmoid(x) / static_cast<double>(count));
  };
  if (sums_ == nullptr) {
    parallel_for_blocks(pool_, count, kRowBlock, [&](std::int64_t t) { weigh(t, score(t)); });
  } else {
    parallel_for_blocks(pool_, count, kRowBlock,
                        [&](std::int64_t t) { state.losses[t] = score(t); });
    sums_->complete(std::span(state.losses).first(static_cast<std::size_t>(count)));
    parallel_for_blocks(pool_, count, kRowBlock,
                        [&](std::int64_t t) { weigh(t, state.losses[t]); });
  }
  parallel_for_blocks(pool_, user_rows + item_rows, kRowBlock, [&](std::int64_t r) {
    if (r < user_rows) {
      user_gradient(batch, state.weights.data(), of_users.occurrences.data() + of_users.starts[r],
                    of_users.occurrences.data() + of_users.starts[r + 1], i,
                    grad_u.row(of_users.set->rows[r]));
    } else {
      const std::int64_t item = r - user_rows;
      item_gradient(batch, state.weights.data(),
                    of_items.occurrences.data() + of_items.starts[item],
                    of_items.occurrences.data() + of_items.starts[item + 1], u,
                    grad_i.row(of_items.set->rows[item]));
    }
  });
  double sum = 0.0;
  for (std::int64_t t = 0; t < count; ++t) sum += state.losses[t];
  view(losses)(0, state.batch) = static_cast<float>(sum / static_cast<double>(count));
}

}  // namespace tern::cpu
#endif  // HWY_ONCE
