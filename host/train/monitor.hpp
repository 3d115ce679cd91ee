#pragma once

#include <string>
#include <vector>

#include "tern/backend.hpp"
#include "tern/config.hpp"
#include "tern/model.hpp"
#include "tern/trainer.hpp"

namespace tern {

/// What the embeddings of one side have come to: one sentence for each limit of the options that
/// they are beyond. side: "users", "items".
std::vector<std::string> find_collapse(std::string_view side, const EmbeddingStatistics& statistics,
                                       std::int64_t width, const MonitorOptions& options);

/// What usually is behind a collapse, with the job's own figures: for the end of a warning.
std::string usual_causes(const Config& config, const Interactions& train);

/// √Σ‖g‖² over the gradients of all parameters of one side, as the last step left them: to be asked
/// for before embed(), which may use their memory. Downloads
/// them; f64, in a fixed order. Where a parameter's gradient is meant at some rows alone, the
/// others count as they are: clear_partial_gradients() before the step makes them zero.
double gradient_norm(Backend& backend, Model& model, Side side);
void clear_partial_gradients(Backend& backend, Model& model);

}  // namespace tern
