#pragma once

#include "host/gradcheck/report.hpp"

namespace tern::gradcheck_detail {

/// Gradients of propagate, bpr and l2_penalty on the f64 reference against central differences.
void check_op_gradients(Backend& reference, const GradcheckOptions& options, Seed seed,
                        Report& report);

/// Every op of `backend` against the reference on the same f32 inputs.
void compare_ops(Backend& backend, Backend& reference, const GradcheckOptions& options, Seed seed,
                 Report& report);

}  // namespace tern::gradcheck_detail
