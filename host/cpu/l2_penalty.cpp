// λ/(2B) Σ (‖u‖² + ‖p‖² + ‖n‖²) over a batch and its gradient, see Backend::l2_penalty. A row that
// occurs c times adds λ c/(2B) ‖row‖²: one pass over the distinct rows.

#include "host/backend/checks.hpp"
#include "host/cpu/backend.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/l2_penalty.cpp"
#include <hwy/foreach_target.h>  // after HWY_TARGET_INCLUDE
#include <hwy/highway.h>         // after foreach_target.h

HWY_BEFORE_NAMESPACE();
namespace tern::cpu::HWY_NAMESPACE {

/// gradient += weight · row over whole blocks; returns ‖row‖².
float penalize_row(const float* HWY_RESTRICT row, float weight, float* HWY_RESTRICT gradient,
                   std::int64_t stride) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::CappedTag<float, kBlock> tag;
  const auto w = hn::Set(tag, weight);
  auto sum = hn::Zero(tag);
  for (std::int64_t f = 0; f < stride; f += static_cast<std::int64_t>(hn::Lanes(tag))) {
    const auto x = hn::Load(tag, row + f);
    hn::Store(hn::MulAdd(w, x, hn::Load(tag, gradient + f)), tag, gradient + f);
    sum = hn::MulAdd(x, x, sum);
  }
  return hn::GetLane(hn::SumOfLanes(tag, sum));
}

}  // namespace tern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tern::cpu {
HWY_EXPORT(penalize_row);

void CpuBackend::l2_penalty(Triplets& triplets, double lambda, const Matrix& users,
                            const Matrix& items, Matrix& grad_users, Matrix& grad_items,
                            Matrix& losses) {
  check_l2_penalty(triplets, lambda, users, items, grad_users, grad_items, losses);
  TripletsStorage& state = storage(triplets);
  check_sampled("l2_penalty", state.sampled());
  const auto count = static_cast<double>(state.current.size());
  const auto penalize_row = HWY_DYNAMIC_DISPATCH(penalize_row);
  struct Side {
    const Occurrences& of;
    MatrixView<float> values;
    MatrixView<float> gradient;
    std::int64_t rows = static_cast<std::int64_t>(of.set->rows.size());
  };
  const Side sides[] = {{state.occurrences[0], view(users), view(grad_users)},
                        {state.occurrences[1], view(items), view(grad_items)}};
  const std::int64_t rows = sides[0].rows + sides[1].rows;
  parallel_for_blocks(pool_, rows, kRowBlock, [&](std::int64_t r) {
    const Side& side = sides[r < sides[0].rows ? 0 : 1];
    const std::int64_t at = r < sides[0].rows ? r : r - sides[0].rows;
    const NodeId row = side.of.set->rows[at];
    const double times = side.of.starts[at + 1] - side.of.starts[at];
    const float square = penalize_row(side.values.row(row), finite_factor(lambda * times / count),
                                      side.gradient.row(row), side.values.stride);
    state.losses[r] = times * square;
  });
  double sum = 0.0;
  for (std::int64_t r = 0; r < rows; ++r) sum += state.losses[r];
  if (sums_ != nullptr) sums_->complete({&sum, 1});
  view(losses)(1, state.batch) = static_cast<float>(lambda / (2.0 * count) * sum);
}

}  // namespace tern::cpu
#endif  // HWY_ONCE
