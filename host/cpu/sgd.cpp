// One step of stochastic gradient descent, see Backend::sgd.

#include <algorithm>
#include <atomic>

#include "host/backend/checks.hpp"
#include "host/cpu/backend.hpp"
#include "host/cpu/gather_copy.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/sgd.cpp"
#include <hwy/foreach_target.h>  // after HWY_TARGET_INCLUDE
#include <hwy/highway.h>         // after foreach_target.h

HWY_BEFORE_NAMESPACE();
namespace tern::cpu::HWY_NAMESPACE {

/// Steps `size` elements, whole blocks; velocity is null without momentum. Returns whether all
/// elements are finite afterwards; a non-finite velocity makes the parameter non-finite too.
bool sgd_step(float learning_rate, float momentum, float weight_decay,
              const float* HWY_RESTRICT gradient, float* HWY_RESTRICT parameter,
              float* HWY_RESTRICT velocity, std::int64_t size) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::CappedTag<float, kBlock> tag;
  const auto rate = hn::Set(tag, learning_rate);
  const auto decay = hn::Set(tag, weight_decay);
  const auto zero = hn::Zero(tag);
  auto watch = zero;  // 0 · x is NaN if x is not finite, and stays NaN
  for (std::int64_t f = 0; f < size; f += static_cast<std::int64_t>(hn::Lanes(tag))) {
    const auto p = hn::Load(tag, parameter + f);
    auto v = hn::MulAdd(decay, p, hn::Load(tag, gradient + f));
    if (velocity != nullptr) {
      v = hn::MulAdd(hn::Set(tag, momentum), hn::Load(tag, velocity + f), v);
      hn::Store(v, tag, velocity + f);
    }
    const auto stepped = hn::NegMulAdd(rate, v, p);
    watch = hn::MulAdd(stepped, zero, watch);
    hn::Store(stepped, tag, parameter + f);
  }
  return hn::AllTrue(tag, hn::Eq(watch, zero));
}

}  // namespace tern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tern::cpu {
HWY_EXPORT(sgd_step);

void CpuBackend::sgd(const SgdOptions& options, const Counter& step, const Matrix& gradient,
                     Matrix& parameter, SgdState& state, const RowSet* rows, Counter* fault) {
  check_sgd(options, step, gradient, parameter, state, rows, fault);
  check_step_count("sgd", storage(step).value);
  CounterStorage* noted = fault_storage(fault);
  const auto rate = finite_factor(options.learning_rate);
  const auto momentum = static_cast<float>(options.momentum);
  const auto decay = finite_factor(options.weight_decay);
  const CopyRefresh copied(parameter, rows);
  const auto g = view(gradient);
  const auto p = view(parameter);
  float* velocity = options.momentum == 0.0 ? nullptr : view(state.velocity).data;
  const auto at = [velocity](std::int64_t f) {
    return velocity == nullptr ? nullptr : velocity + f;
  };
  const auto sgd_step = HWY_DYNAMIC_DISPATCH(sgd_step);
  std::atomic<bool> sound = true;
  if (rows == nullptr) {
    constexpr std::int64_t kBlockFloats = 1 << 14;
    parallel_for_ranges(pool_, p.rows * p.stride, kBlockFloats,
                        [&](std::int64_t begin, std::int64_t end) {
                          if (!sgd_step(rate, momentum, decay, g.data + begin, p.data + begin,
                                        at(begin), end - begin)) {
                            sound.store(false, std::memory_order_relaxed);
                          }
                          copied.copy(begin, end);
                        });
  } else {
    const std::vector<NodeId>& wanted = storage(*rows).rows;
    const auto count = static_cast<std::int64_t>(wanted.size());
    parallel_for_blocks(pool_, count, kRowBlock, [&](std::int64_t i) {
      const std::int64_t f = wanted[i] * p.stride;
      if (!sgd_step(rate, momentum, decay, g.data + f, p.data + f, at(f), p.stride)) {
        sound.store(false, std::memory_order_relaxed);
      }
      copied.copy(f, f + p.stride);
    });
  }
  copied.finish();
  if (!sound) note_fault(noted, storage(step).value);
}

}  // namespace tern::cpu
#endif  // HWY_ONCE
