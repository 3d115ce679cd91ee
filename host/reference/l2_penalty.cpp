#include "host/backend/checks.hpp"
#include "host/reference/backend.hpp"

namespace tern::reference {

// loss = λ/(2B) Σ_t (‖u_t‖² + ‖p_t‖² + ‖n_t‖²), without n_t for pairs;
// each occurrence adds λ/B · row to its gradient
void ReferenceBackend::l2_penalty(Triplets& triplets, double lambda, const Matrix& users,
                                  const Matrix& items, Matrix& grad_users, Matrix& grad_items,
                                  Matrix& losses) {
  check_l2_penalty(triplets, lambda, users, items, grad_users, grad_items, losses);
  const std::span<const Triplet> batch = current_batch(triplets, "l2_penalty");
  const MatrixView<const double> user_rows = view(users, "l2_penalty", "users");
  const MatrixView<const double> item_rows = view(items, "l2_penalty", "items");
  const MatrixView<double> user_grads = view(grad_users, "l2_penalty", "grad_users");
  const MatrixView<double> item_grads = view(grad_items, "l2_penalty", "grad_items");
  const MatrixView<double> loss_table = view(losses, "l2_penalty", "losses");
  const auto& storage = storage_of<TripletsStorage>(triplets, "l2_penalty", "triplets");

  const double factor = lambda / static_cast<double>(batch.size());
  double squares = 0;
  for (const auto& [user, positive, negative] : batch) {
    const bool is_pair = negative == kNoItem;
    for (std::int64_t d = 0; d < users.cols(); ++d) {
      const double u = user_rows(user, d);
      const double p = item_rows(positive, d);
      const double n = is_pair ? 0.0 : item_rows(negative, d);
      squares += u * u + p * p + n * n;
      user_grads(user, d) += factor * u;
      item_grads(positive, d) += factor * p;
      if (!is_pair) item_grads(negative, d) += factor * n;
    }
  }
  loss_table(1, storage.batch) = factor / 2 * squares;
}

}  // namespace tern::reference
