#include "host/cpu/dense_gradients.hpp"

#include <algorithm>

#include "host/cpu/backend.hpp"
#include "host/cpu/dense_sweeps.hpp"

namespace tern::cpu {

SumGradients::SumGradients(const DenseSum& sum, const DenseSumGradients& gradients, int which)
    : addend_(gradients.addend), bias_(gradients.bias), which_(which) {
  const SumView views = view(sum);
  terms_.reserve(gradients.terms.size());
  for (std::size_t t = 0; t < gradients.terms.size(); ++t) {
    terms_.push_back({views.terms[t], gradients.terms[t]});
  }
}

bool SumGradients::wanted() const {
  return addend_ != nullptr || bias_ != nullptr ||
         std::ranges::any_of(terms_, [](const Term& term) {
           return term.gradients.input != nullptr || term.gradients.weight != nullptr;
         });
}

float* SumGradients::target(std::int64_t begin, std::int64_t stride, float* workspace) const {
  return addend_ != nullptr ? view(*addend_).data + begin * stride : workspace;
}

std::int64_t SumGradients::weight_sums_size(const DenseStateStorage& state) const {
  std::int64_t rows = 0;
  for (const Term& term : terms_) {
    if (term.gradients.weight != nullptr) rows += term.of.weight.rows;
  }
  return rows * state.stride * std::max<std::int64_t>(0, state.cuts.stretches - 1);
}

float* SumGradients::weight_sum(const DenseStateStorage& state, const Term& term,
                                std::int64_t s) const {
  if (s == 0) return view(*term.gradients.weight).data;
  float* place = weight_sums_;
  for (const Term& before : terms_) {
    const std::int64_t size = before.of.weight.rows * state.stride;
    if (&before == &term) return place + (s - 1) * size;
    if (before.gradients.weight != nullptr) place += (state.cuts.stretches - 1) * size;
  }
  return place;
}

void SumGradients::start(DenseStateStorage& state, std::int64_t s) const {
  for (const Term& term : terms_) {
    if (term.gradients.weight == nullptr) continue;
    std::fill_n(weight_sum(state, term, s), term.of.weight.rows * state.stride, 0.0F);
  }
  if (bias_ != nullptr) std::fill_n(state.sums_of(s, which_), state.stride, 0.0);
}

void SumGradients::add_block(DenseStateStorage& state, std::int64_t s, std::int64_t begin,
                             std::int64_t rows, const float* grad,
                             const DenseWorkspace& work) const {
  for (const Term& term : terms_) {
    if (term.gradients.weight != nullptr) {
      add_weight_gradient(term.of.input, begin, rows, state.stride, grad,
                          weight_sum(state, term, s));
    }
    if (term.gradients.input != nullptr) {
      write_input_gradient(term.of.weight, term.gradients.input_write, begin, rows, state.stride,
                           grad, work.panel, view(*term.gradients.input));
    }
  }
  if (bias_ == nullptr) return;
  sum_columns(grad, rows, state.stride, work.sums);
  double* sums = state.sums_of(s, which_);
  for (std::int64_t c = 0; c < state.cols; ++c) sums[c] += work.sums[c];
}

void SumGradients::finish(DenseStateStorage& state, ThreadPool& pool) const {
  const std::int64_t stretches = state.cuts.stretches;
  for (const Term& term : terms_) {
    if (term.gradients.weight == nullptr) continue;
    if (stretches == 0) {
      std::fill_n(weight_sum(state, term, 0), term.of.weight.rows * state.stride, 0.0F);
    }
    const std::int64_t width = state.stride;
    parallel_for(pool, term.of.weight.rows, [&](std::int64_t row) {
      float* total = weight_sum(state, term, 0) + row * width;
      for (std::int64_t s = 1; s < stretches; ++s) {
        const float* sum = weight_sum(state, term, s) + row * width;
        for (std::int64_t c = 0; c < width; ++c) total[c] += sum[c];
      }
    });
  }
  if (bias_ == nullptr) return;
  const auto bias = view(*bias_);
  for (std::int64_t c = 0; c < state.cols; ++c) {
    double total = 0.0;
    for (std::int64_t s = 0; s < stretches; ++s) total += state.sums_of(s, which_)[c];
    bias(0, c) = static_cast<float>(total);
  }
}

}  // namespace tern::cpu
