#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "host/backend/checks.hpp"
#include "host/backend/negative_share.hpp"
#include "host/backend/pair_layout.hpp"
#include "host/backend/pair_weight.hpp"
#include "host/reference/backend.hpp"
#include "host/reference/unit_rows.hpp"

namespace tern::reference {
// loss = 1/P Σ_t w_t [ -s_tt / τ + t₂ log Σ_{j in C_t} exp(s_tj / τ - c log q_j) ], w_t = 1 without
// thresholds. Rows t are P pairs; columns j are their items, then, if they count, all sampled negatives.
void ReferenceBackend::in_batch_softmax(Triplets& triplets, const InBatchSoftmaxOptions& options,
                                        const Matrix& users, const Matrix& items,
                                        Matrix& grad_users, Matrix& grad_items, Matrix& losses) {
  check_in_batch_softmax(triplets, options, users, items, grad_users, grad_items, losses);
  constexpr std::string_view kOp = "in_batch_softmax";
  const std::span<const Triplet> batch = current_batch(triplets, kOp);
  const MatrixView<double> user_grads = view(grad_users, kOp, "grad_users");
  const MatrixView<double> item_grads = view(grad_items, kOp, "grad_items");
  const auto& storage = storage_of<TripletsStorage>(triplets, kOp, "triplets");
  const Interactions& graph = storage.interactions;
  const std::int64_t width = users.cols();
  const auto size = static_cast<std::int64_t>(batch.size());
  const PairLayout layout = layout_of(triplets, options);
  const std::int64_t pairs = layout.rows(size);
  const std::int64_t columns = layout.columns(size);

  for (const auto& [user, positive, negative] : batch) {
    for (std::int64_t d = 0; d < width; ++d) {
      user_grads(user, d) = item_grads(positive, d) = 0;
      if (negative >= 0) item_grads(negative, d) = 0;
    }
  }
  std::vector<NodeId> user_nodes;
  for (std::int64_t t = 0; t < pairs; ++t) user_nodes.push_back(batch[layout.triplet(t)].user);
  std::vector<NodeId> item_nodes;
  for (std::int64_t j = 0; j < columns; ++j) {
    item_nodes.push_back(layout.item(batch.data(), j, size));
  }
  std::vector<double> degrees(static_cast<std::size_t>(graph.num_items()));
  for (const NodeId item : graph.items()) ++degrees[static_cast<std::size_t>(item)];
  UnitRows u(view(users, kOp, "users"), user_nodes);
  UnitRows p(view(items, kOp, "items"), item_nodes);

  const auto leaves = [&](std::int64_t t, std::int64_t j) {
    if (j == t) return true;
    const NodeId item = item_nodes[j];
    if (options.mask == SoftmaxMask::kSameItem) return item == item_nodes[t];
    if (options.mask != SoftmaxMask::kObserved) return false;
    const std::span<const NodeId> row = graph.row(user_nodes[t]);
    return std::find(row.begin(), row.end(), item) != row.end();
  };
  const auto log_share = [&](std::int64_t j) {
    const double degree = degrees[item_nodes[j]];
    const auto interactions = static_cast<double>(graph.size());
    return std::log(column_share(degree, interactions, storage.negative_share, layout.negatives));
  };
  const double pull = 1 / (static_cast<double>(pairs) * options.temperature);
  const PairWeight& weighed = options.pair_weight;
  double loss = 0;
  std::vector<double> logits(item_nodes.size());
  for (std::int64_t t = 0; t < pairs; ++t) {
    double largest = -std::numeric_limits<double>::infinity();
    for (std::int64_t j = 0; j < columns; ++j) {
      if (leaves(t, j)) continue;
      logits[j] = dot(u.value(t), p.value(j), width) / options.temperature -
                  options.popularity_correction * log_share(j);
      largest = std::max(largest, logits[j]);
    }
    if (std::isinf(largest)) continue;  // no column
    double sum = 0;
    for (std::int64_t j = 0; j < columns; ++j) {
      if (!leaves(t, j)) sum += std::exp(logits[j] - largest);
    }
    const double own = dot(u.value(t), p.value(t), width);
    const double term =
        options.negative_weight * (largest + std::log(sum)) - own / options.temperature;
    PairFactor factor;
    if (weighed.thresholds != nullptr) {
      const double threshold = view(*weighed.thresholds, kOp, "thresholds")(0, user_nodes[t]);
      factor = pair_factor(own, threshold, weighed.temperature);
    }
    loss += factor.weight * term;
    for (std::int64_t j = 0; j < columns; ++j) {
      if (j != t && leaves(t, j)) continue;
      const double share = j == t ? 0 : std::exp(logits[j] - largest) / sum;
      double slope = factor.weight * pull * (j == t ? -1 : options.negative_weight * share);
      if (j == t) slope += factor.slope * term / static_cast<double>(pairs);
      add(slope, p.value(j), width, u.grad(t));
      add(slope, u.value(t), width, p.grad(j));
    }
  }
  u.scatter(user_nodes, user_grads);
  p.scatter(item_nodes, item_grads);
  view(losses, kOp, "losses")(0, storage.batch) = loss / static_cast<double>(pairs);
}

}  // namespace tern::reference
