#include "tern/model.hpp"

#include <fmt/format.h>

#include <cmath>

#include "host/model/gcmc.hpp"
#include "host/model/lightgcn.hpp"
#include "host/model/matrix_factorization.hpp"
#include "tern/error.hpp"

namespace tern {

bool reads_features(const ModelOptions& options) {
  return options.kind == ModelKind::kGcMc && options.inputs != InputKind::kIds;
}

EncodedDataset features_for(const Dataset& data, const ModelOptions& options) {
  return reads_features(options) ? encode_features(data) : EncodedDataset();
}

std::unique_ptr<Model> make_model(Backend& backend, const Graph& graph, const Triplets& triplets,
                                  const ModelOptions& options, const NodeFeatures& features) {
  if (options.width < 1) {
    throw ConfigError(fmt::format("model.width is {}, expected at least 1", options.width));
  }
  if (options.layers < 0) {
    throw ConfigError(fmt::format("model.layers is {}, expected at least 0", options.layers));
  }
  if (!std::isfinite(options.init_std) || options.init_std < 0.0) {
    throw ConfigError(
        fmt::format("model.init_std is {}, expected a finite number >= 0", options.init_std));
  }
  switch (options.kind) {
    case ModelKind::kLightGcn:
      return std::make_unique<LightGcn>(backend, graph, triplets, options);
    case ModelKind::kMatrixFactorization:
      return std::make_unique<MatrixFactorization>(backend, graph, triplets, options);
    case ModelKind::kGcMc:
      return std::make_unique<GcMc>(backend, graph, triplets, options, features);
  }
  throw ConfigError("model.kind is none that this build knows");
}

}  // namespace tern
