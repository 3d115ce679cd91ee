#include "bench/support/costs.hpp"

namespace tern {
namespace {

constexpr double kValue = 4.0;
constexpr double kId = 4.0;
constexpr double kOffset = 8.0;

}  // namespace

Cost propagate_cost(std::int64_t rows, std::int64_t edges, std::int64_t width, bool with_addend,
                    double gathered_value) {
  const auto n = static_cast<double>(rows);
  const auto e = static_cast<double>(edges);
  const auto d = static_cast<double>(width);
  const double addend = with_addend ? 1.0 : 0.0;
  return {.bytes = e * (kId + kValue + d * gathered_value) + n * (kOffset + kValue + d * kValue) +
                   addend * n * d * kValue,
          .flops = 2.0 * e * d + n * d + addend * n * d,
          .written = n * d * kValue,
          .gathered = e * d * gathered_value};
}

Cost bpr_cost(std::int64_t triplets, std::int64_t user_rows, std::int64_t item_rows,
              std::int64_t width) {
  const auto b = static_cast<double>(triplets);
  const auto rows = static_cast<double>(user_rows + item_rows);
  const auto d = static_cast<double>(width);
  const double scores = b * (3.0 * kId + 3.0 * d * kValue + kValue);
  const double gradients = b * (3.0 * (kId + kValue) + 4.0 * d * kValue) + rows * d * kValue;
  return {.bytes = scores + gradients,
          .flops = b * d * (3.0 + 3.0 + 2.0 * 2.0),
          .written = b * kValue + rows * d * kValue,
          .gathered = 7.0 * b * d * kValue};
}

Cost in_batch_softmax_cost(std::int64_t pairs, std::int64_t width) {
  const auto b = static_cast<double>(pairs);
  const auto d = static_cast<double>(width);
  return {.bytes = 4.0 * b * d * kValue,
          .flops = 6.0 * b * b * d + 3.0 * b * b,
          .written = 2.0 * b * d * kValue,
          .gathered = 2.0 * b * d * kValue};
}

Cost alignment_uniformity_cost(std::int64_t pairs, std::int64_t width) {
  const auto b = static_cast<double>(pairs);
  const auto d = static_cast<double>(width);
  return {.bytes = 4.0 * b * d * kValue,
          .flops = 2.0 * (4.0 * b * b * d + 3.0 * b * b),
          .written = 2.0 * b * d * kValue,
          .gathered = 2.0 * b * d * kValue};
}

Cost info_nce_cost(std::int64_t nodes, std::int64_t width) {
  const auto n = static_cast<double>(nodes);
  const auto d = static_cast<double>(width);
  return {.bytes = 6.0 * n * d * kValue,
          .flops = 6.0 * n * n * d + 3.0 * n * n,
          .written = 2.0 * n * d * kValue,
          .gathered = 4.0 * n * d * kValue};
}

Cost sampled_contrast_cost(std::int64_t pairs, std::int64_t negatives, std::int64_t user_rows,
                           std::int64_t item_rows, std::int64_t width) {
  const auto p = static_cast<double>(pairs);
  const double pushed = p * static_cast<double>(negatives);
  const double cosines = p + pushed;
  const auto rows = static_cast<double>(user_rows + item_rows);
  const auto d = static_cast<double>(width);
  const double scores = (p + cosines) * (kId + d * kValue) + pushed * kValue;
  const double gradients = 2.0 * cosines * (kId + kValue + d * kValue) + rows * d * kValue;
  return {.bytes = scores + gradients,
          .flops = 3.0 * 2.0 * cosines * d,
          .written = pushed * kValue + rows * d * kValue,
          .gathered = (p + 3.0 * cosines) * d * kValue};
}

Cost l2_penalty_cost(std::int64_t rows, std::int64_t width) {
  const auto n = static_cast<double>(rows) * static_cast<double>(width);
  return {.bytes = 3.0 * n * kValue,
          .flops = 4.0 * n,
          .written = n * kValue,
          .gathered = 2.0 * n * kValue};
}

Cost adam_cost(std::int64_t elements) {
  const auto n = static_cast<double>(elements);
  return {.bytes = 7.0 * n * kValue, .flops = 14.0 * n, .written = 3.0 * n * kValue};
}

Cost adam_catch_up_cost(std::int64_t elements, std::int64_t steps) {
  const auto n = static_cast<double>(elements);
  return {.bytes = 6.0 * n * kValue,
          .flops = 8.0 * n * static_cast<double>(steps),
          .written = 3.0 * n * kValue};
}

Cost sgd_cost(std::int64_t elements, bool with_momentum) {
  const auto n = static_cast<double>(elements);
  return {.bytes = (with_momentum ? 5.0 : 3.0) * n * kValue,
          .flops = (with_momentum ? 6.0 : 4.0) * n,
          .written = (with_momentum ? 2.0 : 1.0) * n * kValue};
}

Cost score_topk_cost(std::int64_t queries, std::int64_t items, std::int64_t width) {
  const auto q = static_cast<double>(queries);
  const auto i = static_cast<double>(items);
  const auto d = static_cast<double>(width);
  return {.bytes = (q + i) * d * kValue, .flops = 2.0 * q * i * d};
}

Cost embedding_statistics_cost(std::int64_t rows, std::int64_t width) {
  const auto n = static_cast<double>(rows);
  const auto d = static_cast<double>(width);
  return {.bytes = n * d * kValue, .flops = 2.0 * n * d * d};
}

Cost dense_forward_cost(std::int64_t rows, std::int64_t inputs, std::int64_t cols) {
  const auto n = static_cast<double>(rows);
  const auto f = static_cast<double>(inputs);
  const auto c = static_cast<double>(cols);
  return {.bytes = (n * f + f * c + 3.0 * n * c) * kValue,
          .flops = n * c * (2.0 * f + 13.0),
          .written = 2.0 * n * c * kValue};
}

Cost dense_backward_cost(std::int64_t rows, std::int64_t inputs, std::int64_t cols) {
  const auto n = static_cast<double>(rows);
  const auto f = static_cast<double>(inputs);
  const auto c = static_cast<double>(cols);
  return {.bytes = (2.0 * n * f + 2.0 * f * c + 4.0 * n * c) * kValue,
          .flops = n * c * (4.0 * f + 14.0),
          .written = (n * f + f * c) * kValue};
}

Cost dropout_cost(std::int64_t elements, double read) {
  const auto n = static_cast<double>(elements);
  return {.bytes = (1.0 + read) * n * kValue, .flops = read * n, .written = n * kValue};
}

Cost perturb_cost(std::int64_t elements, std::int64_t summed) {
  const auto n = static_cast<double>(elements);
  const auto s = static_cast<double>(summed);
  return {.bytes = 2.0 * (n + s) * kValue, .flops = 4.0 * n + 2.0 * s, .written = (n + s) * kValue};
}

Cost normalize_rows_cost(std::int64_t elements, std::int64_t summed) {
  const auto n = static_cast<double>(elements);
  const auto s = static_cast<double>(summed);
  return {.bytes = 2.0 * (n + s) * kValue, .flops = 3.0 * n + 2.0 * s, .written = (n + s) * kValue};
}

Cost normalize_rows_backward_cost(std::int64_t elements, std::int64_t added) {
  const auto n = static_cast<double>(elements);
  const auto a = static_cast<double>(added);
  return {.bytes = (3.0 * n + a) * kValue, .flops = 7.0 * n + 2.0 * a, .written = n * kValue};
}

Cost sample_cost(std::int64_t triplets) {
  const auto t = static_cast<double>(triplets);
  return {.bytes = t * (3.0 * kId + 2.0 * kOffset + kId), .written = t * 3.0 * kId};
}

}  // namespace tern
