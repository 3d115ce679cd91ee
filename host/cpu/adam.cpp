// One step of Adam, see Backend::adam: a single pass that reads the gradient, and reads and writes
// the parameter and both moments.

#include "host/cpu/adam.hpp"

#include <algorithm>
#include <cmath>

#include "host/checks.hpp"
#include "host/cpu/backend.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/adam.cpp"
#include <hwy/foreach_target.h>  // after HWY_TARGET_INCLUDE
#include <hwy/highway.h>         // after foreach_target.h

HWY_BEFORE_NAMESPACE();
namespace tern::cpu::HWY_NAMESPACE {

/// Steps `size` elements, whole blocks. The padding stays zero: g = m = v = 0 moves nothing.
void adam_step(const AdamCoefficients& c, const float* HWY_RESTRICT gradient,
               float* HWY_RESTRICT parameter, float* HWY_RESTRICT first, float* HWY_RESTRICT second,
               std::int64_t size) {
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
  for (std::int64_t f = 0; f < size; f += static_cast<std::int64_t>(hn::Lanes(tag))) {
    const auto p = hn::Load(tag, parameter + f);
    const auto g = hn::MulAdd(weight_decay, p, hn::Load(tag, gradient + f));
    const auto m = hn::MulAdd(beta1, hn::Load(tag, first + f), hn::Mul(one_minus_beta1, g));
    const auto v =
        hn::MulAdd(beta2, hn::Load(tag, second + f), hn::Mul(hn::Mul(one_minus_beta2, g), g));
    const auto denominator = hn::MulAdd(hn::Sqrt(v), root_correction, epsilon);
    hn::Store(m, tag, first + f);
    hn::Store(v, tag, second + f);
    hn::Store(hn::NegMulAdd(step_size, hn::Div(m, denominator), p), tag, parameter + f);
  }
}

}  // namespace tern::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tern::cpu {
HWY_EXPORT(adam_step);

void CpuBackend::adam(const AdamOptions& options, const Counter& step, const Matrix& gradient,
                      Matrix& parameter, AdamState& state, const RowSet* rows) {
  check_adam(options, step, gradient, parameter, state, rows);
  const auto t = static_cast<double>(storage(step).value);
  check_adam_step(storage(step).value);
  const AdamCoefficients coefficients{
      .beta1 = static_cast<float>(options.beta1),
      .one_minus_beta1 = static_cast<float>(1.0 - options.beta1),
      .beta2 = static_cast<float>(options.beta2),
      .one_minus_beta2 = static_cast<float>(1.0 - options.beta2),
      .step_size = static_cast<float>(options.learning_rate / (1.0 - std::pow(options.beta1, t))),
      .root_correction = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(options.beta2, t))),
      .epsilon = static_cast<float>(options.epsilon),
      .weight_decay = static_cast<float>(options.weight_decay)};
  const auto g = view(gradient);
  const auto p = view(parameter);
  const auto m = view(state.first_moment);
  const auto v = view(state.second_moment);
  const auto adam_step = HWY_DYNAMIC_DISPATCH(adam_step);
  if (rows == nullptr) {
    const std::int64_t size = p.rows * p.stride;
    constexpr std::int64_t kPiece = 1 << 14;
#pragma omp parallel for num_threads(threads_) schedule(static)
    for (std::int64_t f = 0; f < size; f += kPiece) {
      adam_step(coefficients, g.data + f, p.data + f, m.data + f, v.data + f,
                std::min(kPiece, size - f));
    }
    return;
  }
  const std::vector<NodeId>& wanted = storage(*rows).rows;
#pragma omp parallel for num_threads(threads_) schedule(static)
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const NodeId row = wanted[i];
    adam_step(coefficients, g.row(row), p.row(row), m.row(row), v.row(row), p.stride);
  }
}

}  // namespace tern::cpu
#endif  // HWY_ONCE
