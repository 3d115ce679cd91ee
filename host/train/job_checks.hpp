#pragma once

#include "tern/dataset.hpp"
#include "tern/loss.hpp"
#include "tern/model.hpp"

namespace tern {

/// Throws ConfigError if the loss is null, ShapeError if the splits of the data have different sizes.
void check_job(const Dataset& data, const Loss* loss);

/// Throws ConfigError if the model is null or its parameters cannot be saved by name, ShapeError if one
/// lacks its value or a gradient of the same shape.
void check_own_model(Model* model);

}  // namespace tern
