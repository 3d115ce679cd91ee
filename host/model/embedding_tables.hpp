#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "tern/backend.hpp"
#include "tern/model.hpp"

namespace tern {

/// A matrix of users and one of items.
class SidePair {
 public:
  SidePair() = default;
  /// Two matrices of zeros, (nodes of the side, width).
  SidePair(Backend& backend, const Graph& graph, std::int64_t width)
      : matrices_{backend.allocate(graph.num_users(), width),
                  backend.allocate(graph.num_items(), width)} {}

  Matrix& operator[](Side side) { return matrices_[static_cast<std::size_t>(side)]; }
  const Matrix& operator[](Side side) const { return matrices_[static_cast<std::size_t>(side)]; }

 private:
  std::array<Matrix, 2> matrices_;
};

inline constexpr std::array<Side, 2> kSides{Side::kUser, Side::kItem};

/// Overwrites the matrix with draws from N(0, deviation²): elements 4b .. 4b + 3 (row-major) come
/// from the four words of RandomStream(seed, kInitialize, tensor, b) by the Box-Muller transform,
/// in f64, rounded to f32 for every backend, so that all of them start from the same numbers.
/// Independent of the number of threads. Source: Box and Muller 1958, "A note on the generation of
/// random normal deviates".
void initialize_normal(Backend& backend, Matrix& matrix, double deviation, Seed seed,
                       std::uint32_t tensor);

/// Draws the layer-0 embeddings of both sides: users are tensor 0, items tensor 1.
void initialize_tables(Backend& backend, SidePair& tables, double deviation, Seed seed);

/// "user_embedding" and "item_embedding", in this order, with dense gradients.
std::vector<Parameter> table_parameters(SidePair& tables, SidePair& gradients);

}  // namespace tern
