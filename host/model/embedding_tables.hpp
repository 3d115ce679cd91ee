#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "host/model/trainables.hpp"
#include "tern/backend.hpp"
#include "tern/model.hpp"

namespace tern {

/// A matrix of users and one of items.
class SidePair {
 public:
  SidePair() = default;
  /// Two matrices of zeros, (nodes of the side, width).
  SidePair(Backend& backend, const Graph& graph, std::int64_t width,
           const MatrixOptions& options = {})
      : matrices_{backend.allocate(graph.num_users(), width, options),
                  backend.allocate(graph.num_items(), width, options)} {}

  Matrix& operator[](Side side) { return matrices_[static_cast<std::size_t>(side)]; }
  const Matrix& operator[](Side side) const { return matrices_[static_cast<std::size_t>(side)]; }

 private:
  std::array<Matrix, 2> matrices_;
};

/// The options of a table that a model propagates, if it does.
inline MatrixOptions gathered_if(bool propagated, const ModelOptions& options) {
  return {.gather = propagated ? options.gather : GatherPrecision::kOwn};
}

inline constexpr std::array<Side, 2> kSides{Side::kUser, Side::kItem};

/// Draws the layer-0 embeddings of both sides.
inline void initialize_tables(Backend& backend, SidePair& tables, const ModelOptions& options,
                              Seed seed) {
  for (const Side side : kSides) initialize_embedding(backend, tables[side], side, options, seed);
}

/// "user_embedding" and "item_embedding", in this order, with dense gradients.
inline std::vector<Parameter> table_parameters(SidePair& tables, SidePair& gradients) {
  return {{"user_embedding", Side::kUser, &tables[Side::kUser], &gradients[Side::kUser], nullptr},
          {"item_embedding", Side::kItem, &tables[Side::kItem], &gradients[Side::kItem], nullptr}};
}

}  // namespace tern
