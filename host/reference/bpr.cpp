#include <algorithm>
#include <cmath>

#include "host/backend/checks.hpp"
#include "host/reference/backend.hpp"

namespace tern::reference {
namespace {

/// log(1 + eˣ) without overflow.
double softplus(double x) {
  return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
}

double sigmoid(double x) {
  const double e = std::exp(-std::abs(x));
  return (x >= 0 ? 1 : e) / (1 + e);
}

}  // namespace

// loss = 1/B Σ_t softplus(u_t·n_t - u_t·p_t), and its gradient with respect to the batch's rows
void ReferenceBackend::bpr(Triplets& triplets, const Matrix& users, const Matrix& items,
                           Matrix& grad_users, Matrix& grad_items, Matrix& losses) {
  check_bpr(triplets, users, items, grad_users, grad_items, losses);
  const std::span<const Triplet> batch = current_batch(triplets, "bpr");
  const MatrixView<const double> user_rows = view(users, "bpr", "users");
  const MatrixView<const double> item_rows = view(items, "bpr", "items");
  const MatrixView<double> user_grads = view(grad_users, "bpr", "grad_users");
  const MatrixView<double> item_grads = view(grad_items, "bpr", "grad_items");
  const MatrixView<double> loss_table = view(losses, "bpr", "losses");
  const auto& storage = storage_of<TripletsStorage>(triplets, "bpr", "triplets");
  const std::int64_t width = users.cols();

  for (const auto& [user, positive, negative] : batch) {
    for (std::int64_t d = 0; d < width; ++d) {
      user_grads(user, d) = item_grads(positive, d) = item_grads(negative, d) = 0;
    }
  }
  const auto size = static_cast<double>(batch.size());
  double loss = 0;
  for (const auto& [user, positive, negative] : batch) {
    const double* u = user_rows.row(user);
    const double* p = item_rows.row(positive);
    const double* n = item_rows.row(negative);
    double positive_score = 0;
    double negative_score = 0;
    for (std::int64_t d = 0; d < width; ++d) {
      positive_score += u[d] * p[d];
      negative_score += u[d] * n[d];
    }
    const double margin = negative_score - positive_score;
    loss += softplus(margin);
    const double sigma = sigmoid(margin) / size;
    for (std::int64_t d = 0; d < width; ++d) {
      user_grads(user, d) += sigma * (n[d] - p[d]);
      item_grads(positive, d) -= sigma * u[d];
      item_grads(negative, d) += sigma * u[d];
    }
  }
  loss_table(0, storage.batch) = loss / size;
}

}  // namespace tern::reference
