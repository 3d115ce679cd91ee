#include <cmath>
#include <vector>

#include "host/backend/checks.hpp"
#include "host/reference/backend.hpp"
#include "host/reference/unit_rows.hpp"

namespace tern::reference {
namespace {

/// factor · log of the mean of exp(-2 ‖x_t - x_j‖²) over all pairs t < j; adds its gradient.
double add_uniformity(double factor, UnitRows& x) {
  const auto size = static_cast<std::int64_t>(x.norms.size());
  if (size < 2) return 0;
  const auto share = [&](std::int64_t t, std::int64_t j) {
    double square = 0;
    for (std::int64_t d = 0; d < x.width; ++d) square += std::pow(x.value(t)[d] - x.value(j)[d], 2);
    return std::exp(-2 * square);
  };
  double sum = 0;
  for (std::int64_t t = 0; t < size; ++t) {
    for (std::int64_t j = t + 1; j < size; ++j) sum += share(t, j);
  }
  for (std::int64_t t = 0; t < size; ++t) {
    for (std::int64_t j = 0; j < size; ++j) {
      const double slope = 4 * factor * share(t, j) / sum;
      add(slope, x.value(j), x.width, x.grad(t));
      add(-slope, x.value(t), x.width, x.grad(t));
    }
  }
  const auto pairs = static_cast<double>(size) * static_cast<double>(size - 1) / 2;
  return factor * std::log(sum / pairs);
}

}  // namespace

// loss = 1/B Σ_t ‖û_t - p̂_t‖² + γ/2 (unif(û) + unif(p̂))
void ReferenceBackend::alignment_uniformity(Triplets& triplets,
                                            const AlignmentUniformityOptions& options,
                                            const Matrix& users, const Matrix& items,
                                            Matrix& grad_users, Matrix& grad_items,
                                            Matrix& losses) {
  check_alignment_uniformity(triplets, options, users, items, grad_users, grad_items, losses);
  constexpr std::string_view kOp = "alignment_uniformity";
  const std::span<const Triplet> batch = current_batch(triplets, kOp);
  const MatrixView<double> user_grads = view(grad_users, kOp, "grad_users");
  const MatrixView<double> item_grads = view(grad_items, kOp, "grad_items");
  const std::int64_t width = users.cols();
  const auto size = static_cast<std::int64_t>(batch.size());

  std::vector<NodeId> user_nodes;
  std::vector<NodeId> item_nodes;
  for (const auto& [user, positive, negative] : batch) {
    user_nodes.push_back(user);
    item_nodes.push_back(positive);
    for (std::int64_t d = 0; d < width; ++d) {
      user_grads(user, d) = item_grads(positive, d) = 0;
      if (negative >= 0) item_grads(negative, d) = 0;
    }
  }
  UnitRows u(view(users, kOp, "users"), user_nodes);
  UnitRows p(view(items, kOp, "items"), item_nodes);
  double alignment = 0;
  for (std::int64_t t = 0; t < size; ++t) {
    for (std::int64_t d = 0; d < width; ++d) {
      const double apart = u.value(t)[d] - p.value(t)[d];
      alignment += apart * apart / static_cast<double>(size);
      u.grad(t)[d] += 2 * apart / static_cast<double>(size);
      p.grad(t)[d] -= 2 * apart / static_cast<double>(size);
    }
  }
  const double half = options.uniformity_weight / 2;
  const double loss = alignment + add_uniformity(half, u) + add_uniformity(half, p);
  u.scatter(user_nodes, user_grads);
  p.scatter(item_nodes, item_grads);
  const auto& storage = storage_of<TripletsStorage>(triplets, kOp, "triplets");
  view(losses, kOp, "losses")(0, storage.batch) = loss;
}

}  // namespace tern::reference
