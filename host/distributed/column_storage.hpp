#pragma once

#include <cstdint>
#include <utility>

#include "host/backend/checks.hpp"
#include "tern/dense_layer.hpp"
#include "tern/storage.hpp"

namespace tern::distributed {

/// A rank's part of a matrix, or all of it if its columns are not split.
struct ColumnMatrix final : Storage {
  ColumnMatrix(Matrix part_in, bool split_in, std::uint64_t version_in)
      : part(std::move(part_in)), split(split_in), version(version_in) {}
  Matrix part;
  bool split;
  /// Another one for each matrix and each change, the same on every rank.
  std::uint64_t version;
};

/// A rank's part of the state of a dense layer.
struct ColumnDenseState final : Storage {
  explicit ColumnDenseState(DenseState part_in) : part(std::move(part_in)) {}
  DenseState part;
};

struct ColumnCounter final : Storage {
  explicit ColumnCounter(Counter own_in) : own(std::move(own_in)) {}
  Counter own;
  /// An optimiser records its faults here, and only those of this rank's columns.
  bool has_faults = false;
};

inline const Counter& own_counter(const Counter& counter) {
  return storage_of<ColumnCounter>(counter, "ranks", "counter").own;
}

}  // namespace tern::distributed
