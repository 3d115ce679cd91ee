#pragma once

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

/// Adds each of these to a file, likewise.
void download_tensors(Backend& backend, const std::vector<NamedBuffer>& from, TensorFile& file);

/// Takes each of these from a file, in which nothing else may be. All are looked at before the
/// first is uploaded. Throws DataError when one is missing, left over, of another shape, or holds
/// integers; owner is whose they are and where the file, for the message.
void upload_tensors(Backend& backend, const std::vector<NamedBuffer>& to, const TensorFile& file,
                    std::string_view owner, std::string_view where);

}  // namespace tern
