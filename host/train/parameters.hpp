#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tern/backend.hpp"
#include "tern/model.hpp"
#include "tern/tensor_file.hpp"

namespace tern {

/// The parameters and buffers of a model on the host, by name, in the precision of the backend (f64
/// for reference, f32 else): loading them again gives the same bits. Waits for the work before it.
TensorFile snapshot(Backend& backend, Model& model);

/// Parameters and buffers: what a model is made of, each by its name.
std::vector<NamedBuffer> contents(Model& model);

/// Adds each of these to the tensors, in the same precision.
void download_tensors(Backend& backend, const std::vector<NamedBuffer>& from,
                      std::map<std::string, Tensor>& tensors);

/// Uploads exactly these tensors. All are checked before the first is uploaded: throws DataError if
/// one is missing, left over, of another shape, or holds integers. For the message: the tensors
/// belong to owner and come from the file `where`.
void upload_tensors(Backend& backend, const std::vector<NamedBuffer>& to,
                    const std::map<std::string, Tensor>& tensors, std::string_view owner,
                    std::string_view where);

}  // namespace tern
