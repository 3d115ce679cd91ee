#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tern/backend.hpp"
#include "tests/support/matrices.hpp"

namespace tern::test {

/// One sum of a dense layer: the widths of its terms' inputs, and what it has besides.
struct SumShape {
  std::vector<std::int64_t> widths = {};
  bool addend = false;
  bool bias = false;

  bool empty() const { return widths.empty() && !addend && !bias; }
};

/// A dense layer by its sizes.
struct LayerShape {
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  SumShape inner;
  SumShape outer = {};
  Activation activation = Activation::kRelu;
  bool batch_norm = true;

  std::string describe() const;
  /// Multiplications of a forward pass and elements of a: what a slow backend's budget counts.
  std::int64_t work() const;
};

struct SumValues {
  std::vector<Values> inputs;
  std::vector<Values> weights;
  Values addend;
  Values bias;
};

/// All that goes into both passes of a layer, on the host. What the shape has not is empty.
struct LayerValues {
  SumValues inner;
  SumValues outer;
  Values scale;
  Values shift;
  Values running_mean;
  Values running_variance;
  Values grad_z;
};

/// Random values that keep every argument of a ReLU at least 1/16 away from 0, or at 0 exactly, so
/// that no rounding moves one across. Inputs and weights are integers up to 2, addends up to 3:
/// such sums are integers, and exact. Where a sum has a bias, which is an integer and 1/2 (inner)
/// or 1/4 (outer), its inputs and weights get 2⁻¹⁴ of noise besides, so that their products do
/// round: over 320 products that moves a sum by less than 0.08.
LayerValues random_layer(const LayerShape& shape, std::uint64_t seed);

/// The matrices of one sum: its inputs, or the outputs of its gradients.
struct SumMatrices {
  std::vector<Matrix> inputs;
  std::vector<Matrix> weights;
  Matrix addend;
  Matrix bias;
};

/// A layer on a backend: its matrices, the state, and poisoned outputs.
class LoadedLayer {
 public:
  LoadedLayer(Backend& backend, const LayerShape& shape, const LayerValues& values);

  /// Refers to this object's matrices.
  DenseLayer layer();
  /// All of them. The first input of either sum is added to where `add` says so.
  DenseGradients gradients();

  /// z, poisoned before.
  Values forward(DenseMode mode);
  void backward(const DenseGradients& wanted);
  /// Poisons the outputs of the gradients, and fills with `start` what is added to.
  void poison_gradients();

  /// What the passes left, by name: "z", "running_mean", "running_variance", "gradient of scale",
  /// "gradient of input 1 of the outer sum", ...
  std::map<std::string, Values> outputs() const;
  /// What no pass may change.
  std::vector<Values> constants() const;

  static constexpr double kStart = 3;
  DenseTermGradients::Write add = DenseTermGradients::Write::kOverwrite;

  SumMatrices inner;
  SumMatrices outer;
  Matrix scale;
  Matrix shift;
  Matrix running_mean;
  Matrix running_variance;
  Matrix grad_z;
  Matrix z;
  DenseState state;
  SumMatrices grad_inner;
  SumMatrices grad_outer;
  Matrix grad_scale;
  Matrix grad_shift;

 private:
  Backend& backend_;
  LayerShape shape_;
};

}  // namespace tern::test
