#include "host/train/graph_filter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <variant>

#include "host/support/lane_products.hpp"
#include "host/support/message.hpp"
#include "host/support/parallel.hpp"
#include "host/train/singular_vectors.hpp"
#include "tern/error.hpp"
#include "tern/memory.hpp"

namespace tern {
namespace {

/// 256 numbers of each of these items fill half of a core's second-level cache.
constexpr std::int64_t kLowPassItems = 512;

struct LinearScratch final : ItemScorer::Scratch {
  std::vector<double> weights;     // by user; zeros between histories
  std::vector<NodeId> neighbours;  // users with a weight
};

SingularVectors low_pass_of(const LinearFilter& linear, const GfCfOptions& options,
                            const BaselineProgress& progress, std::int64_t k) {
  if (options.rank < 1) {
    throw ConfigError(fmt::format("rank of GF-CF: found {}, expected 1 or more", options.rank));
  }
  if (!(options.alpha >= 0.0) || !std::isfinite(options.alpha)) {
    throw ConfigError(
        fmt::format("alpha of GF-CF: found {}, expected a number from 0", options.alpha));
  }
  const std::int64_t needed =
      gf_cf_memory(linear.by_user().num_users(), linear.num_items(), options.rank, k).peak();
  const std::int64_t free = host_memory().free;
  if (needed > free) {
    throw MemoryError(fmt::format("not enough memory for GF-CF: {} needed, {} free",
                                  format_bytes(needed), format_bytes(free)));
  }
  const auto on_round = [&](int round) {
    if (progress) progress(fmt::format("GF-CF: singular vectors, round {}", round));
  };
  return singular_vectors(linear.by_user(), linear.by_item(), linear.user_scales(),
                          linear.item_scales(), {.rank = options.rank, .seed = options.seed},
                          on_round);
}

}  // namespace

GfCfMemory gf_cf_memory(std::int64_t users, std::int64_t items, int rank, std::int64_t k) {
  return {.vectors = singular_vectors_bytes(users, items, rank),
          .ranking = ranking_bytes(users, items, k) + 8 * users * shared_pool().threads(),
          .kept = 12 * items * std::min<std::int64_t>(rank, items)};
}

/// One thread's workspace of a GfCf.
struct GfCfScratch final : ItemScorer::Scratch {
  std::unique_ptr<ItemScorer::Scratch> linear;
  std::vector<float> low;       // (rank, 16): a column holds a history in the basis V
  std::vector<float> products;  // (kLowPassItems, 16)
};

LinearFilter::LinearFilter(const Interactions& train, FilterSignal signal)
    : by_user_(train),
      by_item_(train.transposed()),
      user_scales_(inverse_roots(by_user_)),
      item_scales_(inverse_roots(by_item_)),
      signal_(item_scales_) {
  if (signal == FilterSignal::kPlain) return;
  for (std::size_t item = 0; item < signal_.size(); ++item) signal_[item] *= item_scales_[item];
}

std::unique_ptr<ItemScorer::Scratch> LinearFilter::make_scratch() const {
  auto scratch = std::make_unique<LinearScratch>();
  scratch->weights.assign(user_scales_.size(), 0.0);
  return scratch;
}

void LinearFilter::score(std::span<const History> histories, Scratch& scratch,
                         MatrixView<double> scores) const {
  auto& [weights, neighbours] = static_cast<LinearScratch&>(scratch);
  for (std::size_t h = 0; h < histories.size(); ++h) {
    double* row = scores.row(static_cast<std::int64_t>(h));
    std::fill_n(row, scores.cols, 0.0);
    neighbours.clear();
    for (const NodeId item : histories[h]) {
      const double signal = signal_[static_cast<std::size_t>(item)];
      for (const NodeId other : by_item_.row(item)) {
        double& weight = weights[static_cast<std::size_t>(other)];
        if (weight == 0.0) neighbours.push_back(other);
        weight += signal;
      }
    }
    // The order of the neighbours depends only on the graph.
    for (const NodeId other : neighbours) {
      const auto at = static_cast<std::size_t>(other);
      const double weight = weights[at] * user_scales_[at] * user_scales_[at];
      weights[at] = 0.0;
      for (const NodeId item : by_user_.row(other)) row[item] += weight;
    }
    for (std::size_t item = 0; item < item_scales_.size(); ++item) row[item] *= item_scales_[item];
  }
}

GfCf::GfCf(const Interactions& train, const GfCfOptions& options, const BaselineProgress& progress,
           std::int64_t k)
    : linear_(train, FilterSignal::kPlain), alpha_(options.alpha) {
  const SingularVectors found = low_pass_of(linear_, options, progress, k);
  rank_ = found.rank;
  vectors_.assign(found.items.begin(), found.items.end());
  set_roots();
}

GfCf::GfCf(const Interactions& train, const GfCfOptions& options, TensorFile arrays,
           std::string_view file)
    : linear_(train, FilterSignal::kPlain), alpha_(options.alpha) {
  Tensor table = take_table(arrays, kVectors, train.num_items(), -1, file);
  rank_ = table.shape[1];
  vectors_ = std::move(std::get<std::vector<float>>(table.values));
  set_roots();
}

void GfCf::set_roots() {
  for (const double scale : linear_.item_scales()) {
    roots_.push_back(scale > 0.0 ? alpha_ / scale : 0.0);
  }
}

TensorFile GfCf::take_arrays() {
  TensorFile file;
  file.tensors[kVectors] = {{num_items(), rank_}, std::move(vectors_)};
  return file;
}

std::unique_ptr<ItemScorer::Scratch> GfCf::make_scratch() const {
  auto scratch = std::make_unique<GfCfScratch>();
  scratch->linear = linear_.make_scratch();
  scratch->low.resize(static_cast<std::size_t>(rank_ * kProductLanes));
  scratch->products.resize(static_cast<std::size_t>(kLowPassItems * kProductLanes));
  return scratch;
}

void GfCf::score(std::span<const History> histories, Scratch& scratch,
                 MatrixView<double> scores) const {
  auto& own = static_cast<GfCfScratch&>(scratch);
  linear_.score(histories, *own.linear, scores);
  if (rank_ > 0 && alpha_ > 0.0) add_low_pass(histories, own, scores);
}

void GfCf::add_low_pass(std::span<const History> histories, GfCfScratch& scratch,
                        MatrixView<double> scores) const {
  const std::vector<double>& item_scales = linear_.item_scales();
  std::vector<double> sum(static_cast<std::size_t>(rank_));
  std::fill(scratch.low.begin(), scratch.low.end(), 0.0F);
  for (std::size_t h = 0; h < histories.size(); ++h) {
    std::fill(sum.begin(), sum.end(), 0.0);
    for (const NodeId item : histories[h]) {
      const float* v = vectors_.data() + item * rank_;
      for (std::int64_t d = 0; d < rank_; ++d) sum[d] += item_scales[item] * v[d];
    }
    for (std::int64_t d = 0; d < rank_; ++d) {
      scratch.low[d * kProductLanes + static_cast<std::int64_t>(h)] = static_cast<float>(sum[d]);
    }
  }
  for (std::int64_t begin = 0; begin < scores.cols; begin += kLowPassItems) {
    const std::int64_t count = std::min(kLowPassItems, scores.cols - begin);
    multiply_lanes(vectors_.data() + begin * rank_, count, rank_, scratch.low.data(),
                   scratch.products.data());
    for (std::size_t h = 0; h < histories.size(); ++h) {
      double* row = scores.row(static_cast<std::int64_t>(h)) + begin;
      for (std::int64_t i = 0; i < count; ++i) {
        const double product = scratch.products[i * kProductLanes + static_cast<std::int64_t>(h)];
        row[i] += roots_[begin + i] * product;
      }
    }
  }
}

}  // namespace tern
