#include <cmath>

#include "host/backend/checks.hpp"
#include "host/reference/backend.hpp"

namespace tern::reference {

// m = β1 m + (1-β1) g; v = β2 v + (1-β2) g²; θ -= lr / (1-β1ᵗ) · m / (sqrt(v / (1-β2ᵗ)) + ε)
void ReferenceBackend::adam(const AdamOptions& options, const Counter& step, const Matrix& gradient,
                            Matrix& parameter, AdamState& state, const RowSet* rows,
                            Counter* fault) {
  check_adam(options, step, gradient, parameter, state, rows, fault);
  const std::int64_t t = get(step);
  check_step_count("adam", t);
  CounterStorage* noted = fault_storage(fault);
  const MatrixView<const double> grads = view(gradient, "adam", "gradient");
  const MatrixView<double> values = view(parameter, "adam", "parameter");
  const MatrixView<double> first = view(state.first_moment, "adam", "first_moment");
  const MatrixView<double> second = view(state.second_moment, "adam", "second_moment");
  const double correction1 = 1 - std::pow(options.beta1, static_cast<double>(t));
  const double correction2 = 1 - std::pow(options.beta2, static_cast<double>(t));

  bool sound = true;
  for (const NodeId row : rows_to_visit(rows, values.rows, "adam")) {
    for (std::int64_t d = 0; d < values.cols; ++d) {
      const double g = grads(row, d) + options.weight_decay * values(row, d);
      double& m = first(row, d);
      double& v = second(row, d);
      m = options.beta1 * m + (1 - options.beta1) * g;
      v = options.beta2 * v + (1 - options.beta2) * g * g;
      values(row, d) -=
          options.learning_rate / correction1 * m / (std::sqrt(v / correction2) + options.epsilon);
      sound = sound && std::isfinite(m) && std::isfinite(v) && std::isfinite(values(row, d));
    }
  }
  if (!sound) note_fault(noted, t);
}

}  // namespace tern::reference
