// The checks of adam and sgd; see host/backend/checks.hpp.

#include <fmt/format.h>

#include "host/backend/checks.hpp"
#include "host/backend/expect.hpp"
#include "tern/error.hpp"

namespace tern {
namespace {

void check_fault(std::string_view op, const Counter& step, const Counter* fault) {
  if (fault == nullptr) return;
  expect_present(op, "fault", *fault);
  if (fault->storage() == step.storage()) {
    throw_shape("{}: fault and step are the same counter, expected two", op);
  }
}

/// The checks that adam and adam_catch_up share.
void check_adam_state(std::string_view op, const AdamOptions& options, const Counter& step,
                      const Matrix& parameter, const AdamState& state, const RowSet* rows,
                      const Counter* fault) {
  expect_non_negative("learning_rate", options.learning_rate);
  expect_option("beta1", options.beta1, options.beta1 >= 0 && options.beta1 < 1, "[0, 1)");
  expect_option("beta2", options.beta2, options.beta2 >= 0 && options.beta2 < 1, "[0, 1)");
  expect_non_negative("epsilon", options.epsilon);
  expect_non_negative("weight_decay", options.weight_decay);
  expect_present(op, "step", step);
  expect_present(op, "parameter", parameter);
  expect_shape(op, "first_moment", state.first_moment, parameter.rows(), parameter.cols());
  expect_shape(op, "second_moment", state.second_moment, parameter.rows(), parameter.cols());
  expect_distinct(op, {{"parameter", &parameter},
                       {"first_moment", &state.first_moment},
                       {"second_moment", &state.second_moment}});
  if (rows != nullptr) expect_row_set(op, "rows", *rows, parameter.rows());
  check_fault(op, step, fault);
}

void expect_row_steps(std::string_view op, const RowSteps& steps, std::int64_t rows) {
  expect_present(op, "row_steps", steps);
  if (steps.rows() != rows) {
    throw_shape("{}: row_steps are of {} rows, expected {}", op, steps.rows(), rows);
  }
}

}  // namespace

void check_adam(const AdamOptions& options, const Counter& step, const Matrix& gradient,
                const Matrix& parameter, const AdamState& state, const RowSet* rows,
                const Counter* fault) {
  constexpr std::string_view kOp = "adam";
  check_adam_state(kOp, options, step, parameter, state, rows, fault);
  expect_shape(kOp, "gradient", gradient, parameter.rows(), parameter.cols());
  for (const Matrix* matrix : {&parameter, &state.first_moment, &state.second_moment}) {
    expect_distinct(kOp, "gradient", gradient, "a matrix of the state", *matrix);
  }
  if (rows != nullptr) {
    expect_row_steps(kOp, state.row_steps, parameter.rows());
  } else if (!state.row_steps.empty()) {
    throw_shape("{}: row_steps are of no use without rows; expected none", kOp);
  }
}

void check_adam_catch_up(const AdamOptions& options, const Counter& step, const Matrix& parameter,
                         const AdamState& state, const RowSet* rows, const Counter* fault) {
  constexpr std::string_view kOp = "adam_catch_up";
  check_adam_state(kOp, options, step, parameter, state, rows, fault);
  expect_row_steps(kOp, state.row_steps, parameter.rows());
}

void check_make_row_steps(std::int64_t rows) {
  check_allocate(rows, 1, sizeof(std::int64_t));
}

void check_step_count(std::string_view op, std::int64_t step) {
  if (step < 1) {
    throw ConfigError(fmt::format("{}: found step {}, expected 1 for the first", op, step));
  }
}

void check_sgd(const SgdOptions& options, const Counter& step, const Matrix& gradient,
               const Matrix& parameter, const SgdState& state, const RowSet* rows,
               const Counter* fault) {
  constexpr std::string_view kOp = "sgd";
  expect_present(kOp, "step", step);
  expect_non_negative("learning_rate", options.learning_rate);
  expect_non_negative("momentum", options.momentum);
  expect_non_negative("weight_decay", options.weight_decay);
  expect_present(kOp, "parameter", parameter);
  expect_shape(kOp, "gradient", gradient, parameter.rows(), parameter.cols());
  expect_distinct(kOp, "parameter", parameter, "gradient", gradient);
  if (options.momentum != 0) {
    expect_shape(kOp, "velocity", state.velocity, parameter.rows(), parameter.cols());
    expect_distinct(kOp, "velocity", state.velocity, "parameter", parameter);
    expect_distinct(kOp, "velocity", state.velocity, "gradient", gradient);
  }
  if (rows != nullptr) expect_row_set(kOp, "rows", *rows, parameter.rows());
  check_fault(kOp, step, fault);
}

}  // namespace tern
