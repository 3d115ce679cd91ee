#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "tern/storage.hpp"

// What Backend::linear_relu_batchnorm computes, as data: one layer, its gradients, its state.
// N rows (nodes), C columns (the layer's width).

namespace tern {

enum class Activation : std::uint8_t { kNone, kRelu };

/// input · weight: (N, F) · (F, C). A sum of such terms is the product of the inputs put side by
/// side with the weights put below each other, without that matrix ever being made.
struct DenseTerm {
  const Matrix* input = nullptr;
  const Matrix* weight = nullptr;
};

/// Σ input · weight + addend + bias; what is null counts as zero.
struct DenseSum {
  std::vector<DenseTerm> terms = {};
  const Matrix* addend = nullptr;  // (N, C): a product that was computed elsewhere
  const Matrix* bias = nullptr;    // (1, C), added to every row

  bool empty() const { return terms.empty() && addend == nullptr && bias == nullptr; }
};

/// Batch normalisation with PyTorch's semantics (torch.nn.BatchNorm1d): the variance that divides
/// is that of the population, the running one is unbiased. All matrices (1, C).
struct BatchNorm {
  const Matrix* scale = nullptr;  // γ
  const Matrix* shift = nullptr;  // β
  /// Updated by a forward pass in training, running += momentum · (batch - running); read by one in
  /// evaluation.
  Matrix* running_mean = nullptr;
  Matrix* running_variance = nullptr;
  double epsilon = 1e-5;
  double momentum = 0.1;
};

/// z = BN(a), a = f(f(inner) + outer), or f(inner) where the outer sum is empty; f is the
/// activation; without batch normalisation z = a.
struct DenseLayer {
  DenseSum inner = {};
  DenseSum outer = {};
  Activation activation = Activation::kRelu;
  std::optional<BatchNorm> batch_norm = {};
};

/// Where a gradient goes. Null: it is not wanted, and nothing is spent on it.
struct DenseTermGradients {
  enum class Write : std::uint8_t { kOverwrite, kAdd };
  Matrix* input = nullptr;   // (N, F)
  Matrix* weight = nullptr;  // (F, C), overwritten
  Write input_write = Write::kOverwrite;
};

/// As many terms as the sum has, or none where no gradient of a term is wanted. Overwritten.
struct DenseSumGradients {
  std::vector<DenseTermGradients> terms = {};
  Matrix* addend = nullptr;  // (N, C)
  Matrix* bias = nullptr;    // (1, C)
};

struct DenseGradients {
  DenseSumGradients inner = {};
  DenseSumGradients outer = {};
  Matrix* scale = nullptr;  // (1, C), of γ
  Matrix* shift = nullptr;  // (1, C), of β
};

/// Training: batch statistics, and the state is filled for the backward pass. Evaluation: running
/// statistics, so that a row's result depends on that row alone; the state's content is lost.
enum class DenseMode : std::uint8_t { kTraining, kEvaluation };

/// What a forward pass leaves for the backward pass of the same layer, and room to work in.
class DenseState : public Owner {
 public:
  DenseState() = default;
  DenseState(std::unique_ptr<Storage> storage, std::int64_t rows, std::int64_t cols)
      : Owner(std::move(storage)), rows_(rows), cols_(cols) {}

  std::int64_t rows() const noexcept { return rows_; }
  std::int64_t cols() const noexcept { return cols_; }

 private:
  std::int64_t rows_ = 0;
  std::int64_t cols_ = 0;
};

}  // namespace tern
