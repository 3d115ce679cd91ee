#pragma once

#include "tern/model.hpp"

namespace tern {

/// Carries the gradient of the final embeddings back to the parameters, and adds the L2 penalty of the
/// current batch, λ/(2B) Σ_t (‖e_u‖² + ‖e_p‖² + ‖e_n‖²), over the rows that Model::penalized names.
/// losses: element (1, current batch) is overwritten, unless λ is 0. Source: He et al. 2020, eq. 15.
void backward_with_penalty(Backend& backend, double l2, Model& model, Triplets& triplets,
                           Matrix& losses);

}  // namespace tern
