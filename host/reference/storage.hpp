#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "host/backend/negative_share.hpp"
#include "tern/alias_table.hpp"
#include "tern/interactions.hpp"
#include "tern/op_options.hpp"
#include "tern/sampling.hpp"
#include "tern/storage.hpp"
#include "tern/view.hpp"

// The reference backend's memory behind the owners of tern/storage.hpp.
namespace tern::reference {

struct MatrixStorage final : Storage {
  std::vector<double> values;
  GatherPrecision gather = GatherPrecision::kOwn;
};

/// One direction of the graph: the neighbours of every node of one side, and that side's scales.
struct Direction {
  Interactions neighbours;
  std::vector<double> scales;  // 1/sqrt(degree), 0 for degree 0
};

struct GraphStorage final : Storage {
  /// By Side: the rows of the first are users, the rows of the second are items.
  std::array<Direction, 2> directions;

  const Direction& rows_of(Side side) const { return directions[static_cast<int>(side)]; }
};

struct RowSetStorage final : Storage {
  std::vector<NodeId> rows;  // ascending
  std::vector<bool> member;  // one for every node
};

struct CounterStorage final : Storage {
  std::int64_t value = 0;
};

struct RowStepsStorage final : Storage {
  std::vector<std::int64_t> last;  // by row
};

struct DenseStateStorage final : Storage {
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  // Values of the last forward pass, in the symbols of Backend::linear_relu_batchnorm.
  std::vector<double> inner;   // f(inner), (rows, cols)
  std::vector<double> active;  // a = f(f(inner) + outer), (rows, cols)
  std::vector<double> mean;    // the mean that was subtracted from a, (cols)
  std::vector<double> variance;
};

struct TripletsStorage final : Storage {
  Interactions interactions;
  SamplingOptions options;
  SamplingCounts counts;
  std::vector<NodeId> participants;    // the users that take part in sampling, ascending
  std::vector<Interaction> positives;  // the interactions of participants, in CSR order
  AliasTable popularity;               // empty without popularity sampling
  NegativeShare negative_share;
  std::vector<Triplet> triplets;  // all triplets of the current epoch
  bool sampled = false;
  std::int64_t batch = 0;  // the number of the current batch
};

}  // namespace tern::reference
