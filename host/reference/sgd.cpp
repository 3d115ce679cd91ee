#include "host/checks.hpp"
#include "host/reference/backend.hpp"

namespace tern::reference {

// g += weight_decay · θ; v = momentum · v + g; θ -= lr · v
void ReferenceBackend::sgd(const SgdOptions& options, const Matrix& gradient, Matrix& parameter,
                           SgdState& state, const RowSet* rows) {
  check_sgd(options, gradient, parameter, state, rows);
  const MatrixView<const double> grads = view(gradient, "sgd", "gradient");
  const MatrixView<double> values = view(parameter, "sgd", "parameter");
  MatrixView<double> velocity;
  if (options.momentum != 0) velocity = view(state.velocity, "sgd", "velocity");

  for (const NodeId row : rows_to_visit(rows, values.rows, "sgd")) {
    for (std::int64_t d = 0; d < values.cols; ++d) {
      double step = grads(row, d) + options.weight_decay * values(row, d);
      if (options.momentum != 0) {
        step += options.momentum * velocity(row, d);
        velocity(row, d) = step;
      }
      values(row, d) -= options.learning_rate * step;
    }
  }
}

}  // namespace tern::reference
