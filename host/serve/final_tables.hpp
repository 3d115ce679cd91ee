#pragma once

#include <vector>

#include "tern/backend.hpp"
#include "tern/run.hpp"
#include "tern/types.hpp"

namespace tern {

/// The table of one side.
const Tensor& table_of(const FinalEmbeddings& embeddings, Side side);
/// The elements of a table in f32, row-major.
std::vector<float> in_f32(const Tensor& table);
/// A copy of a table on the backend.
Matrix upload_table(Backend& backend, const Tensor& table);

}  // namespace tern
