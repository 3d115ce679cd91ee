#pragma once

#include "tern/backend.hpp"
#include "tern/model.hpp"
#include "tern/tensor_file.hpp"

namespace tern {

/// The parameters and buffers of a model on the host, by name, in the precision of the backend (f64
/// for reference, f32 else): loading them again gives the same bits. Waits for the work before it.
TensorFile snapshot(Backend& backend, Model& model);

}  // namespace tern
