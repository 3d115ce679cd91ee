#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tern/backend.hpp"
#include "tern/model.hpp"
#include "tern/tensor_file.hpp"

namespace tern {

/// Copies the parameters and buffers of a model to the host, by name, in the precision of the
/// backend (f64 for reference, else f32): loading them gives the same bits. Waits for submitted
/// work.
TensorFile snapshot(Backend& backend, Model& model);

/// All parameters and buffers of a model, by name.
std::vector<NamedBuffer> contents(Model& model);

/// Copies one matrix to the host, in the same precision.
Tensor download_tensor(Backend& backend, const Matrix& matrix);

/// Adds each buffer to the tensors, in the same precision.
void download_tensors(Backend& backend, const std::vector<NamedBuffer>& from,
                      std::map<std::string, Tensor>& tensors);

/// Uploads exactly these tensors. All are checked before the first is uploaded: throws DataError if
/// one is missing, left over, of another shape, or holds integers; those whose names begin with
/// `ignored` may be left over, unless it is empty. For the message: the tensors belong to owner and come
/// from the file `where`.
void upload_tensors(Backend& backend, const std::vector<NamedBuffer>& to,
                    const std::map<std::string, Tensor>& tensors, std::string_view owner,
                    std::string_view where, std::string_view ignored = {});

}  // namespace tern
