#pragma once

#include <cstdint>
#include <deque>
#include <string_view>
#include <vector>

#include "tern/backend.hpp"
#include "tern/model.hpp"

namespace tern {

/// A trainable matrix and, in a model that trains, its gradient.
struct Trainable {
  Matrix value;
  Matrix gradient;
};

/// The trainable matrices of a model, by name, in the order of their creation; references to them
/// stay valid.
class Trainables {
 public:
  enum class Gradients : std::uint8_t { kYes, kNo };

  Trainables(Backend& backend, Gradients gradients) : backend_(backend), gradients_(gradients) {}

  /// Zeros, (rows, cols), named "user_<what>" or "item_<what>". options apply to the value, not to
  /// its gradient.
  Trainable& make(Side side, std::string_view what, std::int64_t rows, std::int64_t cols,
                  const MatrixOptions& options = {});
  bool train() const noexcept { return gradients_ == Gradients::kYes; }
  std::vector<Parameter>& parameters() noexcept { return parameters_; }

 private:
  Backend& backend_;
  Gradients gradients_;
  std::deque<Trainable> store_;
  std::vector<Parameter> parameters_;
};

/// Overwrites the matrix with draws from N(0, deviation²): elements 4b .. 4b + 3 (row-major) come
/// from the four words of RandomStream(seed, kInitialize, tensor, b) by the Box-Muller transform,
/// in f64, rounded to f32 for every backend, so that all of them start from the same numbers.
/// Independent of the number of threads. Source: Box and Muller 1958, "A note on the generation of
/// random normal deviates".
void initialize_normal(Backend& backend, Matrix& matrix, double deviation, Seed seed,
                       std::uint32_t tensor);

/// The seed of a model's tensors, and the number of the next one.
struct TensorSeeds {
  Seed seed;
  std::uint32_t next = 0;
};

/// Overwrites the matrix with draws from U(-bound, bound], of the same streams, one word each.
/// torch.nn.Linear starts like this with bound = 1/sqrt(inputs), for weight and bias.
void initialize_uniform(Backend& backend, Matrix& matrix, double bound, Seed seed,
                        std::uint32_t tensor);

/// Draws the layer-0 embeddings of a side, (nodes, D), by options.init: from N(0, init_std²), or from
/// U(-a, a], a = sqrt(6 / (nodes + D)), as torch.nn.init.xavier_uniform_ starts an nn.Embedding. Users
/// are tensor 0, items tensor 1. Source: Glorot and Bengio 2010, "Understanding the difficulty of
/// training deep feedforward neural networks", eq. 16.
void initialize_embedding(Backend& backend, Matrix& table, Side side, const ModelOptions& options,
                          Seed seed);

}  // namespace tern
