#pragma once

#include <functional>
#include <memory>

#include "host/gradcheck/report.hpp"

namespace tern::gradcheck_detail {

/// Checks gradients of the ops on the f64 reference against central differences.
void check_op_gradients(Backend& reference, const GradcheckOptions& options, Seed seed,
                        Report& report);

/// Compares every op of `backend` with the reference on the same f32 inputs.
void compare_ops(Backend& backend, Backend& reference, const GradcheckOptions& options, Seed seed,
                 Report& report);

/// Checks gradients of a model's whole loss on the f64 reference, element by element and along
/// random directions through all parameters.
void check_model_gradients(Backend& reference, const GradcheckOptions& options,
                           const NamedModel& model, Seed seed, Report& report);

/// The largest difference between two backends in the terms of a step's loss, or in the gradient of a parameter.
struct StepDifference {
  std::string of;  // "loss", "user_embedding"
  std::int64_t element = -1;
  std::int64_t cols = 0;
  double found = 0.0;
  double expected = 0.0;
  double scale = 0.0;  // error and bound are relative to it
  double error = 0.0;
  double bound = 0.0;
  double condition = 0.0;
};
using MakeStep = std::function<std::unique_ptr<StepProblem>(Backend&)>;
/// Compares the step that `make` gives on a backend with the same on the reference. terms: of its longest sums.
/// least_scale: what the error of the loss is at least relative to.
std::vector<StepDifference> compare_steps(Backend& backend, Backend& reference,
                                          const MakeStep& make, std::int64_t terms, Seed seed,
                                          double least_scale = 0.0);

/// Compares loss and gradients of a model on `backend` with the reference.
void compare_model(Backend& backend, Backend& reference, const GradcheckOptions& options,
                   const NamedModel& model, Seed seed, Report& report);

}  // namespace tern::gradcheck_detail
