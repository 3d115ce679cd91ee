#pragma once

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

/// Compares loss and gradients of a model on `backend` with the reference.
void compare_model(Backend& backend, Backend& reference, const GradcheckOptions& options,
                   const NamedModel& model, Seed seed, Report& report);

}  // namespace tern::gradcheck_detail
