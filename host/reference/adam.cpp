#include <cmath>
#include <string>

#include "host/backend/checks.hpp"
#include "host/reference/backend.hpp"
#include "tern/error.hpp"

namespace tern::reference {
namespace {

/// A table with its moments.
struct AdamTable {
  MatrixView<double> values;
  MatrixView<double> first;
  MatrixView<double> second;
};

/// Step t of one row; gradient: null for 0. Returns whether the row is finite afterwards.
// m = β1 m + (1-β1) g; v = β2 v + (1-β2) g²; θ -= lr / (1-β1ᵗ) · m / (sqrt(v / (1-β2ᵗ)) + ε)
bool step_row(const AdamOptions& options, std::int64_t t, const double* gradient,
              const AdamTable& table, std::int64_t row) {
  const double correction1 = 1 - std::pow(options.beta1, static_cast<double>(t));
  const double correction2 = 1 - std::pow(options.beta2, static_cast<double>(t));
  bool sound = true;
  for (std::int64_t d = 0; d < table.values.cols; ++d) {
    double& value = table.values(row, d);
    double& m = table.first(row, d);
    double& v = table.second(row, d);
    const double g = (gradient == nullptr ? 0.0 : gradient[d]) + options.weight_decay * value;
    m = options.beta1 * m + (1 - options.beta1) * g;
    v = options.beta2 * v + (1 - options.beta2) * g * g;
    value -=
        options.learning_rate / correction1 * m / (std::sqrt(v / correction2) + options.epsilon);
    sound = sound && std::isfinite(m) && std::isfinite(v) && std::isfinite(value);
  }
  return sound;
}

AdamTable table_of(Matrix& parameter, AdamState& state, std::string_view op) {
  return {view(parameter, op, "parameter"), view(state.first_moment, op, "first_moment"),
          view(state.second_moment, op, "second_moment")};
}

std::vector<std::int64_t>* row_steps_of(AdamState& state, std::string_view op) {
  if (state.row_steps.empty()) return nullptr;
  return &storage_of<RowStepsStorage>(state.row_steps, op, "row_steps").last;
}

}  // namespace

void ReferenceBackend::adam(const AdamOptions& options, const Counter& step, const Matrix& gradient,
                            Matrix& parameter, AdamState& state, const RowSet* rows,
                            Counter* fault) {
  check_adam(options, step, gradient, parameter, state, rows, fault);
  const std::int64_t t = storage_of<CounterStorage>(step, "adam", "step").value;
  check_step_count("adam", t);
  CounterStorage* noted = fault_storage(fault);
  const MatrixView<const double> grads = view(gradient, "adam", "gradient");
  const AdamTable table = table_of(parameter, state, "adam");
  std::vector<std::int64_t>* last = row_steps_of(state, "adam");

  bool sound = true;
  for (const NodeId row : rows_to_visit(rows, parameter.rows(), "adam")) {
    if (last != nullptr) {
      if ((*last)[row] != t - 1) {
        throw Error("adam: row " + std::to_string(row) + " is at step " +
                    std::to_string((*last)[row]) + ", expected " + std::to_string(t - 1) +
                    "; catch it up first");
      }
      (*last)[row] = t;
    }
    sound = step_row(options, t, grads.row(row), table, row) && sound;
  }
  if (!sound) note_fault(noted, t);
}

void ReferenceBackend::adam_catch_up(const AdamOptions& options, const Counter& step,
                                     Matrix& parameter, AdamState& state, const RowSet* rows,
                                     Counter* fault) {
  constexpr std::string_view kOp = "adam_catch_up";
  check_adam_catch_up(options, step, parameter, state, rows, fault);
  const std::int64_t to = storage_of<CounterStorage>(step, "adam_catch_up", "step").value;
  CounterStorage* noted = fault_storage(fault);
  const AdamTable table = table_of(parameter, state, kOp);
  std::vector<std::int64_t>& last = *row_steps_of(state, kOp);

  for (const NodeId row : rows_to_visit(rows, parameter.rows(), kOp)) {
    while (last[row] < to) {
      const std::int64_t t = ++last[row];
      if (!step_row(options, t, nullptr, table, row)) note_earlier_fault(noted, t);
    }
  }
}

}  // namespace tern::reference
