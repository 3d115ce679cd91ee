#include "host/loss/softmax_at_k_loss.hpp"

#include <algorithm>
#include <numeric>
#include <span>
#include <vector>

#include "host/loss/softmax_loss.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

Matrix unit_rows_of(Backend& backend, const Matrix& matrix) {
  Matrix unit = backend.allocate(matrix.rows(), matrix.cols());
  backend.normalize_rows(matrix, unit);
  return unit;
}

/// The last score of a list, best first; 0 if it has none.
double worst_of(std::span<const NodeId> items, std::span<const float> scores) {
  const auto end = std::find(items.begin(), items.end(), NodeId{-1});
  return end == items.begin() ? 0.0 : scores[static_cast<std::size_t>(end - items.begin() - 1)];
}

}  // namespace

NodeId users_at_once(std::int64_t k) {
  constexpr std::int64_t kMaxUsers = 4096;
  constexpr std::int64_t kItems = std::int64_t{1} << 20;
  return static_cast<NodeId>(std::clamp<std::int64_t>(kItems / k, 1, kMaxUsers));
}

SoftmaxAtKLoss::SoftmaxAtKLoss(Backend& backend, const LossOptions& options, double l2,
                               NodeId num_users)
    : backend_(backend),
      options_(options.at_k),
      thresholds_(backend.allocate(1, num_users, {.replicated = true})) {
  InBatchSoftmaxOptions weighted = options.softmax;
  weighted.pair_weight = {.thresholds = &thresholds_, .temperature = options_.weight_temperature};
  softmax_ = make_softmax_loss(backend, options.negatives, weighted, l2);
}

void SoftmaxAtKLoss::begin_epoch(Model& model, int epoch,
                                 const std::function<bool()>& should_stop) {
  if (epoch == 1 || (epoch - 1) % options_.refresh_every != 0) return;
  model.embed();
  const Matrix users = unit_rows_of(backend_, model.embeddings(Side::kUser));
  const Matrix items = unit_rows_of(backend_, model.embeddings(Side::kItem));
  const auto k = std::min<std::int64_t>(options_.k, items.rows());
  std::vector<double> thresholds(static_cast<std::size_t>(users.rows()));
  if (k > 0 && !thresholds.empty()) {
    TopItems top;
    const std::int64_t step = users_at_once(k);
    for (std::int64_t first = 0; first < users.rows(); first += step) {
      if (should_stop && should_stop()) throw Interrupted("the measurement was stopped");
      std::vector<NodeId> block(static_cast<std::size_t>(std::min(step, users.rows() - first)));
      std::iota(block.begin(), block.end(), static_cast<NodeId>(first));
      backend_.score_topk(users, items, block, {}, k, top);
      for (std::size_t q = 0; q < block.size(); ++q) {
        const auto length = static_cast<std::size_t>(k);
        thresholds[static_cast<std::size_t>(block[q])] =
            worst_of(std::span(top.items).subspan(q * length, length),
                     std::span(top.scores).subspan(q * length, length));
      }
    }
  }
  backend_.upload(std::span<const double>(thresholds), thresholds_);
}

}  // namespace tern
