#pragma once

#include <cstdint>

#include "tern/backend.hpp"

namespace tern {

/// The input of a layer for the nodes of one side: up to three matrices, as if put side by side. An
/// absent one is null.
struct LayerInput {
  std::int64_t nodes = 0;
  /// Constant: features that are numbers, (nodes, numbers).
  const Matrix* numbers = nullptr;
  /// Constant: features that are 0 or 1. Nodes are this graph's users, categories its items.
  const Graph* categories = nullptr;
  /// Trained: embeddings of ids, or the output of the layer before, (nodes, width).
  const Matrix* learned = nullptr;
  /// Its gradient, overwritten by the layer's backward pass.
  Matrix* learned_gradient = nullptr;

  std::int64_t num_numbers() const { return numbers == nullptr ? 0 : numbers->cols(); }
  std::int64_t num_categories() const {
    return categories == nullptr ? 0 : categories->num_items();
  }
  std::int64_t learned_width() const { return learned == nullptr ? 0 : learned->cols(); }
  std::int64_t width() const { return num_numbers() + num_categories() + learned_width(); }
};

}  // namespace tern
