#pragma once

#include <string>

#include "host/model/layer_input.hpp"
#include "host/model/trainables.hpp"
#include "tern/backend.hpp"

namespace tern {

/// x W + b of a layer's input x: (nodes, F) to (nodes, C), with a weight for each part of x. The
/// product with the 0/1 part is a propagation without normalisation over a graph of nodes and
/// categories; the others are terms of a dense sum, which the owner of the map evaluates.
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

  /// Where the dense backward pass writes this map's gradients. of_learned: null if the input has
  /// no learned part.
  DenseSumGradients gradients(Matrix* of_learned, DenseTermGradients::Write write);
  /// The gradient of the 0/1 part's weight, after the dense backward pass. A step op.
  void differentiate_categories();

  // For an owner that evaluates the map over other rows than the nodes' own.
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
