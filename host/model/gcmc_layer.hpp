#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "host/model/embedding_tables.hpp"
#include "host/model/message.hpp"
#include "tern/backend.hpp"

namespace tern {

/// Dropout settings of one training step.
struct GcMcDropout {
  double elements = 0.0;
  double messages = 0.0;
  Seed seed{};
  const Counter* step = nullptr;
};

/// One layer of the GC-MC encoder, for both sides:
/// h = Â (x' W_c + b_c), x' the input of the other side; z = BN(ReLU(ReLU(x W_1 + b_1) + h W_3 +
/// b_3)). In training, dropout removes elements or whole rows of the messages h before W_3.
class GcMcLayer {
 public:
  /// Parameters are named "<side>_layer<number>_{self,message,mix,norm}_...". inputs: by Side, as are
  /// outputs, how z is allocated. The graph and all matrices of the inputs must outlive the layer.
  GcMcLayer(Backend& backend, const Graph& graph, Trainables& trainables, int number,
            const std::array<LayerInput, 2>& inputs, std::int64_t width,
            const std::array<MatrixOptions, 2>& outputs);

  void forward(DenseMode mode, const GcMcDropout& dropout);
  /// Computes, from gradient(side), the gradients of all parameters and of the learned inputs.
  void backward(const GcMcDropout& dropout);

  const Matrix& output(Side side) const { return half(side).z; }
  Matrix& gradient(Side side) { return half(side).z_gradient; }
  std::vector<NamedBuffer> buffers();
  /// Weights as torch.nn.Linear initialises them; γ = 1, β = 0; running mean 0, variance 1.
  void initialize(TensorSeeds& seeds);

 private:
  /// One side of the layer.
  struct Half {
    Half(Backend& backend, const Graph& graph, Side side, Trainables& trainables,
         const std::string& name, const std::array<LayerInput, 2>& inputs, std::int64_t width,
         const MatrixOptions& output);

    LinearMap self;
    Message message;
    Trainable& mix_weight;
    Trainable& mix_bias;
    Trainable& norm_scale;
    Trainable& norm_shift;
    Matrix running_mean;
    Matrix running_variance;
    DenseState state;
    Matrix h;
    Matrix z;
    Matrix h_gradient;
    Matrix z_gradient;
    /// The part of the learned input's gradient that comes from `self`, if the message adds to it
    /// by a propagation, which cannot work in place.
    Matrix self_gradient;

    DenseLayer dense_layer();
  };

  Half& half(Side side) { return *halves_[static_cast<std::size_t>(side)]; }
  const Half& half(Side side) const { return *halves_[static_cast<std::size_t>(side)]; }
  /// The matrix for the gradient of the learned input that comes from the `self` part of a side.
  Matrix* self_target(Side side);
  void drop(const GcMcDropout& dropout, Side side, Matrix& values);

  Backend& backend_;
  int number_;
  std::string name_;
  std::array<std::unique_ptr<Half>, 2> halves_;
};

}  // namespace tern
