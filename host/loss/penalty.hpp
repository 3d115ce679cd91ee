#pragma once

#include "tern/batch.hpp"
#include "tern/model.hpp"

namespace tern {

/// The end of every ranking loss: adds the contrast that the model asks for, carries the gradients of
/// the final embeddings and of the view back to the parameters, and adds the L2 penalty of the current
/// batch, λ/(2B) Σ_t (‖e_u‖² + ‖e_p‖² + ‖e_n‖²), over the rows that Model::penalized names.
/// losses: (loss_terms(model), num_batches); element (1, current batch) is overwritten, unless λ is 0,
/// and elements 2 and 3 if there is a contrast. Source: He et al. 2020, eq. 15.
void backward_with_penalty(Backend& backend, double l2, Model& model, Batch& batch, Matrix& losses);

}  // namespace tern
