#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "host/distributed/columns.hpp"
#include "host/distributed/communicator.hpp"
#include "tern/dense_layer.hpp"
#include "tern/view.hpp"

namespace tern::distributed {

/// Tables between two forms: whole on every rank, or each rank with its columns (columns_of()). Rows go in
/// pieces, so that a table of any height takes a few megabytes beside it. All methods are collective.
class ColumnExchange {
 public:
  /// The communicator must outlive the object.
  explicit ColumnExchange(Communicator& communicator) : communicator_(communicator) {}

  ColumnRange columns(std::int64_t width, int rank) const {
    return columns_of(width, rank, communicator_.size());
  }

  /// whole := the columns of all ranks, side by side. own: those of this rank. What is behind the columns of
  /// whole becomes 0. Value: float or double.
  template <class Value>
  void gather(const MatrixView<const Value>& own, const MatrixView<Value>& whole);

  using Write = DenseTermGradients::Write;
  /// own := this rank's columns of Σ_r whole_r, or +=, in the order of Communicator::reduce_scatter().
  void reduce(const MatrixView<const float>& whole, const MatrixView<float>& own, Write write);

 private:
  std::int64_t rows_at_once(std::int64_t width) const;

  Communicator& communicator_;
  // Workspace: what is sent, and what comes.
  std::vector<std::byte> sent_;
  std::vector<std::byte> received_;
};

}  // namespace tern::distributed
