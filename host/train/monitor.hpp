#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tern/backend.hpp"
#include "tern/config.hpp"
#include "tern/model.hpp"
#include "tern/trainer.hpp"

namespace tern {

/// Checks the final embeddings (rows, width) of a side ("users", "items"), and updates its watch.
/// Returns a sentence for each sign of a collapse:
///  - the mean norm is above max_norm;
///  - at two checks in a row the mean norm was above ten times that of the first check and a tenth
///    above that of the check before, and the mean cosine above max_mean_cosine;
///  - at two checks in a row the effective rank was below min_rank and below a quarter of the first
///    rank.
std::vector<std::string> find_collapse(std::string_view side, const EmbeddingStatistics& statistics,
                                       std::int64_t width, const MonitorOptions& options,
                                       CollapseWatch& watch);

/// The usual causes of a collapse, with the job's own figures: the end of a warning.
std::string usual_causes(const Config& config, const Interactions& train);

/// √Σ‖g‖² over the gradients of all parameters of one side after a step, summed in f64 in a fixed
/// order, on the device: no gradient is downloaded. Call it before embed(), which may overwrite them.
/// Rows outside of Parameter::rows count too: clear_partial_gradients() before the step makes them
/// zero.
double gradient_norm(Backend& backend, Model& model, Side side);
void clear_partial_gradients(Backend& backend, Model& model);

}  // namespace tern
