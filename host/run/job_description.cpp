#include "host/run/job_description.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "host/config/batch.hpp"
#include "host/config/keys.hpp"
#include "host/train/fitted_model.hpp"
#include "tern/model.hpp"

namespace tern {
namespace {

std::string describe_model(const ModelOptions& model) {
  const PropagationOptions& propagation = model.propagation;
  const bool plus = propagation.kind == PropagationKind::kLightGcnPlusPlus;
  std::string text(plus ? "lightgcn++" : model_name(model.kind));
  if (model.kind == ModelKind::kLightGcn) text += fmt::format(", L {}", model.layers);
  if (plus) {
    text += fmt::format(", alpha {}, beta {}, gamma {}", propagation.alpha, propagation.beta,
                        propagation.gamma);
  }
  if (model.contrast.kind == ContrastKind::kXSimGcl) {
    text += fmt::format(" with xsimgcl (layer {})", model.contrast.layer);
  }
  if (model.kind == ModelKind::kGcMc && !model.hidden.empty()) {
    text += fmt::format(", hidden {}", fmt::join(model.hidden, ", "));
  }
  return text + fmt::format(", D {}", model.width);
}

/// "bpr", "softmax over 64 sampled items", "softmax over the batch and 3 sampled items a pair".
std::string describe_loss(const Config& config) {
  const ConfigValue value = find_key("loss.kind").get(config);
  const std::string& kind = *value.get<std::string>();
  if (!contrasts_samples(config.loss)) return kind;
  const int items = config.sampling.negatives_per_positive;
  const bool mixed = mixes_negatives(config.loss);
  return fmt::format("{} over {}{} sampled item{}{}", kind, mixed ? "the batch and " : "", items,
                     items == 1 ? "" : "s", mixed ? " a pair" : "");
}

std::string describe_fit(const ModelOptions& model) {
  if (model.kind == ModelKind::kEase) return fmt::format("ease, l2 {}", model.ease.l2);
  return fmt::format("graph_filter (GF-CF), rank {}, alpha {}", model.graph_filter.rank,
                     model.graph_filter.alpha);
}

}  // namespace

std::string describe_job(const Config& config, const Backend& backend) {
  const std::string what =
      is_fitted(config.model.kind)
          ? describe_fit(config.model)
          : fmt::format("{}, {}", describe_model(config.model), describe_loss(config));
  const DeviceDescription device = backend.describe();
  return fmt::format("{} on {}: {} ({})", what, backend.name(), device.name, device.details);
}

}  // namespace tern
