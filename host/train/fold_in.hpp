#pragma once

#include <vector>

#include "tern/backend.hpp"
#include "tern/config.hpp"
#include "tern/interactions.hpp"
#include "tern/tensor_file.hpp"

namespace tern {

/// Whether fold_in() can place new users in a model with these options: LightGCN with a propagation.
bool can_fold_in(const ModelOptions& options);

/// Final embeddings of users that training has not seen, from the items H that each has interacted
/// with: LightGCN's propagation in the graph with this user added, while the items keep their rows,
///
///   e_u = 1/(L+1) Σ_{l=1..L} s_u Σ_{i∈H} s_i e_i^{l-1},   s_u = |H|^-½,   s_i = (d_i + 1)^-½
///
/// e_i^l: layer l of the item in the graph of training; d_i: its degree there. The user's own layer 0,
/// which only training could learn, is 0. With contrast.kind = xsimgcl, whose final embeddings are the
/// mean without layer 0, 1/L takes the place of 1/(L+1). With propagation.kind = lightgcn++:
///
///   e_u = (1-γ)/L Σ_{l=1..L} s_u Σ_{i∈H} s_i ê_i^{l-1},   s_u = |H|^-α,   s_i = (d_i + 1)^-β
///
/// Each user is added alone: a row depends on no other user.
///
/// graph and train: those of training. parameters: of a checkpoint. history: (new users, items).
/// Returns (new users, D) row-major; a user without items gets zeros. Sums in f64 by ascending item.
/// Throws ConfigError unless can_fold_in(), ShapeError on another number of items, and as
/// load_parameters() does. Source: He et al. 2020, eq. 7 and 8; Lee, Kim and Shin 2024.
std::vector<float> fold_in(Backend& backend, const Graph& graph, const Interactions& train,
                           const ModelOptions& options, const TensorFile& parameters,
                           const Interactions& history);

}  // namespace tern
