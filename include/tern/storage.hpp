#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <utility>

#include "tern/types.hpp"

namespace tern {

/// A backend's memory behind one of the owners below. Only the backend that made it knows its type.
class Storage {
 public:
  virtual ~Storage() = default;

 protected:
  Storage() = default;
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
};

/// A move-only handle to a backend's storage, the base of all owners. It must not outlive its
/// backend.
class Owner {
 public:
  bool empty() const noexcept { return storage_ == nullptr; }
  Storage* storage() const noexcept { return storage_.get(); }

 protected:
  Owner() = default;
  explicit Owner(std::unique_ptr<Storage> storage) : storage_(std::move(storage)) {}
  Owner(Owner&&) noexcept = default;
  Owner& operator=(Owner&&) noexcept = default;
  ~Owner() = default;

 private:
  std::unique_ptr<Storage> storage_;
};

/// A dense row-major (rows, cols) matrix in a backend's memory, in that backend's own precision.
class Matrix : public Owner {
 public:
  Matrix() = default;
  Matrix(std::unique_ptr<Storage> storage, std::int64_t rows, std::int64_t cols)
      : Owner(std::move(storage)), rows_(rows), cols_(cols) {}

  std::int64_t rows() const noexcept { return rows_; }
  std::int64_t cols() const noexcept { return cols_; }
  std::int64_t size() const noexcept { return rows_ * cols_; }

 private:
  std::int64_t rows_ = 0;
  std::int64_t cols_ = 0;
};

/// The bipartite graph in a backend's memory: R and Rᵀ as CSR, and the scales 1/sqrt(degree) of
/// both sides (0 for degree 0), so that Â = D^-½ A D^-½ needs no array of edge weights.
class Graph : public Owner {
 public:
  Graph() = default;
  Graph(std::unique_ptr<Storage> storage, NodeId num_users, NodeId num_items, EdgeOffset size)
      : Owner(std::move(storage)), num_nodes_{num_users, num_items}, size_(size) {}

  NodeId num_users() const noexcept { return num_nodes_[0]; }
  NodeId num_items() const noexcept { return num_nodes_[1]; }
  NodeId num_nodes(Side side) const noexcept { return num_nodes_[static_cast<int>(side)]; }
  EdgeOffset size() const noexcept { return size_; }

 private:
  std::array<NodeId, 2> num_nodes_{};
  EdgeOffset size_ = 0;
};

/// A set of rows of one node set: ascending ids, and a membership mark for every node.
class RowSet : public Owner {
 public:
  RowSet() = default;
  RowSet(std::unique_ptr<Storage> storage, NodeId num_nodes, std::int64_t capacity)
      : Owner(std::move(storage)), num_nodes_(num_nodes), capacity_(capacity) {}

  /// The size of the node set that the rows are taken from.
  NodeId num_nodes() const noexcept { return num_nodes_; }
  /// The most rows that the set can hold; only the backend knows how many it holds now.
  std::int64_t capacity() const noexcept { return capacity_; }

 private:
  NodeId num_nodes_ = 0;
  std::int64_t capacity_ = 0;
};

/// The triplets of one epoch, cut into batches, one of which is current; with the distinct rows of
/// the current batch on either side and, for each row, the triplets in which it occurs. Step ops
/// (bpr, l2_penalty, and all ops that take rows()) work on the current batch, so that a recorded
/// step can be replayed for every batch of the epoch.
class Triplets : public Owner {
 public:
  Triplets() = default;
  Triplets(std::unique_ptr<Storage> storage, std::int64_t size, std::int64_t batch_size,
           RowSet users, RowSet items, int negatives_per_positive = 1)
      : Owner(std::move(storage)),
        size_(size),
        batch_size_(batch_size),
        negatives_per_positive_(negatives_per_positive),
        rows_{std::move(users), std::move(items)} {}

  /// Triplets an epoch.
  std::int64_t size() const noexcept { return size_; }
  /// Triplets a batch; the last batch of an epoch may be shorter.
  std::int64_t batch_size() const noexcept { return batch_size_; }
  std::int64_t num_batches() const noexcept {
    return size_ == 0 ? 0 : (size_ - 1) / batch_size_ + 1;
  }
  /// As in SamplingOptions; 0 if the triplets are pairs.
  int negatives_per_positive() const noexcept { return negatives_per_positive_; }

  /// The distinct rows of the current batch. The object stays the same; its content changes with
  /// the current batch.
  const RowSet& rows(Side side) const noexcept { return rows_[static_cast<int>(side)]; }

 private:
  std::int64_t size_ = 0;
  std::int64_t batch_size_ = 0;
  int negatives_per_positive_ = 1;
  std::array<RowSet, 2> rows_;
};

/// A count that lives with the backend, so that a recorded step can read and advance it.
class Counter : public Owner {
 public:
  Counter() = default;
  explicit Counter(std::unique_ptr<Storage> storage) : Owner(std::move(storage)) {}
};

/// For each row of a table, the last step of adam that the row has had.
class RowSteps : public Owner {
 public:
  RowSteps() = default;
  RowSteps(std::unique_ptr<Storage> storage, std::int64_t rows)
      : Owner(std::move(storage)), rows_(rows) {}

  std::int64_t rows() const noexcept { return rows_; }

 private:
  std::int64_t rows_ = 0;
};

}  // namespace tern
