#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tern/backend.hpp"
#include "tests/support/matrices.hpp"

namespace tern::test {

/// The shape of one sum of a dense layer: the widths of its inputs, and its optional parts.
struct SumShape {
  std::vector<std::int64_t> widths = {};
  bool addend = false;
  bool bias = false;

  bool empty() const { return widths.empty() && !addend && !bias; }
};

/// The sizes and options of a dense layer.
struct LayerShape {
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  SumShape inner;
  SumShape outer = {};
  Activation activation = Activation::kRelu;
  bool batch_norm = true;

  std::string describe() const;
  /// Cost of a forward pass for a backend's budget: multiplications, and elements of a.
  std::int64_t work() const;
};

struct SumValues {
  std::vector<Values> inputs;
  std::vector<Values> weights;
  Values addend;
  Values bias;
};

/// All inputs of both passes of a layer, on the host. Parts that the shape lacks are empty.
struct LayerValues {
  SumValues inner;
  SumValues outer;
  Values scale;
  Values shift;
  Values running_mean;
  Values running_variance;
  Values grad_z;
};

/// Random values that keep every argument of a ReLU at least 1/16 away from 0, or exactly 0, so that
/// no rounding moves one across 0. Inputs and weights are integers up to 2, addends up to 3: their
/// sums are integers, and exact. If a sum has a bias, an integer plus 1/2 (inner) or 1/4 (outer), its
/// inputs and weights get noise of 2⁻¹⁴, so that their products round: over 320 products the noise
/// moves a sum by less than 0.08.
LayerValues random_layer(const LayerShape& shape, std::uint64_t seed);

/// The matrices of one sum: its inputs, or the outputs of its gradients.
struct SumMatrices {
  std::vector<Matrix> inputs;
  std::vector<Matrix> weights;
  Matrix addend;
  Matrix bias;
};

/// A layer on a backend: its matrices, its DenseState, and poisoned outputs.
class LoadedLayer {
 public:
  LoadedLayer(Backend& backend, const LayerShape& shape, const LayerValues& values);

  /// The layer, which refers to this object's matrices.
  DenseLayer layer();
  /// All gradients. With `add`, that of the first input of either sum is added, not overwritten.
  DenseGradients gradients();

  /// Runs a forward pass with a poisoned z, and returns z.
  Values forward(DenseMode mode);
  void backward(const DenseGradients& wanted);
  /// Poisons the outputs of the gradients, and fills those that are added to with kStart.
  void poison_gradients();

  /// The results of the passes, by name: "z", "running_mean", "running_variance", "gradient of scale",
  /// "gradient of input 1 of the outer sum", ...
  std::map<std::string, Values> outputs() const;
  /// The values that no pass may change.
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
