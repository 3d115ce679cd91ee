#pragma once

#include "host/gradcheck/report.hpp"

namespace tern::gradcheck_detail {

/// Gradients of a model's whole loss on the f64 reference, element by element and along random
/// directions through all parameters.
void check_model_gradients(Backend& reference, const GradcheckOptions& options,
                           const NamedModel& model, Seed seed, Report& report);

/// Loss and gradients of a model on `backend` against the reference.
void compare_model(Backend& backend, Backend& reference, const GradcheckOptions& options,
                   const NamedModel& model, Seed seed, Report& report);

}  // namespace tern::gradcheck_detail
