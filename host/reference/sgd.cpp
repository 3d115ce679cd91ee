#include <cmath>

#include "host/backend/checks.hpp"
#include "host/reference/backend.hpp"

namespace tern::reference {

// g += weight_decay · θ; v = momentum · v + g; θ -= lr · v
void ReferenceBackend::sgd(const SgdOptions& options, const Counter& step, const Matrix& gradient,
                           Matrix& parameter, SgdState& state, const RowSet* rows, Counter* fault) {
  check_sgd(options, step, gradient, parameter, state, rows, fault);
  const std::int64_t t = storage_of<CounterStorage>(step, "sgd", "step").value;
  check_step_count("sgd", t);
  CounterStorage* noted = fault_storage(fault);
  const MatrixView<const double> grads = view(gradient, "sgd", "gradient");
  const MatrixView<double> values = view(parameter, "sgd", "parameter");
  MatrixView<double> velocity;
  if (options.momentum != 0) velocity = view(state.velocity, "sgd", "velocity");

  bool sound = true;
  for (const NodeId row : rows_to_visit(rows, values.rows, "sgd")) {
    for (std::int64_t d = 0; d < values.cols; ++d) {
      double change = grads(row, d) + options.weight_decay * values(row, d);
      if (options.momentum != 0) {
        change += options.momentum * velocity(row, d);
        velocity(row, d) = change;
        sound = sound && std::isfinite(change);
      }
      values(row, d) -= options.learning_rate * change;
      sound = sound && std::isfinite(values(row, d));
    }
  }
  if (!sound) note_fault(noted, t);
}

}  // namespace tern::reference
