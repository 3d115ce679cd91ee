#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "tern/alias_table.hpp"
#include "tern/interactions.hpp"
#include "tern/sampling.hpp"
#include "tern/storage.hpp"
#include "tern/view.hpp"

// The reference backend's memory behind the owners of tern/storage.hpp.
namespace tern::reference {

struct MatrixStorage final : Storage {
  std::vector<double> values;
};

/// One direction of the graph: the neighbours of every node of one side, and that side's scales.
struct Direction {
  Interactions neighbours;
  std::vector<double> scales;  // 1/sqrt(degree), 0 for degree 0
};

struct GraphStorage final : Storage {
  std::array<Direction, 2> directions;  // by Side: rows are users, rows are items

  const Direction& rows_of(Side side) const { return directions[static_cast<int>(side)]; }
};

struct RowSetStorage final : Storage {
  std::vector<NodeId> rows;  // ascending
  std::vector<bool> member;  // one for every node
};

struct CounterStorage final : Storage {
  std::int64_t value = 0;
};

struct DenseStateStorage final : Storage {
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::vector<double> inner;   // f(inner), (rows, cols)
  std::vector<double> active;  // a
  std::vector<double> mean;    // the mean that normalised a
  std::vector<double> variance;
};

struct TripletsStorage final : Storage {
  Interactions interactions;
  SamplingOptions options;
  SamplingCounts counts;
  std::vector<NodeId> participants;    // ascending
  std::vector<Interaction> positives;  // those of participants, in CSR order
  AliasTable popularity;               // empty without popularity sampling
  std::vector<Triplet> triplets;       // of the epoch
  bool sampled = false;
  std::int64_t batch = 0;  // the current one
};

}  // namespace tern::reference
