// One step of Adam, see Backend::adam: a single pass that reads the gradient, and reads and writes
// the parameter and both moments. And many steps without a gradient, see Backend::adam_catch_up: they
// stay in registers, so that their price is arithmetic, most of it in a root and a division.

#include "host/cpu/adam.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "host/backend/checks.hpp"
#include "host/cpu/backend.hpp"
#include "host/cpu/gather_copy.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/adam.cpp"
#include <hwy/foreach_target.h>  // after HWY_TARGET_INCLUDE
#include <hwy/highway.h>         // after foreach_target.h

HWY_BEFORE_NAMESPACE();
namespace tern::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Steps the moments of a vector by gradient g, and returns m / (sqrt(v) · correction + ε). Both
/// kernels use it, so that they agree in every bit.
template <typename Tag, typename Vector>
HWY_INLINE Vector adam_change(Tag tag, const AdamCoefficients& c, Vector root_correction, Vector g,
                              Vector& m, Vector& v) {
  const auto squared = hn::Mul(hn::Mul(hn::Set(tag, c.one_minus_beta2), g), g);
  m = hn::MulAdd(hn::Set(tag, c.beta1), m, hn::Mul(hn::Set(tag, c.one_minus_beta1), g));
  v = hn::MulAdd(hn::Set(tag, c.beta2), v, squared);
  return hn::Div(m, hn::MulAdd(hn::Sqrt(v), root_correction, hn::Set(tag, c.epsilon)));
}

/// Steps `size` elements, whole blocks; elements from `used` on are padding, which must stay zero:
/// without ε it would become 0 / 0. Returns whether all elements are finite afterwards; a
/// non-finite first moment makes the parameter non-finite too.
bool adam_step(const AdamCoefficients& coefficients, const AdamCorrection& correction,
               const float* HWY_RESTRICT gradient, float* HWY_RESTRICT parameter,
               float* HWY_RESTRICT first, float* HWY_RESTRICT second, std::int64_t size,
               std::int64_t used) {
  const hn::CappedTag<float, kBlock> tag;
  const AdamCoefficients c = coefficients;
  const auto step_size = hn::Set(tag, correction.step_size);
  const auto root_correction = hn::Set(tag, correction.root_correction);
  const auto zero = hn::Zero(tag);
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  auto watch = zero;  // 0 · x is NaN if x is not finite, and stays NaN
  for (std::int64_t f = 0; f < size; f += lanes) {
    const auto p = hn::Load(tag, parameter + f);
    const auto g = hn::MulAdd(hn::Set(tag, c.weight_decay), p, hn::Load(tag, gradient + f));
    auto m = hn::Load(tag, first + f);
    auto v = hn::Load(tag, second + f);
    auto change = adam_change(tag, c, root_correction, g, m, v);
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

/// Steps begin + 1 .. end of one row, with gradient 0; corrections as of AdamCorrections. Elements
/// from `used` on are padding. Returns the first step after which an element is not finite, 0: none.
std::int64_t adam_skipped_steps(const AdamCoefficients& coefficients,
                                std::span<const AdamCorrection> corrections, std::int64_t begin,
                                std::int64_t end, float* HWY_RESTRICT parameter,
                                float* HWY_RESTRICT first, float* HWY_RESTRICT second,
                                std::int64_t size, std::int64_t used) {
  const hn::CappedTag<float, kBlock> tag;
  const AdamCoefficients c = coefficients;
  const auto zero = hn::Zero(tag);
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(tag));
  constexpr std::int64_t kStepsBetweenChecks = 16;  // with default betas, 200 steps lead to rest
  std::int64_t fault = 0;
  for (std::int64_t f = 0; f < size; f += lanes) {
    const auto mask =
        hn::FirstN(tag, static_cast<std::size_t>(std::max<std::int64_t>(0, used - f)));
    auto p = hn::Load(tag, parameter + f);
    auto m = hn::Load(tag, first + f);
    auto v = hn::Load(tag, second + f);
    const auto step = [&](std::int64_t t) {
      const AdamCorrection& at = correction_at(corrections, t);
      const auto g =
          c.weight_decay == 0.0F ? zero : hn::MulAdd(hn::Set(tag, c.weight_decay), p, zero);
      const auto change = adam_change(tag, c, hn::Set(tag, at.root_correction), g, m, v);
      p = hn::NegMulAdd(hn::Set(tag, at.step_size), hn::IfThenElseZero(mask, change), p);
    };
    const auto finite = [&] {
      return hn::AllTrue(tag, hn::Eq(hn::MulAdd(p, zero, hn::Mul(v, zero)), zero));
    };
    // Whether p keeps its bits in all steps after t. The divisor is at least ε, and neither |m| nor
    // the step size grows: twice the largest change that can come leaves p as it is.
    const auto rests = [&](std::int64_t t) {
      if (c.weight_decay != 0.0F || c.epsilon == 0.0F) return false;
      const auto bound =
          hn::Set(tag, 2.0F * correction_at(corrections, t + 1).step_size / c.epsilon);
      return hn::AllTrue(tag, hn::Eq(hn::NegMulAdd(bound, hn::Abs(m), hn::Abs(p)), hn::Abs(p)));
    };
    std::int64_t made = begin;
    while (made < end && !rests(made)) {
      for (const std::int64_t stop = std::min(end, made + kStepsBetweenChecks); made < stop;) {
        step(++made);
      }
    }
    for (; made < end; ++made) {  // the moments alone
      m = hn::MulAdd(hn::Set(tag, c.beta1), m, zero);
      v = hn::MulAdd(hn::Set(tag, c.beta2), v, zero);
    }
    if (!finite()) {  // again, up to the first such step
      p = hn::Load(tag, parameter + f);
      m = hn::Load(tag, first + f);
      v = hn::Load(tag, second + f);
      std::int64_t t = begin;
      while (t < end && (t == begin || finite())) step(++t);
      fault = fault == 0 ? t : std::min(fault, t);
      while (t < end) step(++t);
    }
    hn::Store(m, tag, first + f);
    hn::Store(v, tag, second + f);
    hn::Store(p, tag, parameter + f);
  }
  return fault;
}

}  // namespace tern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tern::cpu {
HWY_EXPORT(adam_step);
HWY_EXPORT(adam_skipped_steps);

namespace {
/// Rows that a thread takes at a time: their missed steps, and so their work, differ.
constexpr std::int64_t kCatchUpBlock = 16;
}  // namespace

AdamCoefficients::AdamCoefficients(const AdamOptions& options)
    : beta1(static_cast<float>(options.beta1)),
      one_minus_beta1(static_cast<float>(1.0 - options.beta1)),
      beta2(static_cast<float>(options.beta2)),
      one_minus_beta2(static_cast<float>(1.0 - options.beta2)),
      epsilon(static_cast<float>(options.epsilon)),
      weight_decay(finite_factor(options.weight_decay)) {}

AdamCorrection adam_correction(const AdamOptions& options, std::int64_t step) {
  const auto t = static_cast<double>(step);
  return {.step_size = finite_factor(options.learning_rate / (1.0 - std::pow(options.beta1, t))),
          .root_correction = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(options.beta2, t)))};
}

std::span<const AdamCorrection> AdamCorrections::up_to(std::int64_t last,
                                                       const AdamOptions& options) {
  if (options.learning_rate != options_.learning_rate || options.beta1 != options_.beta1 ||
      options.beta2 != options_.beta2) {
    steps_.clear();
    options_ = options;
  }
  // The limit of both; the powers only fall.
  const AdamCorrection end{.step_size = finite_factor(options.learning_rate),
                           .root_correction = 1.0F};
  while (std::ssize(steps_) < last && (steps_.empty() || steps_.back() != end)) {
    steps_.push_back(adam_correction(options, std::ssize(steps_) + 1));
  }
  return steps_;
}

void CpuBackend::adam(const AdamOptions& options, const Counter& step, const Matrix& gradient,
                      Matrix& parameter, AdamState& state, const RowSet* rows, Counter* fault) {
  check_adam(options, step, gradient, parameter, state, rows, fault);
  const std::int64_t t = storage(step).value;
  check_step_count("adam", t);
  CounterStorage* noted = fault_storage(fault);
  const AdamCoefficients coefficients(options);
  const AdamCorrection correction = adam_correction(options, t);
  const CopyRefresh copied(parameter, rows);
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
                          if (!adam_step(coefficients, correction, g.data + begin, p.data + begin,
                                         m.data + begin, v.data + begin, size, size)) {
                            sound.store(false, std::memory_order_relaxed);
                          }
                          copied.copy(begin, end);
                        });
  } else {
    const NodeId* wanted = rows == nullptr ? nullptr : storage(*rows).rows.data();
    const std::int64_t count =
        rows == nullptr ? p.rows : static_cast<std::int64_t>(storage(*rows).rows.size());
    std::int64_t* last = rows == nullptr ? nullptr : storage(state.row_steps).last.data();
    parallel_for_blocks(pool_, count, kRowBlock, [&](std::int64_t i) {
      const std::int64_t row = wanted == nullptr ? i : wanted[i];
      if (!adam_step(coefficients, correction, g.row(row), p.row(row), m.row(row), v.row(row),
                     p.stride, p.cols)) {
        sound.store(false, std::memory_order_relaxed);
      }
      copied.copy(row * p.stride, (row + 1) * p.stride);
      if (last != nullptr) last[row] = t;
    });
  }
  copied.finish();
  if (!sound) note_fault(noted, t);
}

void CpuBackend::adam_catch_up(const AdamOptions& options, const Counter& step, Matrix& parameter,
                               AdamState& state, const RowSet* rows, Counter* fault) {
  check_adam_catch_up(options, step, parameter, state, rows, fault);
  const std::int64_t end = storage(step).value;
  CounterStorage* noted = fault_storage(fault);
  const auto p = view(parameter);
  const auto m = view(state.first_moment);
  const auto v = view(state.second_moment);
  RowStepsStorage& steps = storage(state.row_steps);
  if (end < 1) return;
  const AdamCoefficients coefficients(options);
  const std::span<const AdamCorrection> corrections = steps.corrections.up_to(end, options);
  const NodeId* wanted = rows == nullptr ? nullptr : storage(*rows).rows.data();
  const std::int64_t count =
      rows == nullptr ? p.rows : static_cast<std::int64_t>(storage(*rows).rows.size());
  const auto adam_skipped_steps = HWY_DYNAMIC_DISPATCH(adam_skipped_steps);
  std::atomic<std::int64_t> first_fault = 0;
  parallel_for_blocks(pool_, count, kCatchUpBlock, [&](std::int64_t i) {
    const std::int64_t row = wanted == nullptr ? i : wanted[i];
    const std::int64_t begin = steps.last[row];
    if (begin >= end) return;
    const std::int64_t found = adam_skipped_steps(coefficients, corrections, begin, end, p.row(row),
                                                  m.row(row), v.row(row), p.stride, p.cols);
    steps.last[row] = end;
    std::int64_t known = first_fault.load(std::memory_order_relaxed);
    while (found != 0 && (known == 0 || found < known) &&
           !first_fault.compare_exchange_weak(known, found, std::memory_order_relaxed)) {
    }
  });
  note_earlier_fault(noted, first_fault);
}

}  // namespace tern::cpu
#endif  // HWY_ONCE
