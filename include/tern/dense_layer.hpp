#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "tern/storage.hpp"

// The arguments of Backend::linear_relu_batchnorm: one layer, its gradients, its intermediate
// results.
// N rows (nodes), C columns (the layer's width).

namespace tern {

enum class Activation : std::uint8_t { kNone, kRelu };

/// input · weight: (N, F) · (F, C). A sum of such terms equals the product of the inputs, side by
/// side, and the weights, one below the other; these large matrices are never formed.
struct DenseTerm {
  const Matrix* input = nullptr;
  const Matrix* weight = nullptr;
};

/// Σ input · weight + addend + bias; a null pointer counts as zero.
struct DenseSum {
  std::vector<DenseTerm> terms = {};
  const Matrix* addend = nullptr;  // (N, C): a product computed elsewhere
  const Matrix* bias = nullptr;    // (1, C), added to every row

  bool empty() const { return terms.empty() && addend == nullptr && bias == nullptr; }
};

/// Batch normalisation with PyTorch's semantics (torch.nn.BatchNorm1d): it divides by the
/// population variance, and its running variance is unbiased. All matrices are (1, C).
struct BatchNorm {
  const Matrix* scale = nullptr;  // γ
  const Matrix* shift = nullptr;  // β
  /// Updated in training, running += momentum · (batch - running); read in evaluation.
  Matrix* running_mean = nullptr;
  Matrix* running_variance = nullptr;
  double epsilon = 1e-5;
  double momentum = 0.1;
};

/// z = BN(a), a = f(f(inner) + outer), or f(inner) if the outer sum is empty; f is the
/// activation; without batch normalisation z = a.
struct DenseLayer {
  DenseSum inner = {};
  DenseSum outer = {};
  Activation activation = Activation::kRelu;
  std::optional<BatchNorm> batch_norm = {};
};

/// Where gradients are written; a null pointer skips that gradient.
struct DenseTermGradients {
  enum class Write : std::uint8_t { kOverwrite, kAdd };
  Matrix* input = nullptr;   // (N, F)
  Matrix* weight = nullptr;  // (F, C), overwritten
  Write input_write = Write::kOverwrite;
};

/// One entry for each term of the sum, or none if no gradient of a term is wanted. Overwritten.
struct DenseSumGradients {
  std::vector<DenseTermGradients> terms = {};
  Matrix* addend = nullptr;  // (N, C)
  Matrix* bias = nullptr;    // (1, C)
};

struct DenseGradients {
  DenseSumGradients inner = {};
  DenseSumGradients outer = {};
  Matrix* scale = nullptr;  // (1, C): ∂γ
  Matrix* shift = nullptr;  // (1, C): ∂β
};

/// Training: batch statistics, and the DenseState is filled for the backward pass. Evaluation:
/// running statistics, so that a row's result depends on that row alone; the content of the
/// DenseState is lost.
enum class DenseMode : std::uint8_t { kTraining, kEvaluation };

/// Intermediate results of a forward pass, for the backward pass of the same layer, and workspace.
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
