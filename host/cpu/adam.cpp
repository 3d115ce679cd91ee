// One step of Adam, see Backend::adam: a single pass that reads the gradient, and reads and writes
// the parameter and both moments.

#include "host/cpu/adam.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "host/backend/checks.hpp"
#include "host/cpu/backend.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/adam.cpp"
#include <hwy/foreach_target.h>  // after HWY_TARGET_INCLUDE
#include <hwy/highway.h>         // after foreach_target.h

HWY_BEFORE_NAMESPACE();
namespace tern::cpu::HWY_NAMESPACE {

/// Steps `size` elements, whole blocks; elements from `used` on are padding, which must stay zero:
/// without ε it would become 0 / 0. Returns whether all elements are finite afterwards; a
/// non-finite first moment makes the parameter non-finite too.
bool adam_step(const AdamCoefficients& c, const float* HWY_RESTRICT gradient,
               float* HWY_RESTRICT parameter, float* HWY_RESTRICT first, float* HWY_RESTRICT second,
               std::int64_t size, std::int64_t used) {
  namespace hn = hwy::HWY_NAMESPACE;
  const hn::CappedTag<float, kBlock> tag;
  const auto beta1 = hn::Set(tag, c.beta1);
  const auto one_minus_beta1 = hn::Set(tag, c.one_minus_beta1);
  const auto beta2 = hn::Set(tag, c.beta2);
  const auto one_minus_beta2 = hn::Set(tag, c.one_minus_beta2);
  const auto step_size = hn::Set(tag, c.step_size);
  const auto root_correction = hn::Set(tag, c.root_correction);
  const auto epsilon = hn::Set(tag, c.epsilon);
  const auto weight_decay = hn::Set(tag, c.weight_decay);
  const auto zero = hn::Zero(tag);
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  auto watch = zero;  // 0 · x is NaN if x is not finite, and stays NaN
  for (std::int64_t f = 0; f < size; f += lanes) {
    const auto p = hn::Load(tag, parameter + f);
    const auto g = hn::MulAdd(weight_decay, p, hn::Load(tag, gradient + f));
    const auto m = hn::MulAdd(beta1, hn::Load(tag, first + f), hn::Mul(one_minus_beta1, g));
    const auto v =
        hn::MulAdd(beta2, hn::Load(tag, second + f), hn::Mul(hn::Mul(one_minus_beta2, g), g));
    auto change = hn::Div(m, hn::MulAdd(hn::Sqrt(v), root_correction, epsilon));
    if (f + lanes > used) {
      const auto rest = static_cast<std::size_t>(std::max<std::int64_t>(0, used - f));
      change = hn::IfThenElseZero(hn::FirstN(tag, rest), change);
    }
    const auto stepped = hn::NegMulAdd(step_size, change, p);
    watch = hn::MulAdd(stepped, zero, hn::MulAdd(v, zero, watch));
    hn::Store(m, tag, first + f);
    hn::Store(v, tag, second + f);
    hn::Store(stepped, tag, parameter + f);
  }
  return hn::AllTrue(tag, hn::Eq(watch, zero));
}

}  // namespace tern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tern::cpu {
HWY_EXPORT(adam_step);

void CpuBackend::adam(const AdamOptions& options, const Counter& step, const Matrix& gradient,
                      Matrix& parameter, AdamState& state, const RowSet* rows, Counter* fault) {
  check_adam(options, step, gradient, parameter, state, rows, fault);
  const auto t = static_cast<double>(storage(step).value);
  check_step_count("adam", storage(step).value);
  CounterStorage* noted = fault_storage(fault);
  const AdamCoefficients coefficients{
      .beta1 = static_cast<float>(options.beta1),
      .one_minus_beta1 = static_cast<float>(1.0 - options.beta1),
      .beta2 = static_cast<float>(options.beta2),
      .one_minus_beta2 = static_cast<float>(1.0 - options.beta2),
      .step_size = finite_factor(options.learning_rate / (1.0 - std::pow(options.beta1, t))),
      .root_correction = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(options.beta2, t))),
      .epsilon = static_cast<float>(options.epsilon),
      .weight_decay = finite_factor(options.weight_decay)};
  const auto g = view(gradient);
  const auto p = view(parameter);
  const auto m = view(state.first_moment);
  const auto v = view(state.second_moment);
  const auto adam_step = HWY_DYNAMIC_DISPATCH(adam_step);
  // If ε is 0, rows are stepped one by one, to leave out their padding.
  const bool as_one = coefficients.epsilon > 0.0F || p.cols == p.stride;
  std::atomic<bool> sound = true;
  if (rows == nullptr && as_one) {
    constexpr std::int64_t kBlockFloats = 1 << 14;
    parallel_for_ranges(pool_, p.rows * p.stride, kBlockFloats,
                        [&](std::int64_t begin, std::int64_t end) {
                          const std::int64_t size = end - begin;
                          if (!adam_step(coefficients, g.data + begin, p.data + begin,
                                         m.data + begin, v.data + begin, size, size)) {
                            sound.store(false, std::memory_order_relaxed);
                          }
                        });
  } else {
    const NodeId* wanted = rows == nullptr ? nullptr : storage(*rows).rows.data();
    const std::int64_t count =
        rows == nullptr ? p.rows : static_cast<std::int64_t>(storage(*rows).rows.size());
    parallel_for_blocks(pool_, count, kRowBlock, [&](std::int64_t i) {
      const std::int64_t row = wanted == nullptr ? i : wanted[i];
      if (!adam_step(coefficients, g.row(row), p.row(row), m.row(row), v.row(row), p.stride,
                     p.cols)) {
        sound.store(false, std::memory_order_relaxed);
      }
    });
  }
  if (!sound) note_fault(noted, storage(step).value);
}

}  // namespace tern::cpu
#endif  // HWY_ONCE
