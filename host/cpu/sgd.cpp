// One step of stochastic gradient descent, see Backend::sgd.

#include <algorithm>

#include "host/checks.hpp"
#include "host/cpu/backend.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/sgd.cpp"
#include <hwy/foreach_target.h>  // after HWY_TARGET_INCLUDE
#include <hwy/highway.h>         // after foreach_target.h

HWY_BEFORE_NAMESPACE();
namespace tern::cpu::HWY_NAMESPACE {

/// Steps `size` elements, whole blocks; velocity is null without momentum.
void sgd_step(float learning_rate, float momentum, float weight_decay,
              const float* HWY_RESTRICT gradient, float* HWY_RESTRICT parameter,
              float* HWY_RESTRICT velocity, std::int64_t size) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::CappedTag<float, kBlock> tag;
  const auto rate = hn::Set(tag, learning_rate);
  const auto decay = hn::Set(tag, weight_decay);
  for (std::int64_t f = 0; f < size; f += static_cast<std::int64_t>(hn::Lanes(tag))) {
    const auto p = hn::Load(tag, parameter + f);
    auto v = hn::MulAdd(decay, p, hn::Load(tag, gradient + f));
    if (velocity != nullptr) {
      v = hn::MulAdd(hn::Set(tag, momentum), hn::Load(tag, velocity + f), v);
      hn::Store(v, tag, velocity + f);
    }
    hn::Store(hn::NegMulAdd(rate, v, p), tag, parameter + f);
  }
}

}  // namespace tern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tern::cpu {
HWY_EXPORT(sgd_step);

void CpuBackend::sgd(const SgdOptions& options, const Matrix& gradient, Matrix& parameter,
                     SgdState& state, const RowSet* rows) {
  check_sgd(options, gradient, parameter, state, rows);
  const auto rate = static_cast<float>(options.learning_rate);
  const auto momentum = static_cast<float>(options.momentum);
  const auto decay = static_cast<float>(options.weight_decay);
  const auto g = view(gradient);
  const auto p = view(parameter);
  float* velocity = options.momentum == 0.0 ? nullptr : view(state.velocity).data;
  const auto at = [velocity](std::int64_t f) {
    return velocity == nullptr ? nullptr : velocity + f;
  };
  const auto sgd_step = HWY_DYNAMIC_DISPATCH(sgd_step);
  if (rows == nullptr) {
    const std::int64_t size = p.rows * p.stride;
    constexpr std::int64_t kPiece = 1 << 14;
#pragma omp parallel for num_threads(threads_) schedule(static)
    for (std::int64_t f = 0; f < size; f += kPiece) {
      sgd_step(rate, momentum, decay, g.data + f, p.data + f, at(f), std::min(kPiece, size - f));
    }
    return;
  }
  const std::vector<NodeId>& wanted = storage(*rows).rows;
#pragma omp parallel for num_threads(threads_) schedule(static)
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const std::int64_t f = wanted[i] * p.stride;
    sgd_step(rate, momentum, decay, g.data + f, p.data + f, at(f), p.stride);
  }
}

}  // namespace tern::cpu
#endif  // HWY_ONCE
