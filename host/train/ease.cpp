#include "host/train/ease.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <utility>
#include <variant>

#include "host/support/message.hpp"
#include "host/support/parallel.hpp"
#include "host/support/positive_definite.hpp"
#include "tern/error.hpp"
#include "tern/memory.hpp"

namespace tern {
namespace {

/// f64 takes 0.8 GB and a minute up to here.
constexpr NodeId kMaxDoubleItems = 8192;
constexpr std::int64_t kEaseRowsAtOnce = 16;
/// Parts between which progress is reported.
constexpr std::int64_t kEaseParts = 64;

std::int64_t bytes_of_ease(std::int64_t users, std::int64_t items, std::int64_t k,
                           Ease::Precision precision) {
  const std::int64_t value = precision == Ease::Precision::kDouble ? 8 : 4;
  const std::int64_t copy = precision == Ease::Precision::kDouble ? 4 : 0;
  return (value + copy) * items * items +
         std::max(value * kInverseTile * items, ranking_bytes(users, items, k));
}

void check_ease(const Interactions& train, const EaseOptions& options, std::int64_t k,
                Ease::Precision precision) {
  if (!(options.l2 > 0.0) || !std::isfinite(options.l2)) {
    throw ConfigError(fmt::format("l2 of EASE: found {}, expected a number above 0", options.l2));
  }
  const NodeId items = train.num_items();
  check_ease_items(items);
  const std::int64_t needed = bytes_of_ease(train.num_users(), items, k, precision);
  const std::int64_t free = host_memory().free;
  if (needed > free) {
    throw MemoryError(fmt::format("not enough memory for EASE of {} items: {} needed, {} free",
                                  items, format_bytes(needed), format_bytes(free)));
  }
}

/// RᵀR + λ I, (I, I): the lower triangle, zeros above. Counts are exact.
template <typename Real>
std::vector<Real> penalized_gram(const Interactions& train, double l2,
                                 const BaselineProgress& progress) {
  const Interactions by_item = train.transposed();
  const std::int64_t items = train.num_items();
  std::vector<Real> gram(static_cast<std::size_t>(items * items));
  const auto count = [&](std::int64_t item) {
    Real* row = gram.data() + item * items;
    for (const NodeId user : by_item.row(static_cast<NodeId>(item))) {
      for (const NodeId other : train.row(user)) {
        if (other > item) break;
        row[other] += Real{1};
      }
    }
    row[item] += static_cast<Real>(l2);
  };
  const std::int64_t part = std::max((items + kEaseParts - 1) / kEaseParts, kEaseRowsAtOnce);
  for (std::int64_t begin = 0; begin < items; begin += part) {
    if (progress) progress("EASE: counting pairs of items");
    parallel_for_blocks(std::min(part, items - begin), kEaseRowsAtOnce,
                        [&](std::int64_t item) { count(begin + item); });
  }
  return gram;
}

/// From P to B, in place if the type is that of B.
template <typename Real>
std::vector<float> weights_from(std::vector<Real> inverse, std::int64_t items) {
  std::vector<double> diagonal(static_cast<std::size_t>(items));
  for (std::int64_t j = 0; j < items; ++j) {
    diagonal[j] = static_cast<double>(inverse[j * items + j]);
  }
  std::vector<float> weights;
  if constexpr (std::is_same_v<Real, float>) {
    weights = std::move(inverse);
  } else {
    weights.resize(inverse.size());
  }
  const Real* source = nullptr;
  if constexpr (std::is_same_v<Real, float>) {
    source = weights.data();
  } else {
    source = inverse.data();
  }
  parallel_for_blocks(items, kEaseRowsAtOnce, [&](std::int64_t i) {
    for (std::int64_t j = 0; j < items; ++j) {
      const double p = static_cast<double>(source[i * items + j]);
      weights[i * items + j] = i == j ? 0.0F : static_cast<float>(-p / diagonal[j]);
    }
  });
  return weights;
}

template <typename Real>
std::vector<float> fit_ease(const Interactions& train, const EaseOptions& options,
                            const BaselineProgress& progress) {
  const std::int64_t items = train.num_items();
  std::vector<Real> gram = penalized_gram<Real>(train, options.l2, progress);
  const auto on_progress = [&](double share) {
    if (progress) {
      progress(
          fmt::format("EASE: inverting {} x {} numbers, {:.0f}%", items, items, 100.0 * share));
    }
  };
  try {
    invert_positive_definite(gram.data(), items, shared_pool(), on_progress);
  } catch (const NumericalFault&) {
    throw NumericalFault(
        fmt::format("EASE: the matrix of pairs is not positive definite in {}-bit numbers with l2 "
                    "{}, expected a greater l2",
                    8 * sizeof(Real), options.l2));
  }
  return weights_from(std::move(gram), items);
}

}  // namespace

void check_ease_items(NodeId items) {
  if (items > kMaxEaseItems) {
    throw ConfigError(fmt::format(
        "EASE takes a number for every pair of items: found {} items, expected at most {}", items,
        kMaxEaseItems));
  }
}

std::int64_t ease_bytes(std::int64_t users, std::int64_t items, std::int64_t k) {
  return bytes_of_ease(users, items, k, Ease::precision_for(items));
}

Ease::Precision Ease::precision_for(std::int64_t items) {
  return items <= kMaxDoubleItems ? Precision::kDouble : Precision::kSingle;
}

Ease::Ease(const Interactions& train, const EaseOptions& options, const BaselineProgress& progress,
           std::int64_t k)
    : Ease(train, options, progress, precision_for(train.num_items()), k) {}

Ease::Ease(const Interactions& train, const EaseOptions& options, const BaselineProgress& progress,
           Precision precision, std::int64_t k)
    : items_(train.num_items()) {
  check_ease(train, options, k, precision);
  weights_ = precision == Precision::kDouble ? fit_ease<double>(train, options, progress)
                                             : fit_ease<float>(train, options, progress);
}

Ease::Ease(TensorFile arrays, NodeId items, std::string_view file) : items_(items) {
  Tensor table = take_table(arrays, kWeights, items, items, file);
  weights_ = std::move(std::get<std::vector<float>>(table.values));
}

TensorFile Ease::take_arrays() {
  TensorFile file;
  file.tensors[kWeights] = {{items_, items_}, std::move(weights_)};
  return file;
}

void Ease::score(std::span<const History> histories, Scratch& /*scratch*/,
                 MatrixView<double> scores) const {
  for (std::size_t h = 0; h < histories.size(); ++h) {
    double* row = scores.row(static_cast<std::int64_t>(h));
    std::fill_n(row, scores.cols, 0.0);
    for (const NodeId item : histories[h]) {
      const float* added = weights_.data() + item * static_cast<std::int64_t>(items_);
      for (std::int64_t j = 0; j < scores.cols; ++j) row[j] += static_cast<double>(added[j]);
    }
  }
}

}  // namespace tern
