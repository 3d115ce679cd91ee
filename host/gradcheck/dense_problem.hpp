#pragma once

#include <array>
#include <string>
#include <vector>

#include "host/gradcheck/problem.hpp"

namespace tern::gradcheck_detail {

/// A random dense layer, its inputs, and a direction c for z, whose function is ⟨c, z⟩.
///
/// ReLU has no derivative at 0: if a sum is within 0.1 of 0, its addend moves it 0.2 further away,
/// so that neither differences nor rounding cross a kink.
class DenseProblem {
 public:
  enum class Form : std::uint8_t { kWhole, kWithoutOuter, kWithoutNorm, kLinear };
  static constexpr std::array kForms{Form::kWhole, Form::kWithoutOuter, Form::kWithoutNorm,
                                     Form::kLinear};

  DenseProblem(const GradcheckOptions& options, Form form, Seed seed);

  /// One input of the layer, (rows, cols).
  struct Block {
    std::string name;
    std::int64_t rows = 0;
    Values values;
  };
  /// All inputs that z depends on.
  const std::vector<Block>& blocks() const { return blocks_; }
  std::int64_t rows() const { return rows_; }

  /// The results of a backend.
  struct Answer {
    double value = 0.0;             // ⟨c, z⟩
    Values z;                       // in training
    Values evaluated;               // in evaluation, after the one step of training
    Values statistics;              // running mean and variance after it
    std::vector<Values> gradients;  // of ⟨c, z⟩, one a block

    /// Errors of gradients are relative to this: normalisation makes single gradients cancel.
    double largest_gradient() const;
  };
  Answer answer(Backend& backend) const;
  /// ⟨c, z⟩ with other values in one block.
  double value(Backend& backend, std::size_t block, const Values& values) const;

 private:
  class Layer;

  void add(std::string name, std::int64_t rows, std::int64_t cols);
  std::size_t find(std::string_view name) const;
  const Values& values(std::string_view name) const { return blocks_[find(name)].values; }
  void add_sum(const std::string& sum, const std::vector<std::int64_t>& widths);
  Values evaluate_sum(const std::string& sum, std::size_t terms) const;
  void avoid_kinks();

  Form form_;
  std::int64_t rows_;
  std::int64_t width_;
  std::mt19937_64 random_;
  std::vector<Block> blocks_;
  Values direction_;
};

}  // namespace tern::gradcheck_detail
