#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tern/config.hpp"
#include "tern/feature_encoding.hpp"
#include "tests/support/matrices.hpp"

// The GC-MC encoder from its formula: dense f64 loops, without code of host/model. Only for small
// graphs.

namespace tern::test {

/// A dense matrix, row-major.
struct Table {
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  Values values;

  Table() = default;
  Table(std::int64_t rows_in, std::int64_t cols_in)
      : rows(rows_in), cols(cols_in), values(static_cast<std::size_t>(rows_in * cols_in), 0.0) {}
  double& at(std::int64_t r, std::int64_t c) { return values[r * cols + c]; }
  double at(std::int64_t r, std::int64_t c) const { return values[r * cols + c]; }
};

/// Parameters, buffers or gradients, by their names in checkpoints.
using Tables = std::map<std::string, Table>;

/// h = Â (x' W_c + b_c), z = BN(ReLU(ReLU(x W_1 + b_1) + drop(h) W_3 + b_3)), layer by layer. The x
/// of the first layer is numbers, categories and learned ids side by side.
class GcMcOracle {
 public:
  /// features.of(side) may be null. options.inputs is not read: the weights in `tables` determine the
  /// inputs.
  GcMcOracle(const Interactions& interactions, const NodeFeatures& features,
             const ModelOptions& options, Seed seed);

  /// The forward pass of training step `step`: batch statistics, dropout; updates the running
  /// statistics in `tables`.
  void train(Tables& tables, std::uint32_t step);
  /// The forward pass of inference: running statistics, no dropout.
  void embed(const Tables& tables);
  /// Final embeddings of the last pass.
  const Table& output(Side side) const;
  /// The least |x| of any ReLU's argument in the last pass: the distance to the nearest kink.
  double margin() const { return margin_; }

  /// The gradients of all parameters from those of the outputs. Call after train() with these tables.
  Tables backward(const Tables& tables, const Table& of_users, const Table& of_items) const;

 private:
  /// The results of one side of a layer.
  struct Half {
    Table x;
    Table h;     // the input of W_3
    Table kept;  // 0 where dropped, else the factor
    Table inner;
    Table outer;
    Table normal;  // x̂
    Values inverse_deviation;
  };
  using Layer = std::array<Half, 2>;

  Layer layer(const Tables& tables, int number, std::array<Table, 2> inputs, bool training,
              std::uint32_t step);
  void activate(const Tables& tables, const std::string& name, Half& half);
  Table normalise(const Tables& tables, const std::string& name, bool training, Half& half) const;
  Table kept(int number, Side side, std::int64_t rows, std::int64_t cols, std::uint32_t step) const;
  std::array<Table, 2> first_inputs(const Tables& tables) const;
  void pass(const Tables& tables, bool training, std::uint32_t step);

  ModelOptions options_;
  Seed seed_;
  Table adjacency_;  // (U, I), 1/sqrt(d_u d_i) where they interact
  std::array<Table, 2> features_;
  std::vector<Layer> layers_;
  std::array<Table, 2> outputs_;
  Tables moved_;  // running statistics after a training pass
  double margin_ = 0.0;
};

}  // namespace tern::test
