#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tern/backend.hpp"

namespace tern {

/// A random problem to check gradients on: a bipartite graph, tables of embeddings, a batch of
/// sampled triplets. By construction the last user and the last item are isolated, and the first
/// user has every item that is not isolated.
struct GradcheckOptions {
  NodeId users = 24;
  NodeId items = 18;
  /// The share of the remaining pairs that are interactions.
  double density = 0.25;
  int width = 8;
  /// LightGCN is checked with 1 layer and with this number; gcmc with ids, with features, and with
  /// both in two layers.
  int layers = 3;
  std::int64_t batch_size = 32;
  /// Large enough that a missing penalty shows.
  double l2 = 0.05;
  /// The number of problems, with seeds seed, seed + 1, ...; the worst error counts.
  int problems = 3;
  Seed seed{0};
  /// Only ops and models whose names match: a POSIX extended regular expression, found anywhere in the name.
  std::string filter = {};
};

/// One line of the report.
struct GradcheckResult {
  std::string subject;   // an op or a model: "bpr", "lightgcn L3"
  std::string quantity;  // what was checked: "gradient of users"
  std::string method;    // "central differences", "directional derivative", "against f64"
  std::string backend;   // "reference", "cpu", "cuda:0"
  double error = 0.0;    // of the problem in which it is the largest share of the bound
  double bound = 0.0;

  /// The problem, and the element with this error: its row-major index, or -1 if it is no single one; its columns,
  /// 0 if they are not known; the analytic derivative and the numeric one or, against f64, what the backend and the
  /// reference computed.
  Seed seed{};
  std::int64_t element = -1;
  std::int64_t cols = 0;
  double found = 0.0;
  double expected = 0.0;
  /// Against f64: κ, how much larger roundings of the inputs become in the result.
  double condition = 0.0;

  /// False if the error is NaN.
  bool passed() const { return error <= bound; }
  /// Whether the problem itself may be the reason: beyond this κ a bound that grows with it would let a wrong digit in a
  /// hundred pass, so that the plain one holds, which rounding may exceed.
  bool too_ill_conditioned() const { return !passed() && condition > kMaxCondition; }
  static constexpr double kMaxCondition = 1e4;
};

/// Checks every op and every model of Tern; for a loss or a model of your own, see tern/step_check.hpp.
///
/// ReLU has no derivative at 0, and rounding may cross it: inputs of the dense layer, and the seed of gcmc's
/// parameters, are chosen so that no argument of a ReLU is near 0 (or the best of 200 seeds, if sizes are too
/// large).
///
/// On the f64 reference, gradients g of ops and models are compared with central differences of the
/// function, element by element, with the steps of check_gradient() (tern/gradient_check.hpp). Error:
/// ‖g - numeric‖∞ / ‖g‖∞, in a model relative to the largest element of all of its gradients
/// (the gradient of a bias before a normalisation is a sum that cancels); bound 10⁻⁷ for ops, 10⁻⁶
/// for models. Models are also checked along random unit directions d through all parameters:
/// |⟨g, d⟩ - numeric| / ‖g‖₂.
///
/// On `backend`, unless it is the reference, every op and every model's loss and gradients are
/// compared with the reference's on the same f32 inputs: ‖a - r‖∞ / ‖r‖∞, gradients of models as
/// above; bound (4 √n + 8) ε for sums of n terms, more in
/// ill-conditioned problems (see host/gradcheck/README.md), up to a limit beyond which they cannot be compared and do not
/// pass. Triplets must be equal: the error is the number of those that differ.
///
/// Deterministic. Throws ConfigError on options out of range, and if nothing matches the filter.
std::vector<GradcheckResult> gradcheck(Backend& backend, const GradcheckOptions& options);

/// Writes one training step of each model that the filter matches, on the first problem, for other programs to recompute:
/// directory/<model>/ with step.json (model, layers, l2, sizes, backend, precision) and, as .npy,
/// interactions (E, 2), triplets (B, 3), every parameter and its gradient (<name>_gradient), the
/// features that the model reads ({user,item}_{numbers,categories}), its running statistics after
/// the step, the final embeddings of all nodes (final_users, final_items; by running statistics, if
/// the model has them), and loss: BPR, L2. Returns the directories. Throws Error if writing fails.
std::vector<std::filesystem::path> dump_steps(Backend& backend, const GradcheckOptions& options,
                                              const std::filesystem::path& directory);

}  // namespace tern
