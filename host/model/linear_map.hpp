#pragma once

#include <cstdint>
#include <string>

#include "host/model/trainables.hpp"
#include "tern/backend.hpp"

namespace tern {

/// The input of a layer for the nodes of one side: the columns of up to three matrices. An absent
/// matrix is null.
struct LayerInput {
  std::int64_t nodes = 0;
  /// Constant: features that are numbers, (nodes, numbers).
  const Matrix* numbers = nullptr;
  /// Constant: features that are 0 or 1. The graph's users are the nodes, its items the categories.
  const Graph* categories = nullptr;
  /// Trained: embeddings of ids, or the output of the layer before, (nodes, width).
  const Matrix* learned = nullptr;
  /// Its gradient, overwritten by the layer's backward pass.
  Matrix* learned_gradient = nullptr;
  /// How the layer propagates what it computes from the input. Constant parts are propagated unrounded.
  GatherPrecision gather = GatherPrecision::kOwn;

  std::int64_t num_numbers() const { return numbers == nullptr ? 0 : numbers->cols(); }
  std::int64_t num_categories() const {
    return categories == nullptr ? 0 : categories->num_items();
  }
  std::int64_t learned_width() const { return learned == nullptr ? 0 : learned->cols(); }
  std::int64_t width() const { return num_numbers() + num_categories() + learned_width(); }
};

/// x W + b of a layer's input x: (nodes, F) to (nodes, C), with a weight for each part of x. The
/// product with the 0/1 part is a propagation without normalisation over a graph of nodes and
/// categories; the other products are terms of a dense sum, which the owner of the map evaluates.
class LinearMap {
 public:
  /// Parameters are named "<side>_<name>_{numbers,categories,learned}_weight" and "..._bias".
  LinearMap(Backend& backend, Trainables& trainables, Side side, const std::string& name,
            const LayerInput& input, std::int64_t width);

  const LayerInput& input() const { return input_; }
  /// As torch.nn.Linear: weights and bias from U(-1/sqrt(F), 1/sqrt(F)).
  void initialize(TensorSeeds& seeds);

  /// Computes the product with the 0/1 part, which sum() refers to. A step op.
  void multiply_categories();
  DenseSum sum() const;

  /// The matrices to which the dense backward pass writes this map's gradients. grad_learned: null if
  /// the input has no learned part.
  DenseSumGradients gradients(Matrix* grad_learned, DenseTermGradients::Write write);
  /// The gradient of the 0/1 part's weight, after the dense backward pass. A step op.
  void differentiate_categories();

  // For an owner that evaluates the map on other rows than those of the nodes.
  Trainable* numbers() const { return numbers_; }
  Trainable* categories() const { return categories_; }
  Trainable* learned() const { return learned_; }
  Trainable& bias() const { return *bias_; }

 private:
  Backend& backend_;
  LayerInput input_;
  Trainable* numbers_ = nullptr;
  Trainable* categories_ = nullptr;
  Trainable* learned_ = nullptr;
  Trainable* bias_ = nullptr;
  Matrix product_;           // of the 0/1 part, (nodes, C)
  Matrix product_gradient_;  // likewise; empty in a model that only embeds
};

}  // namespace tern
