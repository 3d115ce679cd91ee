#include "tern/model.hpp"

#include <fmt/format.h>

#include "host/config/keys.hpp"
#include "host/model/gcmc.hpp"
#include "host/model/lightgcn.hpp"
#include "host/model/lightgcnpp.hpp"
#include "host/model/matrix_factorization.hpp"
#include "host/model/xsimgcl.hpp"
#include "tern/error.hpp"

namespace tern {

FeatureFiles feature_files_for(const ModelOptions& options) {
  return reads_features(options) ? FeatureFiles::kRead : FeatureFiles::kSkip;
}

bool reads_features(const ModelOptions& options) {
  return options.kind == ModelKind::kGcMc && options.inputs != InputKind::kIds;
}

EncodedDataset features_for(const Dataset& data, const ModelOptions& options) {
  return reads_features(options) ? encode_features(data) : EncodedDataset();
}

std::unique_ptr<Model> make_model(Backend& backend, const Graph& graph, const Triplets& triplets,
                                  const ModelOptions& options, const NodeFeatures& features) {
  if (is_fitted(options.kind)) {
    throw ConfigError(
        fmt::format("model.kind: found {}, which is fitted without training and has no embeddings, "
                    "expected one of lightgcn|mf|gcmc",
                    model_name(options.kind)));
  }
  Config config;
  config.model = options;
  check_keys(config, "model.");
  check_keys(config, "contrast.");
  check_keys(config, "propagation.");
  check_keys(config, "train.precision");
  check_propagation(options);
  check_contrast(options);
  if (options.propagation.kind == PropagationKind::kLightGcnPlusPlus) {
    return std::make_unique<LightGcnPlusPlus>(backend, graph, triplets, options);
  }
  if (options.contrast.kind == ContrastKind::kXSimGcl) {
    return std::make_unique<XSimGcl>(backend, graph, triplets, options);
  }
  if (options.kind == ModelKind::kLightGcn) {
    return std::make_unique<LightGcn>(backend, graph, triplets, options);
  }
  if (options.kind == ModelKind::kMatrixFactorization) {
    return std::make_unique<MatrixFactorization>(backend, graph, triplets, options);
  }
  return std::make_unique<GcMc>(backend, graph, triplets, options, features);
}

}  // namespace tern
